// log-bytes: the messages of a channel take so many bytes; the oldest go, announced as ever.
import assert from 'node:assert/strict';
import { cluster, login, test, until } from '../lib/harness.mjs';
import { range } from '../lib/frames.mjs';
import { metric } from '../lib/registry.mjs';

const MOST = 1048576;
const { redis, nodes, stop } = await cluster({ nodes: 2, args: ['--log-bytes', '1M'] });
const limited = (node) => metric(node, 'sluice_limited_total', { limit: 'log-bytes' });
const text = (size) => 'x'.repeat(size);

// The bytes that meta counts: see `last` in log.lua.
async function counted(key) {
  const last = await redis.cli('HGET', `${key}:meta`, 'last');
  return Number(last.slice(34).split(' ')[2]);
}

// What the log holds, as it is counted and as it is.
async function state(channel) {
  const key = `sluice:{${channel}}`;
  const out = await redis.cli('--json', 'XRANGE', `${key}:log`, '-', '+');
  const entries = JSON.parse(out);
  return {
    counted: await counted(key),
    bytes: entries.reduce((sum, [, [, frame]]) => sum + Buffer.byteLength(frame), 0),
    seqs: entries.map(([id]) => Number.parseInt(id, 10)),
  };
}

test('a room keeps the latest messages, of any size, and counts them right', async () => {
  const before = await limited(nodes[0]);
  const ann = await login(nodes[0], 'ann');
  await ann.emit('join', { room: 'r' });
  const sizes = range(1, 120).map((i) => [10, 30000, 500, 200000][i % 4]);
  for (const size of sizes) await ann.emit('sendMessage', { room: 'r', message: text(size) });
  const { counted, bytes, seqs } = await state('room:r');
  assert.equal(counted, bytes);
  assert.ok(bytes <= MOST, `${bytes} bytes`);
  assert.ok(bytes > MOST * 0.7, `${bytes} bytes: no more goes than has to`);
  assert.deepEqual(seqs, range(seqs[0], sizes.length));
  assert.ok((await limited(nodes[0])) > before);
  const { messages } = await ann.emit('history', { room: 'r', limit: 5 });
  assert.deepEqual(messages.map(({ seq }) => seq), range(116, 120));
});

test('who was away is told of the hole', async () => {
  const bob = await login(nodes[1], 'bob');
  await bob.emit('join', { room: 'away' });
  const resume = structuredClone(bob.positions);
  await bob.close();
  const ann = await login(nodes[0], 'ann');
  await ann.emit('join', { room: 'away' });
  for (const i of range(1, 12)) {
    await ann.emit('sendMessage', { room: 'away', message: `${i} ${text(200000)}` });
  }
  const back = await login(nodes[1], 'bob', { resume });
  assert.equal(back.ack.recovered, false);
  assert.deepEqual(back.ack.lost, ['room:away']);
});

test('private messages to somebody who never was: three logs, each with its most', async () => {
  const ann = await login(nodes[0], 'ann');
  const before = await limited(nodes[0]);
  for (const i of range(1, 60)) {
    await ann.emit('private_message', { receiverId: 'nobody', content: `${i} ${text(50000)}` });
  }
  for (const channel of ['user:nobody', 'user:ann', 'dm:ann:nobody']) {
    const { counted, bytes } = await state(channel);
    assert.equal(counted, bytes, channel);
    assert.ok(bytes <= MOST, `${channel}: ${bytes}`);
  }
  assert.ok((await limited(nodes[0])) > before);
});

test('one message that is longer than all stays until the next', async (t) => {
  const own = await cluster({ redis, nodes: 1, args: ['--log-bytes', '4K', '--prefix', 'own:'] });
  t.after(own.stop);
  const ann = await login(own.nodes[0], 'ann');
  const last = async () => (await ann.emit('history', { room: 'r' })).messages.map(({ seq }) => seq);
  await ann.emit('join', { room: 'r' });
  await ann.emit('sendMessage', { room: 'r', message: 'short' });
  await ann.emit('sendMessage', { room: 'r', message: text(100000) });
  assert.deepEqual(await last(), [2]);
  await ann.emit('sendMessage', { room: 'r', message: 'short' });
  assert.deepEqual(await last(), [3]);
  for (const _ of range(1, 100)) await ann.emit('sendMessage', { room: 'r', message: 'short' });
  assert.equal((await last()).at(-1), 103);
});

test('the count survives what others do to the log', async () => {
  const ann = await login(nodes[0], 'ann');
  await ann.emit('join', { room: 'by-hand' });
  const say = (size) => ann.emit('sendMessage', { room: 'by-hand', message: text(size) });
  for (const _ of range(1, 20)) await say(40000);
  await redis.cli('DEL', 'sluice:{room:by-hand}:log');
  for (const _ of range(1, 20)) await say(10000); // it counts anew by the next 16th
  await redis.cli('HDEL', 'sluice:{room:by-hand}:meta', 'last'); // an older version made it
  for (const _ of range(1, 20)) await say(10000);
  const { counted, bytes, seqs } = await state('room:by-hand');
  assert.equal(seqs.length, 40);
  assert.ok(Math.abs(counted - bytes) <= bytes * 0.05, `${counted} for ${bytes}`);
});

test('a log that is short by history-max counts right, too', async (t) => {
  const own = await cluster({ redis, nodes: 1, args: ['--history-max', '130', '--prefix', 'b:'] });
  t.after(own.stop);
  const ann = await login(own.nodes[0], 'ann');
  for (const i of range(1, 400)) {
    await ann.emit('publish', { channel: 'topic:t', data: text(i * 7) });
  }
  const log = JSON.parse(await redis.cli('--json', 'XRANGE', 'b:{topic:t}:log', '-', '+'));
  const bytes = log.reduce((sum, [, [, frame]]) => sum + Buffer.byteLength(frame), 0);
  assert.ok(log.length <= 130);
  await until(async () => (await counted('b:{topic:t}')) === bytes);
});

test('nothing is left', () => stop());
