// Text published by hand on a doorbell comes out as event `message`, a JSON string, seq 0.
import assert from 'node:assert/strict';
import { cluster, connect, login, test } from '../lib/harness.mjs';
import { fence, publish } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });
const TEXTS = [
  'hello "there"',
  'back\\slash /\t\u0001 \u{1f40b} é',
  'line\nbreak',
  '{"a":1}',
  'x'.repeat(100000),
];

async function hears(clients, channel) {
  for (const text of TEXTS) {
    await publish(redis, `sluice:{${channel}}`, text);
    for (const client of clients) {
      const frame = await client.next('message');
      assert.equal(frame.channel, channel);
      assert.equal(frame.data, text);
      assert.equal(frame.seq, 0);
      assert.ok(!('epoch' in frame));
      assert.ok(Number.isInteger(frame.time) && frame.time > 1e15, 'microseconds');
      const order = Object.keys(frame).filter((key) => key !== 'text');
      assert.deepEqual(order, ['channel', 'seq', 'time', 'event', 'data']);
    }
  }
}

test('on a room', async () => {
  const ann = await login(nodes[0], 'ann');
  const bob = await login(nodes[1], 'bob');
  const eve = await login(nodes[1], 'eve');
  for (const client of [ann, bob]) await client.emit('join', { room: 'x' });
  await hears([ann, bob], 'room:x');
  await fence(redis, [eve]);
  await eve.none('message');
});

test("on a user's inbox: all of their devices, nobody else", async () => {
  const phone = await login(nodes[0], 'cat');
  const desk = await login(nodes[1], 'cat');
  const eve = await login(nodes[1], 'eve');
  await hears([phone, desk], 'user:cat');
  await fence(redis, [eve]);
  await eve.none('message');
});

test('on a topic', async () => {
  const ann = await login(nodes[0], 'ann-t');
  const bob = await login(nodes[1], 'bob-t');
  for (const client of [ann, bob]) await client.emit('subscribe', { channel: 'topic:news' });
  await hears([ann, bob], 'topic:news');
  await ann.emit('unsubscribe', { channel: 'topic:news' });
  await publish(redis, 'sluice:{topic:news}', 'last');
  assert.equal((await bob.next('message')).data, 'last');
  await fence(redis, [ann]);
  await ann.none('message');
});

test('on all: everybody who is logged in', async () => {
  const ann = await login(nodes[0], 'ann-a');
  const bob = await login(nodes[1], 'bob-a');
  const nobody = await connect(nodes[0]);
  await hears([ann, bob], 'all');
  await nobody.none('message');
});
