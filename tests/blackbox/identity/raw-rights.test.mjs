// What a token allows on raw channels: reading, writing with `:rw`, and nothing of the rest.
import assert from 'node:assert/strict';
import { cluster, connect, startNode, test, until } from '../lib/harness.mjs';
import { metric, publish } from '../lib/registry.mjs';
import { allowed, IDENTITY, token } from '../lib/token.mjs';

const CHANNELS = ['--channels', 'events,chat:rw,price/gold,u-ann:rw,u-bob:rw'];
const args = [...IDENTITY, ...CHANNELS];
const { redis, nodes } = await cluster({ nodes: 2, args });

const bearer = (text) => ({ headers: { authorization: `Bearer ${text}` } });
const open = (name, channels, { node = nodes[0], sub = 'ann' } = {}) =>
  connect(node, { path: `/channels/${name}`, ...bearer(allowed(sub, { channels })) });

// A reader hears nothing before its node has subscribed.
const areHeard = (name, count) =>
  until(async () => (await redis.cli('PUBSUB', 'NUMSUB', name)).split('\n')[1] === String(count));

async function status(name, channels, options) {
  try {
    await (await open(name, channels, options)).close();
    return 101;
  } catch (error) {
    return error.status;
  }
}

test('a right is needed; without one 403, whether the channel is opened or not', async () => {
  for (const [channels, may, mayNot] of [
    [[], [], ['events', 'chat', 'nothing']],
    [['events'], ['events'], ['chat', 'nothing', 'event']],
    [['e*', 'pri*'], ['events', 'price%2Fgold'], ['chat', 'nothing']],
    [['u-$me'], ['u-ann'], ['u-bob', 'events']],
    [['u-$me:rw'], ['u-ann'], ['u-bob', 'u-ann:rw']],
    [['*:rw'], ['events', 'chat'], []],
  ]) {
    for (const name of may) assert.equal(await status(name, channels), 101, `${channels} ${name}`);
    for (const name of mayNot) assert.equal(await status(name, channels), 403, `${channels} ${name}`);
  }
  // A user whose id has a star is not every user.
  assert.equal(await status('u-ann', ['u-$me'], { sub: '*' }), 403);
});

test('who may read it learns that a channel is not opened', async () => {
  for (const name of ['nothing', 'Events', '%zz', '']) {
    assert.equal(await status(name, ['*']), 404, name);
    assert.equal(await status(name, ['events']), 403, name);
  }
});

test('what forbidden channels answer is the same, byte for byte', async () => {
  const answer = (name) =>
    open(name, ['x']).then(assert.fail, ({ status: code, body, headers: { date, ...headers } }) =>
      JSON.stringify([code, body, headers]),
    );
  assert.equal(await answer('events'), await answer('nothing'));
  assert.equal(await answer('events'), await answer('sluice%3Apresence'));
});

test('no right by default; the option grants gives some', async (t) => {
  const path = '/channels/events';
  await assert.rejects(connect(nodes[0], { path, ...bearer(token('ann')) }), { status: 403 });
  const grants = ['--grants', 'channels=ev*,chat:rw'];
  const node = await startNode({ redis, args: [...args, ...grants] });
  t.after(() => node.stop());
  for (const name of ['events', 'chat']) {
    await (await connect(node, { path: `/channels/${name}`, ...bearer(token('ann')) })).close();
  }
  const claim = bearer(allowed('ann', { channels: [] }));
  await assert.rejects(connect(node, { path, ...claim }), { status: 403 });
  await (await connect(node, { path, ...bearer(allowed('ann', { rooms: [] })) })).close();
});

test('writing needs :rw in the token and rw in the option', async () => {
  const reader = await open('chat', ['chat'], { node: nodes[1], sub: 'bob' });
  const listener = await open('events', ['events'], { node: nodes[1], sub: 'bob' });
  await areHeard('chat', 1);
  await areHeard('events', 1);
  const dropped = () => metric(nodes[0], 'sluice_dropped_total', { reason: 'not_writable' });
  const before = await dropped();
  const mute = await open('chat', ['chat']);
  const wrong = await open('events', ['events:rw']);
  mute.raw('not this');
  wrong.raw('nor this');
  await until(async () => (await dropped()) === before + 2);

  const writer = await open('chat', ['chat:rw']);
  await areHeard('chat', 2);
  await areHeard('events', 2);
  writer.raw('this');
  for (const client of [reader, mute, writer]) assert.equal((await client.next('raw')).text, 'this');
  await publish(redis, 'events', 'and that');
  for (const client of [listener, wrong]) assert.equal((await client.next('raw')).text, 'and that');
  for (const client of [reader, listener, mute, wrong, writer]) assert.ok(client.isOpen);
  await Promise.all([reader, listener, mute, wrong, writer].map((client) => client.close()));
});

test('what only reads need not send long messages', async () => {
  const mute = await open('chat', ['chat']);
  mute.raw('x'.repeat(16385));
  assert.equal((await mute.closed).code, 1009);
  await areHeard('chat', 0); // or the next line but one would take its subscription for the writer's
  const writer = await open('chat', ['chat:rw']);
  await areHeard('chat', 1);
  writer.raw('x'.repeat(16385));
  assert.equal((await writer.next('raw')).text.length, 16385);
  await writer.close();
});
