// Requests that come by Redis alone.
import assert from 'node:assert/strict';
import { caller, withKeys } from '../lib/api.mjs';
import { chatTexts, range } from '../lib/frames.mjs';
import { cluster, login, startNode, test, until } from '../lib/harness.mjs';

const { args, env } = withKeys();
const ON = [...args, '--api-stream'];
const { redis, nodes } = await cluster({ nodes: 2, args: ON, env });
const { good } = caller(nodes[0]);
const STREAM = 'sluice:api';
const add = (path, body, { id = '*', method = 'POST' } = {}) =>
  redis.cli('XADD', STREAM, id, 'method', method, 'path', path, 'body', body === undefined ? '' : JSON.stringify(body));
const length = async () => Number(await redis.cli('XLEN', STREAM));
const isEmpty = (options) => until(async () => (await length()) === 0, options);
const refused = async () => redis.cli('XRANGE', `${STREAM}:refused`, '-', '+');
const messages = async (channel) => (await good('GET', `/channels/${channel}/history?limit=100`)).messages;

const ann = await login(nodes[0], 'ann');
await ann.emit('join', { room: 'den' });

test('each is done, in order, and taken out', async () => {
  for (const i of range(1, 100)) await add('/messages/room', { senderId: 'ann', room: 'den', message: i });
  await add('/publish', { channel: 'room:den', event: 'end', data: 1 });
  await ann.next('end', { timeout: 15000 });
  assert.deepEqual(chatTexts(ann), range(1, 100));
  await isEmpty();
  assert.equal(await refused(), '');
});

test('all routes can be called so', async () => {
  await add('/rooms/den/members/bob', undefined, { method: 'PUT' });
  await add('/messages/private', { senderId: 'bob', receiverId: 'ann', content: 'hi' });
  await add('/sockets/nobody/disconnect');
  await isEmpty();
  const { data } = await ann.next('new_private_message');
  assert.equal(data.content, 'hi');
  const { members } = await good('GET', '/rooms/den/members');
  assert.deepEqual(members.map(({ id }) => id).sort(), ['ann', 'bob']);
  assert.equal(await refused(), '');
});

test('what is refused is kept, with the error', async () => {
  await add('/publish', { channel: 'nowhere', data: 1 });
  await add('/nothing', {});
  await add('/batch', { requests: [] });
  await redis.cli('XADD', STREAM, '*', 'else', '1');
  await isEmpty();
  const kept = await refused();
  assert.match(kept, /bad_field/);
  assert.equal(kept.match(/not_found/g).length, 2);
  assert.match(kept, /nowhere/);
  assert.ok(Number(await redis.cli('TTL', `${STREAM}:refused`)) > 0);
});

test('an entry takes effect once, however often it is there', async () => {
  const [last] = (await redis.cli('XINFO', 'STREAM', STREAM)).match(/\d+-\d+/);
  const at = BigInt(last.split('-')[0]) + 10n;
  const id = `${at}-5`;
  const three = async () => {
    await add('/publish', { channels: ['topic:once', 'room:den'], event: 'once', data: id }, { id });
    await add('/messages/private', { senderId: 'cat', receiverId: 'dan', content: id }, { id: `${at}-6` });
    await add('/messages/room', { senderId: 'ann', room: 'den', message: id }, { id: `${at}-7` });
    await isEmpty();
  };
  await three();
  for (let i = 0; i < 2; i++) {
    await redis.cli('DEL', STREAM);
    await three();
  }
  assert.equal((await messages('topic:once')).length, 1);
  assert.equal((await messages('dm:cat:dan')).length, 1);
  assert.equal((await messages('user:dan')).length, 1);
  const den = await messages('room:den');
  assert.equal(den.filter(({ data }) => data === id || data.message === id).length, 2);
  await add('/publish', { channel: 'topic:once', data: 2 }, { id: `${at}-8` });
  await isEmpty();
  assert.equal((await messages('topic:once')).length, 2);
});

test('another node takes over', async (t) => {
  const third = await startNode({ redis, args: ON, env });
  t.after(() => third.stop());
  const holder = await redis.cli('GET', `${STREAM}:lease`);
  const dead = nodes.find(({ id }) => holder.startsWith(`${id}.`)) ?? nodes[1];
  await dead.kill();
  for (const i of range(1, 20)) await add('/publish', { channel: 'topic:over', data: i });
  await isEmpty({ timeout: 15000 });
  const { good: ask } = caller(third);
  const { messages: all } = await ask('GET', '/channels/topic:over/history?limit=100');
  assert.deepEqual(all.map(({ data }) => data), range(1, 20));
});

test('without the option nobody reads it', async (t) => {
  for (const node of nodes) await node.stop().catch(() => {});
  const off = await startNode({ redis, args, env });
  t.after(() => off.stop());
  await redis.cli('DEL', `${STREAM}:lease`);
  await add('/publish', { channel: 'topic:off', data: 1 });
  const { good: ask } = caller(off);
  await ask('GET', '/channels/topic:off/history');
  assert.equal(await length(), 1);
});
