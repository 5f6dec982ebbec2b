// Login by the cookie of the site.
import assert from 'node:assert/strict';
import { request } from '../lib/harness.mjs';
import { scenes, until } from '../lib/apps.mjs';

scenes('cookie', async ({ page, open, site }) => {
  const login = async (name) => {
    const { headers } = await request(`${site}/login?name=${name}`);
    return headers['set-cookie'][0].split(';')[0];
  };
  const stranger = page(open());
  await until(() => stranger.login);
  const forger = page(open({ cookie: 'sid=guess' }));
  await until(() => forger.login);
  const ann = page(open({ cookie: await login('ann') }));
  const bob = page(open({ cookie: `theme=dark; ${await login('bob')}` }));
  await until(() => ann.me === 'ann' && bob.me === 'bob');
  ann.say('hello');
  await until(() => bob.lines.length === 1 && ann.lines.length === 1);
  assert.deepEqual(bob.lines, ['ann: hello']);
  assert.deepEqual([stranger.me, stranger.lines], [null, []]);
});
