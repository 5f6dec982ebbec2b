// The messages of the chat in a user's name, and several requests at once.
import assert from 'node:assert/strict';
import { caller, isRefusal, keyOf, withKeys } from '../lib/api.mjs';
import { range } from '../lib/frames.mjs';
import { cluster, login, test } from '../lib/harness.mjs';

const { args, env } = withKeys({ desk: 'users', shop: 'publish', eyes: 'read' });
const { redis, nodes } = await cluster({ nodes: 2, args, env });
const { call, good } = caller(nodes[0], { key: keyOf('desk') });
const once = (key) => ({ headers: { 'Idempotency-Key': key } });
const ann = await login(nodes[0], 'ann');
const bob = await login(nodes[1], 'bob');
await ann.emit('join', { room: 'den' });
await bob.emit('join', { room: 'den' });

test('a private message: both hear it, on all devices', async () => {
  const body = { senderId: 'ann', receiverId: 'bob', content: { text: 'hi', n: 1 } };
  const ack = await good('POST', '/messages/private', body);
  assert.deepEqual(Object.keys(ack), ['seq', 'timestamp', 'delivered']);
  assert.equal(ack.delivered, true);
  for (const client of [ann, bob]) {
    const { data } = await client.next('new_private_message');
    assert.deepEqual(data, { ...body, timestamp: ack.timestamp, seq: ack.seq });
  }
  const away = await good('POST', '/messages/private', { ...body, receiverId: 42 });
  assert.deepEqual([away.seq, away.delivered], [1, false]);
  await ann.next('new_private_message', { match: ({ data }) => data.receiverId === '42' });
});

test('a message to a room, of a member', async () => {
  const body = { senderId: 'ann', room: 'den', message: 'hello' };
  const ack = await good('POST', '/messages/room', body);
  for (const client of [ann, bob]) {
    const { data } = await client.next('chatMessage');
    assert.deepEqual(data, { room: 'den', userId: 'ann', message: 'hello', ...ack });
  }
  isRefusal(await call('POST', '/messages/room', { ...body, senderId: 'eve' }), 409, 'not_a_member', 'senderId');
});

test('each takes effect once', async () => {
  const letter = { senderId: 'ann', receiverId: 'cat', content: 1 };
  const note = { senderId: 'ann', room: 'den', message: 1 };
  for (const [where, body, other] of [
    ['/messages/private', letter, { ...letter, content: 2 }],
    ['/messages/room', note, { ...note, message: 2 }],
  ]) {
    const first = await good('POST', where, body, once('k'));
    for (const node of nodes) {
      const again = await caller(node, { key: keyOf('desk') }).good('POST', where, body, once('k'));
      assert.deepEqual(again, first);
    }
    isRefusal(await call('POST', where, other, once('k')), 409, 'conflict', 'Idempotency-Key');
    assert.equal((await good('POST', where, other, once('k2'))).seq, first.seq + 1);
  }
  const { good: read } = caller(nodes[0]);
  const { messages } = await read('GET', '/channels/user:cat/history');
  assert.deepEqual(messages.map(({ data }) => data.content), [1, 2]);
  isRefusal(await call('POST', '/messages/room', { ...note, senderId: 'eve' }, once('e')), 409, 'not_a_member', 'senderId');
  await good('POST', '/messages/room', note, once('e'));
});

test('what is refused', async () => {
  const body = { senderId: 'ann', receiverId: 'bob', content: 1 };
  for (const field of Object.keys(body)) {
    const { [field]: _, ...rest } = body;
    isRefusal(await call('POST', '/messages/private', rest), 400, 'missing_field', field);
  }
  isRefusal(await call('POST', '/messages/private', { ...body, senderId: 'a b' }), 400, 'bad_field', 'senderId');
  const key = keyOf('shop');
  isRefusal(await call('POST', '/messages/private', body, { key }), 403, 'forbidden');
  isRefusal(await call('POST', '/messages/room', {}, { key }), 403, 'forbidden');
});

const batch = async (requests, options) => (await good('POST', '/batch', { requests }, options)).responses;
const post = (path, body, key) => ({ method: 'POST', path, body, ...(key && { key }) });

