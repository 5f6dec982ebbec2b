// Binary values: attachments for clients of Socket.IO, base64 in `bin` for everybody else.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, login, test } from '../lib/harness.mjs';
import { beside, emit, enter, next, once, WAYS } from '../lib/socketio.mjs';

const { nodes, stop } = await cluster({ nodes: 2, args: ['--socketio-namespaces', '/shop'] });
after(stop);

const bytes = Buffer.from([0, 1, 2, 253, 254, 255]);
const empty = Buffer.alloc(0);
const big = Buffer.alloc(300000, 'sluice');
const held = (num) => ({ _placeholder: true, num });

for (const transports of WAYS) {
  const tag = transports.join('');

  test(`${transports.join(' then ')}: private, room and topic messages`, async () => {
    const [a, b, j] = ['ann', 'bob', 'json'].map((name) => `${name}-${tag}`);
    const ann = await enter(nodes[0], a, {}, { transports });
    const bob = await enter(nodes[1], b, {}, { transports });
    const shop = beside(bob, '/shop');
    await once(shop, 'connect');
    await emit(shop, 'login', { userId: `shop-${tag}` });
    const json = await login(nodes[1], j);
    const everybody = [ann, bob, shop];
    for (const s of everybody) {
      await emit(s, 'join', { room: tag });
      await emit(s, 'subscribe', { channel: `topic:${tag}` });
    }
    await json.emit('join', { room: tag });
    await json.emit('subscribe', { channel: `topic:${tag}` });

    const content = { file: bytes, more: [empty, { big }] };
    for (const receiverId of [b, j]) await emit(ann, 'private_message', { receiverId, content });
    const got = await next(bob, 'new_private_message');
    assert.deepEqual(got.content, content);
    assert.ok(!('bin' in got));
    const plain = (await json.next('new_private_message')).data;
    assert.deepEqual(plain.content, { file: held(0), more: [held(1), { big: held(2) }] });
    assert.deepEqual(plain.bin, [bytes, empty, big].map((part) => part.toString('base64')));

    await emit(ann, 'sendMessage', { message: bytes });
    for (const s of everybody) assert.deepEqual((await next(s, 'chatMessage')).message, bytes);
    assert.deepEqual((await json.next('chatMessage')).data.bin, [bytes.toString('base64')]);
    const { messages } = await emit(bob, 'history', { room: tag });
    assert.deepEqual(messages[0].bin, [bytes.toString('base64')]);

    await emit(bob, 'publish', { channel: `topic:${tag}`, data: { price: 1, image: bytes } });
    for (const s of everybody) {
      assert.deepEqual(await next(s, 'message'), { price: 1, image: bytes });
    }
    assert.deepEqual((await json.next('message')).data, {
      price: 1,
      image: held(0),
      bin: [bytes.toString('base64')],
    });
    await emit(bob, 'publish', { channel: `topic:${tag}`, data: bytes });
    assert.deepEqual(await next(ann, 'message'), bytes);

    await json.emit('private_message', { receiverId: a, content: held(0), bin: ['AAEC'] });
    assert.deepEqual((await next(ann, 'new_private_message')).content, Buffer.from([0, 1, 2]));
    // In order with what has none.
    for (let i = 0; i < 20; i++) ann.emit('sendMessage', { message: i % 2 ? i : Buffer.from([i]) });
    for (let i = 0; i < 20; i++) {
      const { message } = await next(bob, 'chatMessage');
      assert.deepEqual(message, i % 2 ? i : Buffer.from([i]));
    }
    for (const s of [ann, bob]) s.end();
    await json.close();
  });
}

test('what is no set of attachments stays as it is', async () => {
  const ann = await enter(nodes[0], 'ann', {}, { transports: ['websocket'] });
  const json = await login(nodes[1], 'json');
  const cases = [
    { content: 'x', bin: ['AAEC'] },
    { content: held(0), bin: ['AA=C'] },
    { content: held(0), bin: [] },
    { content: held(1), bin: ['AAEC'] },
    { content: [held(0), held(0)], bin: ['AAEC'] },
    { content: { '"bin":[': 1 } },
    // A client disconnects at more than 10.
    { content: Array.from({ length: 11 }, (_, i) => held(i)), bin: Array(11).fill('AAEC') },
  ];
  for (const data of cases) {
    await json.emit('private_message', { receiverId: 'ann', ...data });
    const { content, bin } = await next(ann, 'new_private_message');
    assert.deepEqual({ content, ...(bin && { bin }) }, data);
  }
  for (const bin of [1, 'x', [1], {}, null]) {
    const bad = json.emit('private_message', { receiverId: 'ann', content: 1, bin });
    await assert.rejects(bad, { code: 'bad_field', field: 'bin' });
  }
  ann.end();
  await json.close();
});

test('attachments where there can be none are an error', async () => {
  const ann = await enter(nodes[0], 'ann2');
  await emit(ann, 'join', { room: 'r' });
  const bad = (field, event, ...args) =>
    assert.rejects(emit(ann, event, ...args), { code: 'bad_field', field });
  await bad('data', 'heartbeat', bytes);
  await bad('data', 'login', { userId: bytes });
  await bad('message', 'sendMessage', bytes);
  await bad('message', 'sendMessage', { room: bytes, message: 'x' });
  await bad('content', 'private_message', { receiverId: 'x', content: bytes, more: bytes });
  await bad('data', 'publish', { channel: 'topic:t', data: [bytes] });
  await bad('data', 'no_such', bytes);
  await bad('message', 'sendMessage', { message: Array(11).fill(bytes) });
  await emit(ann, 'sendMessage', { message: Array(10).fill(bytes) });
  assert.deepEqual((await next(ann, 'chatMessage')).message, Array(10).fill(bytes));
  ann.emit('sendMessage', 'x', bytes);
  assert.equal((await next(ann, 'error')).code, 'bad_field');
  await emit(ann, 'sendMessage', 'fine');
  ann.end();
});
