// `connect-hook`: the back end says who somebody is that comes without a token.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after } from 'node:test';
import { cluster, connect, test, until } from '../lib/harness.mjs';
import { away, back as comesBack, comeBack, guest, QUICK } from '../lib/recovery.mjs';
import { startBackend } from '../lib/hooks.mjs';
import { emit, front, next, once } from '../lib/socketio.mjs';
import { IDENTITY, seconds, token } from '../lib/token.mjs';

const KEY = 'k'.repeat(40);
const secret = 's'.repeat(32);
let answer = () => ({});
const hook = await startBackend({ secret, answer: (body) => answer(body) });
const args = [...QUICK, '--connect-hook', `${hook.url}/connect`, '--hook-secret', secret, '--api-key', KEY, '--channels', 'open', '--socketio-namespaces', '/shop', '--hook-headers', 'cookie,x-tenant'];
const plain = await cluster({ nodes: 2, args });
const mixed = await cluster({ nodes: 1, args: [...args, ...IDENTITY, '--guests', '--default-room', 'plaza'] });
after(plain.stop);
after(mixed.stop);
const { redis, nodes } = plain;

const refusal = async (node, auth, options = {}) => {
  const socket = await front(node, { wait: false, autoConnect: false, auth, ...options });
  socket.connect();
  const [error] = await once(socket, 'connect_error');
  socket.end();
  return error;
};
const rooms = async (socket) =>
  Object.keys((await emit(socket, 'login', {})).resume).filter((name) => name.startsWith('room:')).sort();
const last = () => hook.calls.at(-1).body;

test('it is told who comes, and its answer logs the socket in', async () => {
  answer = () => ({ user: 'ann', username: 'Ann', role: 'admin', data: { plan: 'pro' }, join: ['one', 'two'], state: { n: 1 } });
  const ann = await front(nodes[0], {
    auth: { ticket: 7, userId: 'eve', room: 'x' },
    query: { v: '2', 'a b': 'ü&' },
    extraHeaders: { cookie: 'sid=abc', 'x-tenant': 't1', 'x-other': 'no' },
  });
  const { body, headers, path } = hook.calls.at(-1);
  assert.equal(path, '/hooks/connect');
  assert.match(headers['sluice-signature'], /^t=\d+,v1=/);
  assert.deepEqual([headers.cookie, headers['x-tenant'], headers['x-other']], ['sid=abc', 't1', undefined]);
  assert.deepEqual({ ...body, id: '', time: 0 }, {
    id: '', type: 'connect', time: 0, socket: ann.id, node: 'n1', door: 'socketio', namespace: '/',
    address: '127.0.0.1', auth: { ticket: 7, userId: 'eve', room: 'x' }, query: { v: '2', 'a b': 'ü&' }, recovered: false,
  });
  const ack = await emit(ann, 'login', {});
  assert.deepEqual([ack.userId, ack.data, Object.keys(ack.resume).sort()], ['ann', { plan: 'pro' }, ['room:one', 'room:two', 'user:ann']]);
  assert.equal((await redis.cli('HMGET', 'sluice:{user:ann}:profile', 'username', 'role')).replace('\n', ' '), 'Ann admin');
  const bob = await front(nodes[1], { auth: {} });
  await emit(ann, 'sendMessage', 'to the default room');
  assert.equal((await next(bob, 'chatMessage')).room, 'one');
  await assert.rejects(emit(ann, 'login', { userId: 'eve' }), { code: 'forbidden' });
  ann.end();
  bob.end();
});

test('each namespace asks', async () => {
  answer = (body) => ({ user: body.namespace === '/' ? 'ann' : 'shopper' });
  const ann = await front(nodes[0]);
  const shop = ann.io.socket('/shop', { auth: { s: 1 } });
  await once(shop, 'connect');
  assert.deepEqual([last().namespace, last().auth], ['/shop', { s: 1 }]);
  assert.equal((await emit(shop, 'login', {})).userId, 'shopper');
  ann.end();
});

test('what it refuses is a connect_error with its words', async () => {
  const tries = [
    [{ status: 401, body: '' }, 'unauthorized', (data) => data.code === 'unauthorized'],
    [{ status: 403, body: { error: { code: 'banned', message: 'You are banned', data: { until: 9 } } } }, 'You are banned', (data) => data.until === 9],
    [{ status: 401, body: { error: { code: 'x', message: 'no data' } } }, 'no data', (data) => data === undefined],
    [{ status: 409, body: { error: { code: 'full', message: 'Game is full' } } }, 'Game is full', () => true],
  ];
  for (const [said, message, good] of tries) {
    answer = () => said;
    const error = await refusal(nodes[0], {});
    assert.equal(error.message, message);
    assert.ok(good(error.data), JSON.stringify(error.data));
  }
  answer = () => ({});
  assert.equal((await refusal(nodes[0], {})).message, 'unauthorized', 'nobody is named, and there are no guests');
});

