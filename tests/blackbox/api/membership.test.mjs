// A back end makes users members of rooms, and takes them out: those that are there, those that are
// away and come back by `resume` or a recovery, and those without a right.
import assert from 'node:assert/strict';
import { caller, isRefusal, keyOf, withKeys } from '../lib/api.mjs';
import { chatTexts, range, refused } from '../lib/frames.mjs';
import { cluster, login, startNode, test, until } from '../lib/harness.mjs';
import { guest } from '../lib/recovery.mjs';
import { emit, enter, next, once } from '../lib/socketio.mjs';
import { allowed, IDENTITY } from '../lib/token.mjs';

const { args, env } = withKeys({ desk: 'users', eyes: 'read' });
const { redis, nodes } = await cluster({ nodes: 2, args: [...args, '--max-rooms', '5'], env });
const { call, good } = caller(nodes[0], { key: keyOf('desk') });
const { good: read } = caller(nodes[1], { key: keyOf('eyes') });
const put = (user, room) => good('PUT', `/rooms/${room}/members/${encodeURIComponent(user)}`);
const remove = (user, room) => good('DELETE', `/rooms/${room}/members/${encodeURIComponent(user)}`);
const say = (room, message) => good('POST', '/messages/room', { senderId: 'host', room, message });
const members = async (room) => (await read('GET', `/rooms/${room}/members`)).members.map(({ id }) => id).sort();
const joins = (room) => ({ match: ({ data }) => data.room === room });
const heard = (client, text) => client.next('chatMessage', { match: ({ data }) => data.message === text });

test('a user that is online: all connections enter, on all nodes and doors', async () => {
  await put('host', 'den');
  const ann = [await login(nodes[0], 'ann'), await login(nodes[1], 'ann')];
  const front = await enter(nodes[1], 'ann');
  await say('den', 'before');
  assert.deepEqual(await put('ann', 'den'), {});
  for (const client of ann) {
    const frame = await client.next('joined');
    assert.equal(frame.channel, 'user:ann');
    assert.deepEqual(Object.keys(frame.data), ['room', 'epoch', 'seq']);
    assert.deepEqual([frame.data.room, frame.data.seq], ['den', 1]);
  }
  assert.equal((await next(front, 'joined')).room, 'den');
  await say('den', 'after');
  for (const client of ann) {
    await heard(client, 'after');
    assert.deepEqual(chatTexts(client), ['after']);
  }
  for (const client of ann) await client.emit('sendMessage', { room: 'den', message: 'mine' });
  await next(front, 'chatMessage', { match: ({ message }) => message === 'after' });
  assert.deepEqual(await members('den'), ['ann', 'host']);
  await put('ann', 'den');
  for (const client of ann) await client.next('joined');
  await say('den', 'again');
  for (const client of ann) await heard(client, 'again');
  assert.equal(chatTexts(ann[0]).filter((text) => text === 'again').length, 1);

  assert.deepEqual(await remove('ann', 'den'), {});
  for (const client of ann) {
    await client.next('userLeft', { match: ({ channel, data }) => channel === 'user:ann' && data.userId === 'ann' });
    await until(async () => client.emit('sendMessage', { room: 'den', message: 'x' }).catch(({ code }) => code === 'not_a_member'));
  }
  await say('den', 'without');
  await put('ann', 'end');
  for (const client of ann) {
    await client.next('joined', joins('end'));
    assert.ok(!chatTexts(client).includes('without'));
  }
  assert.deepEqual(await members('den'), ['host']);
  assert.ok(!front.got.some(({ args }) => args[0]?.message === 'without'));
  for (const client of ann) client.terminate();
  front.end();
});

test('the default room stays', async () => {
  const bob = await login(nodes[0], 'bob');
  await bob.emit('join', { room: 'home' });
  await put('bob', 'den');
  await bob.next('joined');
  const { seq } = await bob.emit('sendMessage', 'hello');
  const { data } = await bob.next('chatMessage');
  assert.deepEqual([data.room, data.seq], ['home', seq]);
  bob.terminate();
});