test('a batch: one after the other, each with its own right', async () => {
  const message = (i) => ({ senderId: 'ann', room: 'den', message: `b${i}` });
  const responses = await batch([
    ...range(1, 5).map((i) => post('/messages/room', message(i))),
    post('/publish', { channel: 'room:den', data: 1 }),
    { method: 'GET', path: '/cluster' },
    { method: 'GET', path: '/nothing' },
    { method: 'PUT', path: '/cluster' },
    post('/messages/room', { ...message(6), room: 'a b' }),
    post('/users/nobody/disconnect'),
  ]);
  assert.deepEqual(responses.map(({ status }) => status), [200, 200, 200, 200, 200, 403, 403, 404, 405, 400, 200]);
  assert.deepEqual(responses.at(-1).body, {});
  assert.equal(responses[9].body.error.field, 'room');
  for (const i of range(1, 5)) {
    const { data } = await bob.next('chatMessage', { match: ({ data }) => /^b/.test(data.message) });
    assert.equal(data.message, `b${i}`);
    assert.equal(responses[i - 1].body.seq, data.seq);
  }
  const read = await batch([{ method: 'GET', path: '/channels/room:den/history?limit=1' }], { key: keyOf('eyes') });
  assert.equal(read[0].body.messages.length, 1);
  assert.deepEqual(await batch([]), []);
});

test('keys of the items of a batch', async () => {
  const item = (n, key) => post('/messages/private', { senderId: 'ann', receiverId: 'dan', content: n }, key);
  const responses = await batch([item(1, 'a'), item(1, 'a'), item(2, 'a'), item(2, 'b'), item(3, 'a b')]);
  assert.deepEqual(responses.map(({ status }) => status), [200, 200, 409, 200, 400]);
  assert.deepEqual(responses[1], responses[0]);
  assert.equal(responses[3].body.seq, responses[0].body.seq + 1);
});

test('what cannot be in a batch', async () => {
  const status = async (...requests) => (await batch(requests)).map(({ status, body }) => [status, body.error.field]);
  assert.deepEqual(await status(post('/batch', { requests: [] }), { method: 'GET', path: '/docs' }), [
    [400, 'path'],
    [400, 'path'],
  ]);
  assert.deepEqual(await status({}, { method: 'GET' }, { method: 1, path: '/x' }, { method: 'GET', path: '' }), [
    [400, 'method'],
    [400, 'path'],
    [400, 'method'],
    [400, 'path'],
  ]);
  assert.deepEqual(await status({ ...post('/messages/room', {}), key: 1 }), [[400, 'key']]);
  isRefusal(await call('POST', '/batch', { requests: [1] }), 400, 'bad_field', 'requests');
  isRefusal(await call('POST', '/batch', { requests: Array(101).fill({}) }), 400, 'bad_field', 'requests');
  assert.equal((await batch(Array(100).fill({}))).length, 100);
  isRefusal(await call('POST', '/batch', `{"requests":[],"x":"${'x'.repeat(4194304)}"}`), 413, 'too_large');
});

test('4 MiB of answers are enough', async () => {
  const long = 'x'.repeat(900000);
  for (const i of range(1, 2)) await good('POST', '/messages/private', { senderId: 'len', receiverId: 'lon', content: long + i });
  const read = { method: 'GET', path: '/channels/dm:len:lon/history?limit=1' };
  const requests = [...Array(6).fill(read), { method: 'GET', path: '/channels/room:den/history' }];
  const responses = await batch(requests, { key: keyOf('eyes') });
  assert.deepEqual(responses.map(({ status }) => status), [200, 200, 200, 200, 200, 413, 413]);
});

test('after a message that could not be sent, none is', async (t) => {
  const item = (i) => post('/messages/room', { senderId: 'ann', room: 'den', message: `late ${i}` });
  const find = post('/users/nobody/disconnect');
  await redis.kill();
  t.after(async () => {
    await redis.restart();
    for (const node of nodes) await node.untilReady();
  });
  await nodes[0].untilNotReady();
  const responses = await batch([item(1), find, item(2)]);
  assert.deepEqual(responses.map(({ status }) => status), [503, 503, 503]);
  assert.deepEqual(responses.map(({ body }) => body.error.outcome), ['refused', undefined, 'refused']);
});