test('a back end that is away, or talks nonsense, ends the transport', async () => {
  for (const said of [{ status: 500, body: 'x' }, 'no json', { user: 'a b' }, { user: 'a', join: 'x' }, { user: 'a', emit: [{}] }, { user: 'a', expires: 'soon' }]) {
    answer = () => said;
    const socket = await front(nodes[0], { wait: false, autoConnect: false, transports: ['websocket'] });
    const closed = new Promise((resolve) => socket.io.on('close', resolve));
    socket.on('connect', () => assert.fail(`let in by ${JSON.stringify(said)}`));
    socket.on('connect_error', () => assert.fail('an error would be final'));
    socket.connect();
    await closed;
    socket.end();
  }
  answer = () => ({ user: 'ann' });
  await until(() => front(nodes[1], { auth: {} }).then((socket) => (socket.end(), true)));
});

test('a room that it names needs no right, as long as the connection is in it', async () => {
  answer = () => ({ user: 'gus', grants: { rooms: ['pub-*'] }, join: ['vip'] });
  const gus = await front(nodes[0], { transports: ['websocket'] });
  assert.deepEqual(await rooms(gus), ['room:vip']);
  await emit(gus, 'sendMessage', { room: 'vip', message: 'hello' });
  await emit(gus, 'join', { room: 'pub-1' });
  await assert.rejects(emit(gus, 'join', { room: 'other' }), { code: 'forbidden' });
  await emit(gus, 'leave', { room: 'vip' });
  await assert.rejects(emit(gus, 'sendMessage', { room: 'vip', message: 'again' }), { code: 'forbidden' });
  gus.end();
});

test('emit leaves after CONNECT', async () => {
  answer = (body) => ({ user: 'emi', join: ['e'], emit: [{ to: 'me', event: 'welcome', args: [1, body.socket] }, { to: 'room:e', event: 'came', data: 'emi', except: ['me'] }] });
  const first = await front(nodes[1]);
  const emi = await front(nodes[0], { wait: false, autoConnect: false });
  const got = [];
  emi.on('connect', () => got.push('connect'));
  emi.onAny((event) => got.push(event));
  emi.connect();
  await once(emi, 'connect');
  assert.equal(await next(emi, 'welcome', { match: (n, id) => n === 1 && id === emi.id }), 1);
  assert.equal(got[0], 'connect');
  assert.equal(await next(first, 'came'), 'emi');
  emi.end();
  first.end();
});

test('/ws asks at the first login or join, whose data is auth', async () => {
  answer = (body) => ({ user: 'web', data: 5, join: ['w'], state: body.auth });
  for (const event of ['login', 'join']) {
    const web = await connect(nodes[0], { path: '/ws?v=3', headers: { cookie: 'sid=w' } });
    const count = hook.calls.length;
    const ack = await web.emit(event, { room: 'r', ticket: 't' });
    const { body, headers } = hook.calls.at(-1);
    assert.equal(hook.calls.length, count + 1);
    assert.deepEqual([body.door, body.namespace, body.auth, body.query, headers.cookie], ['json', '/', { room: 'r', ticket: 't' }, { v: '3' }, 'sid=w']);
    if (event === 'login') {
      assert.deepEqual([ack.userId, ack.data, body.socket], ['web', 5, ack.connectionId]);
      assert.deepEqual(Object.keys(ack.resume).sort(), ['room:r', 'room:w', 'user:web']);
    }
    await web.emit('login', {});
    assert.equal(hook.calls.length, count + 1, 'once');
    await web.close();
  }
  const eve = await connect(nodes[0]);
  await assert.rejects(eve.emit('login', { userId: 'eve' }), { code: 'forbidden' });
  answer = () => ({ status: 403, body: { error: { code: 'banned', message: 'Banned', data: { x: 1 } } } });
  await assert.rejects(eve.emit('login', {}), { code: 'banned', message: 'Banned', data: { x: 1 } });
  answer = () => ({ status: 503, body: '' });
  await assert.rejects(eve.emit('login', {}), { code: 'unavailable', outcome: 'unknown' });
  answer = () => ({ user: 'eve' });
  assert.equal((await eve.emit('login', {})).userId, 'eve', 'and it may try again');
  await eve.close();
});

