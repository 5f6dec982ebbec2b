// A reader is slow by what it does not take, not by how much came at once: long texts and bursts
// close nobody who reads. max-queue is far below both.
import assert from 'node:assert/strict';
import { cluster, connect, login, test, until } from '../lib/harness.mjs';
import { metric } from '../lib/registry.mjs';
import { front } from '../lib/socketio.mjs';

const args = ['--channels', 'events', '--max-queue', '65536'];
const { redis, nodes, stop } = await cluster({ nodes: 2, args });

// Texts of those sizes, published in one go.
function burst(channel, sizes) {
  const script = `for i = 1, #ARGV do
    redis.call('PUBLISH', KEYS[1], string.rep('x', tonumber(ARGV[i])) .. i) end`;
  return redis.cli('EVAL', script, 1, channel, ...sizes);
}

async function subscribed(channel, count) {
  const numsub = async () => Number((await redis.cli('PUBSUB', 'NUMSUB', channel)).split('\n')[1]);
  await until(async () => (await numsub()) === count, { what: `subscribed to ${channel}` });
}

const BURSTS = [
  [6 << 20, 1, 1],
  [1, 3 << 20, 3 << 20, 1],
  Array(400).fill(1000),
  Array(40).fill(60000),
];

test('raw: all of it comes, in order', async () => {
  const clients = [];
  for (let i = 0; i < 6; i++) clients.push(await connect(nodes[i % 2], { path: '/channels/events' }));
  await subscribed('events', 2);
  for (const sizes of BURSTS) {
    await burst('events', sizes);
    for (const client of clients) {
      for (const [i, size] of sizes.entries()) {
        const { text } = await client.next('raw', { timeout: 20000 });
        assert.equal(text.length, size + String(i + 1).length);
        assert.ok(text.endsWith(`x${i + 1}`));
      }
    }
  }
  for (const client of clients) await client.close();
});

test('/ws and Socket.IO, by polling too: the same', async () => {
  const ann = await login(nodes[0], 'ann');
  await ann.emit('join', { room: 'r' });
  const fronts = [];
  for (const transport of ['websocket', 'polling']) {
    fronts.push(await front(nodes[1], { transports: [transport] }));
  }
  for (const [i, socket] of fronts.entries()) {
    await socket.emitWithAck('login', { userId: `f${i}` });
    await socket.emitWithAck('join', { room: 'r' });
    socket.texts = [];
    socket.on('chatMessage', ({ message }) => socket.texts.push(message.length));
    socket.on('disconnect', (why) => socket.texts.push(why));
  }
  const sizes = [600000, 1, 300000, 2, 3, 200000, 5]; // less than twice the longest
  const messages = sizes.map((size) => 'x'.repeat(size));
  await Promise.all(messages.map((message) => ann.emit('sendMessage', { room: 'r', message })));
  for (const size of sizes) {
    assert.equal((await ann.next('chatMessage', { timeout: 20000 })).data.message.length, size);
  }
  for (const socket of fronts) {
    await until(() => socket.texts.length >= sizes.length, { timeout: 20000, what: 'all texts' });
    assert.deepEqual(socket.texts, sizes);
  }
  // What may be lost is not lost for what came with it.
  await burst('sluice:{room:r}', [500000, 1, 1]);
  const beside = await Promise.all([1, 2, 3].map(() => ann.next('message', { timeout: 20000 })));
  assert.deepEqual(beside.map(({ data }) => data.length), [500001, 2, 2]);
  for (const node of nodes) {
    assert.equal(await metric(node, 'sluice_closes_total', { code: 1013 }), 0);
  }
  for (const socket of fronts) socket.disconnect();
  await ann.close();
});

test('who reads nothing is closed as slow, and what it held is let go of', async () => {
  const slow = await connect(nodes[0], { path: '/channels/events' });
  const prompt = await connect(nodes[0], { path: '/channels/events' });
  await subscribed('events', 1);
  slow.pauseReading();
  const closed = () => metric(nodes[0], 'sluice_closes_total', { code: 1013 });
  for (let i = 0; (await closed()) === 0; i++) {
    assert.ok(i < 100, 'it was never closed');
    await burst('events', [1 << 20, 1]);
    for (let n = 0; n < 2; n++) await prompt.next('raw', { timeout: 20000 });
  }
  assert.ok(prompt.isOpen);
  await until(async () => (await metric(nodes[0], 'sluice_held_bytes', { what: 'queues' })) < 1e6);
  slow.resumeReading();
  await slow.closed;
  await stop(); // fails if a sanitizer spoke
});
