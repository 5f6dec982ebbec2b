// The chat page goes on when its node is killed, its node drains, or its network is gone.
import assert from 'node:assert/strict';
import * as harness from '../lib/harness.mjs';
import {
  becomes,
  browserTest,
  nodeOf,
  online,
  openRoom,
  say,
  shows,
  texts,
  writeTo,
} from '../lib/browser.mjs';

const LINES = 50;
const tolerated = /WebSocket connection to/; // while there is none
const notices = (page) => page.locator('#messages .notice').allTextContents();
const numbered = (name) => Array.from({ length: LINES }, (_, i) => `${name} ${i + 1}`);

async function twoPages(nodes, open) {
  const ann = await open('Ann');
  const bob = await open('Bob', { unlike: ann });
  await shows(ann, '#people', 'Bob');
  const id = await nodeOf(ann);
  const going = nodes.find((node) => node.id === id);
  const staying = nodes.find((node) => node !== going);
  return { ann, bob, going, staying };
}

const killed = async ({ nodes, open }) => {
  const { ann, bob, going, staying } = await twoPages(nodes, open);
  const fromBob = numbered('Bob');
  const fromAnn = numbered('Ann');
  for (let i = 0; i < LINES; i++) {
    await say(bob, fromBob[i]);
    await say(ann, fromAnn[i]);
    if (i === 15) await going.kill();
  }
  await online(ann);
  const lines = [...fromBob, ...fromAnn].sort();
  for (const page of [ann, bob]) {
    await becomes(async () => (await texts(page)).sort(), lines);
    const all = await texts(page);
    assert.deepEqual(
      all.filter((text) => text.startsWith('Bob')),
      fromBob,
    );
    assert.deepEqual(
      all.filter((text) => text.startsWith('Ann')),
      fromAnn,
    );
    await becomes(() => page.locator('#pending li').count(), 0);
  }
  assert.deepEqual(await texts(ann), await texts(bob));
  const said = `${going.id} went away; connected to ${staying.id}, nothing was lost`;
  assert.deepEqual(await notices(ann), [said]);
  assert.deepEqual(await notices(bob), []);
  await becomes(() => ann.textContent('#state'), `Connected to ${staying.id}`);
};

browserTest('a node is killed and the page goes on', killed, { tolerated });

const drained = async ({ nodes, open }) => {
  const { ann, bob, going, staying } = await twoPages(nodes, open);
  await writeTo(ann, 'Bob');
  await going.stop('SIGTERM');
  await becomes(() => ann.textContent('#state'), `Connected to ${staying.id}`);
  await say(ann, 'still here');
  await shows(bob, '#peers', 'Ann');
  await bob.locator('#peers button').click();
  await becomes(() => texts(bob), ['still here']);
  await becomes(
    () => notices(ann),
    [`${going.id} went away; connected to ${staying.id}, nothing was lost`],
  );
};

browserTest('a node drains and the page goes on', drained, {
  tolerated,
  args: ['--drain', '100ms'],
});

const offline = async ({ nodes, open }) => {
  const { ann, bob } = await twoPages(nodes, open);
  await say(bob, 'before');
  await shows(ann, '#messages', 'before');
  await ann.context().setOffline(true);
  await becomes(() => ann.textContent('#state'), 'Offline');
  await shows(ann, '#banner', 'You are offline.');
  await say(ann, 'written offline');
  await shows(ann, '#pending', 'written offline');
  await say(bob, 'meanwhile 1');
  await say(bob, 'meanwhile 2');
  await shows(bob, '#messages', 'meanwhile 2');
  assert.deepEqual(await texts(ann), ['before']);

  await ann.context().setOffline(false);
  await online(ann);
  const all = ['before', 'meanwhile 1', 'meanwhile 2', 'written offline'];
  for (const page of [ann, bob]) await becomes(() => texts(page), all);
  const [notice, ...others] = await notices(ann);
  assert.match(notice, /^Back on n\d+ after .*, nothing was lost$/);
  assert.deepEqual(others, []);
  assert.equal(await ann.locator('#pending li').count(), 0);
  assert.equal(await ann.textContent('#banner'), '');
};

browserTest('offline and back', offline, { tolerated: /WebSocket connection to|ERR_INTERNET/ });

const forgotten = async ({ nodes, open }) => {
  const { ann, bob, going } = await twoPages(nodes, open);
  await ann.evaluate(() => (location.hash = '#room:other'));
  await say(ann, 'in the other room');
  await openRoom(ann, 'lobby');
  await say(bob, 'kept');
  await shows(ann, '#messages', 'kept');
  const writer = await harness.login(
    nodes.find((node) => node !== going),
    'writer',
  );
  await writer.emit('join', {});

  // More is said than the logs hold while the page is away.
  await ann.context().setOffline(true);
  await becomes(() => ann.textContent('#state'), 'Offline');
  for (let n = 1; n <= 300; n++) await writer.emit('sendMessage', `long ago ${n}`);
  await ann.context().setOffline(false);
  await online(ann);
  await becomes(async () => (await texts(ann)).at(-1), 'long ago 300');
  await becomes(
    async () => (await notices(ann)).some((text) => /may be missing/.test(text)),
    true,
  );
  // The room is whole where the server has it.
  const all = (await texts(ann)).filter((text) => text.startsWith('long ago'));
  assert.deepEqual(
    all,
    Array.from({ length: all.length }, (_, i) => `long ago ${301 - all.length + i}`),
  );
};

browserTest('the page says what is lost', forgotten, {
  tolerated: /WebSocket connection to|ERR_INTERNET/,
  args: ['--history-max', '50'],
});