const upgrade = (node, path, headers = {}) =>
  new Promise((resolve) => {
    const request = http.get(`${node.url}${path}`, { headers: { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': 13, 'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==', ...headers } });
    request.on('response', (response) => resolve(response.statusCode));
    request.on('upgrade', (response, socket) => (socket.destroy(), resolve(response.statusCode)));
  });

test('raw channels ask at the handshake', async () => {
  answer = (body) => ({ user: 'raw', grants: { channels: ['open'] }, state: body });
  assert.equal(await upgrade(nodes[0], '/channels/open?x=1', { cookie: 'sid=r' }), 101);
  const { body, headers } = hook.calls.at(-1);
  assert.deepEqual([body.door, body.query, headers.cookie], ['raw', { x: '1' }, 'sid=r']);
  answer = () => ({ user: 'raw' });
  assert.equal(await upgrade(nodes[0], '/channels/open'), 403);
  answer = () => ({ status: 401, body: '' });
  assert.equal(await upgrade(nodes[0], '/channels/open'), 401);
  answer = () => ({ status: 502, body: '' });
  assert.equal(await upgrade(nodes[0], '/channels/open'), 503);
});

test('a token comes first, a bad one is refused, and no user is a guest', async () => {
  const [node] = mixed.nodes;
  answer = () => ({});
  let count = hook.calls.length;
  const ann = await front(node, { auth: { token: token('ann'), room: 'r' } });
  assert.equal((await emit(ann, 'login', {})).userId, 'ann');
  assert.equal((await refusal(node, { token: 'x' })).message, 'unauthorized');
  assert.equal(hook.calls.length, count);
  const bob = await front(node, { auth: { userId: 'bob' } });
  assert.equal(hook.calls.length, count + 1);
  assert.equal((await emit(bob, 'login', {})).userId, `guest-${bob.id}`);
  assert.deepEqual(await rooms(bob), ['room:plaza'], 'the default room');
  answer = () => ({ user: 'cat', join: ['c'] });
  const cat = await front(node);
  assert.deepEqual(await rooms(cat), ['room:c'], 'no default room beside those of the answer');
  answer = () => ({ user: 'guest-cat' });
  const closed = await front(node, { wait: false, autoConnect: false, transports: ['websocket'] });
  closed.connect();
  await new Promise((resolve) => closed.io.on('close', resolve));
  for (const socket of [ann, bob, cat, closed]) socket.end();
});

test('a client that comes back is asked about with what it was, and goes on as the same user only', async (t) => {
  answer = (body) => (body.recovered ? { user: 'rex' } : { user: 'rex', join: ['den'], grants: { rooms: [] }, state: { n: 1 } });
  const rex = await guest(t, nodes[0], null);
  const { id } = rex;
  const eve = await connect(nodes[1]);
  answer = (body) => (body.door === 'json' ? { user: 'eve', grants: { rooms: ['*'] } } : { user: 'rex', grants: { rooms: [] } });
  await eve.emit('login', { room: 'den' });
  await eve.emit('sendMessage', { room: 'den', message: 'zero' });
  await next(rex, 'chatMessage');
  for (const node of [nodes[1], nodes[0]]) {
    await comeBack(rex, node, { meanwhile: () => eve.emit('sendMessage', { room: 'den', message: node.url }) });
    const { body } = hook.calls.at(-1);
    assert.deepEqual([body.recovered, body.socket, body.previous, body.state], [true, id, { user: 'rex', socket: id }, { n: 1 }]);
    assert.ok(await next(rex, 'chatMessage', { match: (data) => data.message === node.url }), 'the room that it was let into, without a right');
    await emit(rex, 'sendMessage', { room: 'den', message: 'mine' });
  }
  await away(rex);
  const count = hook.calls.length;
  answer = () => ({ user: 'other', grants: { rooms: ['*'] } });
  assert.equal(await comesBack(rex, nodes[1]), false);
  const [asked, again] = hook.calls.slice(count).map((call) => call.body);
  assert.deepEqual([asked.recovered, asked.socket, again.recovered, again.socket], [true, id, false, rex.id]);
  assert.deepEqual(again.previous, { user: 'rex', socket: id });
  assert.equal((await emit(rex, 'login', {})).userId, 'other');
  await eve.close();
});

test('when what it said ends, it is asked again', async () => {
  let refreshed = 0;
  answer = (body) => {
    refreshed += body.refresh === true;
    return { user: 'tim', expires: seconds() + 1.2, join: refreshed ? ['later'] : [] };
  };
  const tim = await front(nodes[0], { transports: ['websocket'] });
  const web = await connect(nodes[0]);
  await web.emit('login', {});
  await until(() => refreshed >= 4, { timeout: 15000 });
  assert.deepEqual([last().previous.user, last().refresh], ['tim', true]);
  await until(async () => (await rooms(tim)).includes('room:later'));
  answer = () => ({ status: 403, body: '' });
  const [[why], { code }] = await Promise.all([once(tim, 'disconnect', 15000), web.closed]);
  assert.deepEqual([why, code], ['transport close', 4401]);
});

test('what was revoked since is asked again', async () => {
  answer = () => ({ user: 'rev' });
  const first = await front(nodes[0], { transports: ['websocket'] });
  const gone = once(first, 'disconnect');
  const answered = await fetch(`${nodes[1].url}/api/v1/users/rev/revoke`, { method: 'POST', headers: { authorization: `Bearer ${KEY}` } });
  assert.equal(answered.status, 200);
  await gone;
  const second = await front(nodes[1], { transports: ['websocket'] });
  assert.equal((await emit(second, 'login', {})).userId, 'rev');
  second.end();
});
