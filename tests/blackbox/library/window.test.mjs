// sluice.js with many messages under way: fast over a long line, in order whatever fails in the
// middle, and a long text over a slow line.
import assert from 'node:assert/strict';
import { cluster, login, sleep, startNode, test, until } from '../lib/harness.mjs';
import { roam, startDoor } from '../lib/roaming.mjs';

const { redis, nodes } = await cluster({ nodes: 2, args: ['--redis-timeout', '1s'] });
const startOwn = (...args) => startNode({ redis, args: [...args, '--drain', '100ms'] });
const numbers = (count) => Array.from({ length: count }, (_, i) => `m${i}`);

async function pair(t, name, node, options) {
  const door = await startDoor(node);
  t.after(() => door.close());
  const from = await roam(t, `${name}1`, door, options);
  const to = await roam(t, `${name}2`, nodes[1]);
  for (const { sluice } of [from, to]) await sluice.emit('join', { room: name });
  const send = (message) => from.sluice.emit('sendMessage', { room: name, message });
  return { door, from, to, send };
}

const hears = (one, texts) =>
  until(() => one.heard.length >= texts.length, { timeout: 30000, what: 'all has come' });

test('a line of 100 ms carries more than 10 messages a second', async (t) => {
  const { door, to, send } = await pair(t, 'a', nodes[0]);
  door.delay = 50;
  const begin = Date.now();
  await Promise.all(numbers(96).map(send)); // one at a time they would take 9.6 s
  assert.ok(Date.now() - begin < 7000, `${Date.now() - begin} ms`);
  await hears(to, numbers(96));
  assert.deepEqual(to.heard, numbers(96));
});

test('over the rate in the middle: each once, in order', async (t) => {
  const own = await startOwn('--rate-limit', '100');
  t.after(() => own.stop());
  const { to, send } = await pair(t, 'b', own);
  await Promise.all(numbers(150).map(send));
  await hears(to, numbers(150));
  assert.deepEqual(to.heard, numbers(150));
});

test('unavailable in the middle, over a line that is slower than two seconds', async (t) => {
  const { door, to, from, send } = await pair(t, 'c', nodes[0]);
  const texts = numbers(16).map((text) => text.padEnd(8000, '.'));
  door.rate = 50000; // those on their way take more than 2 s
  const all = texts.map(send);
  await until(() => from.sluice.pending < 16, { timeout: 20000 });
  await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal');
  await sleep(300);
  await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal');
  await Promise.all(all);
  await hears(to, texts);
  assert.deepEqual(to.heard.map((text) => text.slice(0, 4)), texts.map((text) => text.slice(0, 4)));
});

test('a long text that takes longer than an unfinished one is kept', async (t) => {
  const own = await startOwn('--chunk-timeout', '1s');
  t.after(() => own.stop());
  const { door, from } = await pair(t, 'd', own, { chunk: 4096 });
  const bob = await login(nodes[1], 'bob');
  door.rate = 20000;
  const content = 'x'.repeat(32000); // 1.6 s
  const ack = await from.sluice.emit('private_message', { receiverId: 'bob', content });
  assert.equal(ack.seq, 1);
  assert.equal((await bob.next('new_private_message')).data.content, content);
});
