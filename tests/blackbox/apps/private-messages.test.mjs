// Private messages: a session that the browser keeps, several devices of one user.
import assert from 'node:assert/strict';
import { scenes, until } from '../lib/apps.mjs';

scenes('private-messages', async ({ page, open }) => {
  const nobody = page(open());
  nobody.choose('');
  await until(() => nobody.error === 'invalid username');
  const phone = open();
  const ann = page(phone);
  ann.choose('ann');
  await until(() => ann.self && ann.users.length === 1);
  const home = open();
  const bob = page(home);
  bob.choose('bob');
  await until(() => bob.users.length === 2 && ann.find('bob')?.connected);
  const second = page(open({ storage: phone.storage })); // knows the session
  await until(() => second.self === ann.self && second.users.length === 2);
  ann.send('psst', bob.self);
  await until(() => bob.find('ann').messages.length === 1 && second.find('bob').messages.length === 1);
  assert.deepEqual(bob.find('ann').messages, [{ content: 'psst', mine: false }]);
  assert.deepEqual(second.find('bob').messages, [{ content: 'psst', mine: true }]);
  bob.send('yes?', ann.self);
  await until(() => [ann, second].every((one) => one.find('bob').messages.length === 2));
  assert.equal(ann.find('bob').messages[1].content, 'yes?');
  phone.quit();
  bob.send('still there?', ann.self);
  await until(() => second.find('bob').messages.length === 3);
  assert.equal(bob.find('ann').connected, true);
  home.quit();
  await until(() => second.find('bob').connected === false);
  const again = page(open({ storage: home.storage }));
  await until(() => again.self === bob.self && second.find('bob').connected === true);
});