test('a user that is away hears of it by `resume`, and what was said since', async () => {
  const cat = await login(nodes[0], 'cat');
  await cat.emit('join', { room: 'home' });
  const { positions } = cat;
  cat.terminate();
  await put('cat', 'den');
  await remove('cat', 'home');
  for (const i of range(1, 3)) await say('den', `away ${i}`);
  const back = await login(nodes[1], 'cat', { resume: positions });
  assert.deepEqual(back.ack.lost, ['room:home'], 'the room that the API took is not entered again');
  assert.equal(back.ack.recovered, false);
  await back.next('joined', joins('den'));
  await back.next('userLeft', joins('home'));
  await heard(back, 'away 3');
  assert.deepEqual(chatTexts(back), ['away 1', 'away 2', 'away 3']);
  await refused(back.emit('sendMessage', { room: 'home', message: 'x' }), 'not_a_member');
  assert.deepEqual(await members('home'), ['bob']);
  await back.emit('join', { room: 'home' });
  assert.deepEqual(await members('home'), ['bob', 'cat'], 'to join is to be in again');
  back.terminate();
  const once = await login(nodes[0], 'cat', { resume: back.positions });
  assert.equal(once.ack.recovered, true);
  await once.emit('sendMessage', { room: 'home', message: 'x' });
  once.terminate();
});

test('and by a recovery of Socket.IO', async (t) => {
  const dan = await guest(t, nodes[0], 'dan', { fields: { room: 'home' } });
  await emit(dan, 'sendMessage', { room: 'home', message: 'an offset' });
  await until(() => dan.heard.some(({ offset }) => offset));
  const back = once(dan, 'connect');
  dan.door.cut();
  await put('dan', 'den');
  await say('den', 'to dan');
  await back;
  assert.equal(dan.recovered, true);
  await until(() => dan.heard.some(({ event, data }) => event === 'joined' && data.room === 'den'));
  await until(() => dan.heard.some(({ data }) => data?.message === 'to dan'));
  await say('den', 'more');
  await until(() => dan.heard.some(({ data }) => data?.message === 'more'));
});

test('who was put in, and taken out again while away, is out', async () => {
  const eve = await login(nodes[0], 'eve');
  const { resume } = eve.ack;
  eve.terminate();
  await put('eve', 'den');
  await remove('eve', 'den');
  const back = await login(nodes[1], 'eve', { resume });
  await back.next('joined', joins('den'));
  await back.next('userLeft', joins('den'));
  await refused(back.emit('sendMessage', { room: 'den', message: 'x' }), 'not_a_member');
  await say('den', 'not for eve');
  await back.none('chatMessage');
  back.terminate();
});

test('a connection without a right to the room does not enter, and is not told', async (t) => {
  const node = await startNode({ redis, args: [...IDENTITY, ...args], env });
  t.after(() => node.stop());
  const rights = (rooms) => allowed('fay', { rooms });
  const may = await login(node, 'fay', { token: rights(['d*']) });
  const mayNot = await login(node, 'fay', { token: rights(['x']) });
  await put('fay', 'den');
  await may.next('joined');
  await put('fay', 'x');
  await mayNot.next('joined', joins('x'));
  assert.equal(mayNot.take('joined').length, 0);
  await may.none('joined');
  await say('den', 'secret');
  await heard(may, 'secret');
  await mayNot.none('chatMessage');
  for (const client of [may, mayNot]) client.terminate();
});

test('too many rooms, and what is refused', async () => {
  for (const i of range(1, 5)) await put('gil', `r${i}`);
  isRefusal(await call('PUT', '/rooms/r6/members/gil'), 409, 'too_many', 'user');
  await put('gil', 'r5');
  await remove('gil', 'r1');
  await put('gil', 'r6');
  const gil = await login(nodes[0], 'gil');
  assert.deepEqual(gil.take('joined'), [], 'a newcomer is told nothing of before');
  gil.terminate();
  assert.deepEqual(await remove('nobody', 'nowhere'), {});
  for (const method of ['PUT', 'DELETE']) {
    isRefusal(await call(method, '/rooms/a%20b/members/gil'), 400, 'bad_field', 'room');
    isRefusal(await call(method, '/rooms/den/members/a%20b'), 400, 'bad_field', 'user');
    isRefusal(await call(method, '/rooms/den/members/gil', undefined, { key: keyOf('eyes') }), 403, 'forbidden');
  }
  isRefusal(await call('POST', '/rooms/den/members/gil'), 405, 'bad_method');
  assert.equal((await call('GET', '/rooms/den/members/gil')).headers.allow, 'PUT, DELETE');
});

test('nobody else can say so', async () => {
  const ida = await login(nodes[0], 'ida');
  const body = { channel: 'user:ida', event: 'joined', data: { room: 'den', epoch: 'x', seq: 0 } };
  isRefusal(await caller(nodes[0]).call('POST', '/publish', body), 400, 'bad_field', 'event');
  await ida.none('joined');
  ida.terminate();
});

test('503 while Redis is away', async (t) => {
  await redis.kill();
  t.after(async () => {
    await redis.restart();
    for (const node of nodes) await node.untilReady();
  });
  await nodes[0].untilNotReady();
  for (const method of ['PUT', 'DELETE']) isRefusal(await call(method, '/rooms/den/members/ann'), 503, 'unavailable');
});
