// CONNECT of Socket.IO with identity on: `auth: { token }`, and recovery.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, login, sleep, test } from '../lib/harness.mjs';
import { emit, front, next, once, WAYS } from '../lib/socketio.mjs';
import { allowed, forged, IDENTITY, seconds, token } from '../lib/token.mjs';

const args = [...IDENTITY, '--socketio-namespaces', '/shop', '--jwt-leeway', '1s'];
const { redis, nodes, stop } = await cluster({ nodes: 2, args });
after(stop);

const refused = async (auth, options) => {
  const socket = await front(nodes[1], { wait: false, autoConnect: false, auth, ...options });
  socket.connect();
  const [error] = await once(socket, 'connect_error');
  socket.end();
  return error;
};

for (const transports of WAYS) {
  const way = transports.join(' then ');
  const tag = transports.join('-');

  test(`${way}: a token logs the socket in before what was buffered`, async () => {
    const bob = await login(nodes[1], undefined, { token: token(`bob-${tag}`) });
    await bob.emit('join', { room: `r-${tag}` });
    for (const extra of [{}, { userId: `ann-${tag}` }]) {
      const auth = { token: token(`ann-${tag}`), csId: tag, room: `r-${tag}`, ...extra };
      const ann = await front(nodes[0], { wait: false, autoConnect: false, transports, auth });
      ann.emit('sendMessage', 'buffered');
      ann.connect();
      await once(ann, 'connect');
      assert.equal((await bob.next('chatMessage')).data.userId, `ann-${tag}`);
      await next(ann, 'Online_user', { match: (ids) => ids.includes(`ann-${tag}`) });
      assert.equal((await emit(ann, 'login', { token: token(`ann-${tag}`) })).userId, `ann-${tag}`);
      ann.end();
    }
    await bob.close();
  });

  test(`${way}: a bad token is a connect_error`, async () => {
    const bad = [forged('ann'), token('ann', { exp: seconds() - 60 }), '', 7, {}];
    for (const auth of [...bad.map((one) => ({ token: one })), { userId: 'ann' }, { userId: 'ann', token: null }]) {
      const error = await refused(auth, { transports });
      assert.equal(error.message, 'unauthorized');
      assert.deepEqual(Object.keys(error.data), ['code', 'message']);
      assert.equal(error.data.code, 'unauthorized');
    }
  });

  test(`${way}: who comes without a token may log in by an event`, async () => {
    const ann = await front(nodes[0], { transports, extraHeaders: { authorization: `Bearer ${token('head')}` } });
    await assert.rejects(emit(ann, 'login', { userId: 'head' }), { code: 'unauthorized', field: 'token' }, 'HTTP headers are not looked at');
    const early = emit(ann, 'join', { room: 'early' });
    assert.equal((await emit(ann, 'login', { token: token(`late-${tag}`) })).userId, `late-${tag}`);
    assert.equal((await early).room, 'early');
    ann.end();
  });
}

test('another user, or a room without a right, is a connect_error', async () => {
  for (const [auth, field] of [
    [{ token: token('ann'), userId: 'bob' }, 'userId'],
    [{ token: allowed('ann', { rooms: ['x'] }), room: 'r' }, 'room'],
    [{ token: allowed('ann', { rooms: ['x'] }), csId: 'x' }, 'csId'],
  ]) {
    const error = await refused(auth);
    assert.deepEqual([error.data.code, error.data.field], ['forbidden', field]);
  }
});

test('a token that was revoked is a connect_error', async () => {
  await redis.cli('SET', 'sluice:{user:gone}:revoked', Math.floor(seconds()));
  const error = await refused({ token: token('gone', { iat: seconds() - 60 }) });
  assert.deepEqual(error.data, { code: 'unauthorized', message: 'revoked' });
});

test('each namespace has a token of its own, and its end ends that namespace alone', async () => {
  const ann = await front(nodes[0], { auth: { token: token('ann') }, transports: ['websocket'] });
  const shop = ann.io.socket('/shop', { auth: { token: token('bob', { exp: seconds() + 3 }) } });
  const came = [];
  shop.onAny((event) => came.push(event));
  await once(shop, 'connect');
  const [why] = await once(shop, 'disconnect', 20000);
  assert.equal(why, 'io server disconnect');
  assert.deepEqual(came.filter((event) => event === 'error'), ['error']);
  assert.ok(ann.connected);
  assert.equal((await emit(ann, 'login', {})).userId, 'ann');
  shop.auth = { token: token('bob') };
  shop.connect();
  await once(shop, 'connect');
  assert.equal((await emit(shop, 'login', {})).userId, 'bob');
  ann.end();
});

// ---- recovery

const OFFICIAL = { transports: ['websocket'] };

// Ann, in two rooms and a topic, with a message of each that she has; then cut off. Resolves to the
// auth with which she comes back, and Bob, who goes on.
async function cutOff(user, first = token(user)) {
  const bob = await login(nodes[1], undefined, { token: allowed(`bob-${user}`, { publish: ['*'] }) });
  const ann = await front(nodes[0], { ...OFFICIAL, auth: { token: first } });
  for (const room of ['a', 'b']) {
    await emit(ann, 'join', { room: `${room}-${user}` });
    await bob.emit('join', { room: `${room}-${user}` });
  }
  await emit(ann, 'subscribe', { channel: `topic:${user}` });
  await bob.emit('sendMessage', { room: `a-${user}`, message: 'one' });
  await next(ann, 'chatMessage');
  const back = { pid: ann._pid, offset: ann._lastOffset };
  assert.ok(back.pid && back.offset);
  ann.io.engine.transport.ws ? ann.io.engine.transport.ws.terminate() : ann.io.engine.close();
  await once(ann, 'disconnect');
  for (const room of ['a', 'b']) await bob.emit('sendMessage', { room: `${room}-${user}`, message: `two in ${room}` });
  await bob.emit('publish', { channel: `topic:${user}`, data: 'two in t' });
  return { back, bob };
}

// The official client shows `recovered` if the pid is the one that it had.
async function come({ pid, offset, ...auth }, node = nodes[1]) {
  const socket = await front(node, { ...OFFICIAL, auth, wait: false, autoConnect: false });
  Object.assign(socket, { _pid: pid, _lastOffset: offset });
  socket.connect();
  await once(socket, 'connect');
  return socket;
}
const heard = (socket) =>
  socket.got.flatMap(({ event, args: [data] }) => (event === 'chatMessage' ? [data.message] : event === 'message' ? [data] : []));

async function untilHeard(socket, wanted) {
  for (let i = 0; i < 500 && heard(socket).length < wanted.length; i++) await sleep(20);
  assert.deepEqual(heard(socket).sort(), [...wanted].sort());
}

test('a recovery with a token of the same user', async () => {
  const { back, bob } = await cutOff('u1');
  const ann = await come({ ...back, token: token('u1') });
  assert.ok(ann.recovered);
  await untilHeard(ann, ['two in a', 'two in b', 'two in t']);
  assert.equal((await emit(ann, 'login', {})).userId, 'u1');
  ann.end();
  await bob.close();
});

test('a recovery leaves out the channels to which the new token gives no right', async () => {
  const { back, bob } = await cutOff('u2');
  const ann = await come({ ...back, token: allowed('u2', { rooms: ['a-u2', 'lobby'], subscribe: [] }) });
  assert.ok(ann.recovered);
  await untilHeard(ann, ['two in a']);
  await bob.emit('sendMessage', { room: 'b-u2', message: 'three in b' });
  await bob.emit('publish', { channel: 'topic:u2', data: 'three in t' });
  await bob.emit('sendMessage', { room: 'a-u2', message: 'three in a' });
  await untilHeard(ann, ['two in a', 'three in a']);
  await assert.rejects(emit(ann, 'sendMessage', { room: 'b-u2', message: 1 }), { code: 'forbidden' });
  await assert.rejects(emit(ann, 'sendMessage', 'to the default room'), { code: 'not_a_member' });
  const { resume } = await emit(ann, 'login', {});
  assert.deepEqual(Object.keys(resume).sort(), ['room:a-u2', 'user:u2']);
  // It is left out of the next recovery, too.
  const later = { pid: ann._pid, offset: ann._lastOffset };
  ann.io.engine.transport.ws.terminate();
  await once(ann, 'disconnect');
  const again = await come({ ...later, token: token('u2') }, nodes[0]);
  assert.ok(again.recovered);
  assert.deepEqual(Object.keys((await emit(again, 'login', {})).resume).sort(), ['room:a-u2', 'user:u2']);
  again.end();
  await bob.close();
});

test('without a token, or with another user\'s, the socket is a fresh one, and the session is left alone', async () => {
  const { back, bob } = await cutOff('u3');
  const stranger = await come(back);
  assert.ok(!stranger.recovered);
  await assert.rejects(emit(stranger, 'unsubscribe', { channel: 'topic:t' }), { code: 'not_logged_in' });
  const other = await come({ ...back, token: token('mallory') });
  assert.ok(!other.recovered);
  assert.equal((await emit(other, 'login', {})).userId, 'mallory');
  assert.deepEqual([...heard(stranger), ...heard(other)], []);
  const error = await refused({ ...back, token: forged('u3') }, OFFICIAL);
  assert.equal(error.message, 'unauthorized');
  const ann = await come({ ...back, token: token('u3') });
  assert.ok(ann.recovered);
  await untilHeard(ann, ['two in a', 'two in b', 'two in t']);
  for (const socket of [stranger, other, ann]) socket.end();
  await bob.close();
});

test('a recovery that names another user is a connect_error, and leaves the session alone', async () => {
  const { back, bob } = await cutOff('u5');
  for (const [userId, code] of [['mallory', 'forbidden'], [{}, 'bad_field']]) {
    const { data } = await refused({ ...back, token: token('u5'), userId }, OFFICIAL);
    assert.deepEqual([data.code, data.field], [code, 'userId']);
  }
  const ann = await come({ ...back, token: token('u5'), userId: 'u5' });
  assert.ok(ann.recovered);
  await untilHeard(ann, ['two in a', 'two in b', 'two in t']);
  ann.end();
  await bob.close();
});

test('a recovery with a token that was revoked is a connect_error', async () => {
  const old = token('u4', { iat: seconds() - 60 });
  const { back, bob } = await cutOff('u4', old);
  await redis.cli('SET', 'sluice:{user:u4}:revoked', Math.floor(seconds()));
  assert.deepEqual((await refused({ ...back, token: old }, OFFICIAL)).data, { code: 'unauthorized', message: 'revoked' });
  await bob.close();
});
