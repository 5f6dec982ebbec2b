// What `auth` of the official client does at CONNECT, and events that come before the login.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, connect, login, startNode, startRedis, test } from '../lib/harness.mjs';
import { emit, enter, front, next, once, WAYS } from '../lib/socketio.mjs';
import { startDoor } from '../lib/roaming.mjs';

const { redis, nodes, stop } = await cluster({ nodes: 2, args: ['--socketio-namespaces', '/shop', '--socketio-ping-interval', '3s'] });
after(stop);

const texts = (socket, count) => {
  const all = async () => {
    const got = [];
    while (got.length < count) got.push((await next(socket, 'chatMessage')).message);
    return got;
  };
  return all();
};

for (const transports of WAYS) {
  const way = transports.join(' then ');
  const tag = transports.join('-');

  test(`${way}: auth logs in before what was buffered`, async () => {
    const bob = await enter(nodes[1], `bob-${tag}`);
    await emit(bob, 'join', { room: `r-${tag}` });
    const auth = { userId: `ann-${tag}`, username: 'Ann', csId: tag, room: `r-${tag}` };
    const ann = await front(nodes[0], { wait: false, autoConnect: false, transports, auth });
    const said = ['one', 'two', 'three'];
    for (const text of said) ann.emit('sendMessage', text); // to the room that it is in last
    ann.connect();
    await once(ann, 'connect');
    assert.deepEqual(await texts(bob, 3), said);
    assert.deepEqual(await texts(ann, 3), said);
    // What it is told as it comes, it is told behind the answer.
    await next(ann, 'onlineUsers', { match: (ids) => ids.includes(`bob-${tag}`) });
    await next(ann, 'Online_user', { match: (ids) => ids.includes(`ann-${tag}`) });
    await next(bob, 'userJoined', { match: ({ userId }) => userId === `ann-${tag}` });
    const members = await emit(ann, 'all_member', { room: `r-${tag}` });
    assert.equal(members.find(({ id }) => id === `ann-${tag}`).username, 'Ann');
    const again = await emit(ann, 'login', { userId: `ann-${tag}`, csId: tag });
    assert.equal(again.userId, `ann-${tag}`);
    await assert.rejects(emit(ann, 'login', { userId: 'other' }), { code: 'already_logged_in' });
    for (const s of [ann, bob]) s.end();
  });

  test(`${way}: events before the login wait for it, in order`, async () => {
    const bob = await enter(nodes[1], `bob2-${tag}`);
    await emit(bob, 'join', { room: `e-${tag}` });
    const ann = await front(nodes[0], { wait: false, autoConnect: false, transports });
    ann.on('connect', () => ann.emit('login', { userId: `ann2-${tag}` }));
    ann.emit('join', { room: `e-${tag}` });
    const acks = [1, 2, 3].map((n) => emit(ann, 'sendMessage', `early ${n}`));
    ann.connect();
    await once(ann, 'connect');
    ann.emit('sendMessage', 'late');
    assert.deepEqual((await Promise.all(acks)).map(({ seq }) => seq), [1, 2, 3]);
    assert.deepEqual(await texts(bob, 4), ['early 1', 'early 2', 'early 3', 'late']);
    for (const s of [ann, bob]) s.end();
  });
}

test('no login comes: each early event fails, in order, and the connection goes on', async () => {
  const ann = await front(nodes[0]);
  const acks = [];
  for (let n = 0; n < 3; n++) ann.emit('sendMessage', `x${n}`, (answer) => acks.push([n, answer.error.code]));
  ann.emit('typing', { room: 'r', clientMessageId: 'c1' });
  const told = await next(ann, 'error');
  assert.deepEqual([told.code, told.event, told.clientMessageId], ['not_logged_in', 'typing', 'c1']);
  assert.deepEqual(acks, [0, 1, 2].map((n) => [n, 'not_logged_in']));
  assert.equal((await emit(ann, 'login', { userId: 'late' })).userId, 'late');
  ann.end();
});

test('a login that fails fails the events that wait for it', async () => {
  const ann = await front(nodes[0]);
  const early = emit(ann, 'sendMessage', 'x');
  await assert.rejects(emit(ann, 'login', { userId: '' }), { code: 'bad_field' });
  await assert.rejects(early, { code: 'not_logged_in' });
  await assert.rejects(emit(ann, 'sendMessage', 'y'), { code: 'not_logged_in' });
  await once(ann.io.engine, 'ping');
  assert.deepEqual(await emit(ann, 'heartbeat'), {});
  ann.end();
});

test('more than 256 KiB do not wait: what is behind them fails, what is before is stored', async () => {
  const bob = await enter(nodes[1], 'bob-full');
  await emit(bob, 'join', { room: 'full' });
  const ann = await front(nodes[0]);
  ann.emit('join', { room: 'full' });
  const big = 'x'.repeat(15000); // one before the login may have 16 KiB
  const sizes = [...Array(18).fill(big), ''];
  const acks = sizes.map((text, n) => emit(ann, 'sendMessage', { n, message: `${n}${text}` }));
  const codes = Promise.all(acks.map((ack) => ack.then(({ seq }) => seq, ({ code }) => code)));
  await assert.rejects(acks[17], { code: 'not_logged_in' });
  await assert.rejects(acks[18], { code: 'not_logged_in' });
  await emit(ann, 'login', { userId: 'ann-full' });
  const stored = (await codes).filter(Number.isInteger);
  assert.ok(stored.length >= 16, `${stored.length} of 15,000 bytes waited`);
  const failed = Array(19 - stored.length).fill('not_logged_in');
  assert.deepEqual(await codes, [...stored.map((_, i) => i + 1), ...failed]);
  for (const s of [ann, bob]) s.end();
});

test('on /ws an event before the login is refused at once', async () => {
  const json = await connect(nodes[0]);
  await assert.rejects(json.emit('sendMessage', 'x'), { code: 'not_logged_in' });
  await json.close();
});

for (const [field, auth] of [
  ['userId', { userId: '' }],
  ['userId', { userId: {} }],
  ['userId', { userId: 'a b' }],
  ['csId', { userId: 'w', csId: [] }],
  ['room', { userId: 'w', room: 'a b' }],
  ['room', { userId: 'w', room: 7.5 }],
  ['username', { userId: 'w', username: 5 }],
  ['recovery', { recovery: 'yes' }],
  ['errors', { errors: 'both' }],
]) {
  test(`auth ${JSON.stringify(auth)}: CONNECT_ERROR of ${field}`, async () => {
    const ann = await front(nodes[0], { wait: false, auth });
    const [error] = await once(ann, 'connect_error');
    assert.deepEqual([error.data.code, error.data.field], ['bad_field', field]);
    assert.equal(error.message, error.data.message);
    ann.auth = { userId: null, token: 'of something else', recovery: null };
    ann.connect();
    await once(ann, 'connect');
    assert.equal((await emit(ann, 'login', { userId: 'whoever' })).userId, 'whoever');
    ann.end();
  });
}

test('each namespace has its own auth; both are there', async () => {
  const ann = await front(nodes[0], { auth: { userId: 'main' } });
  const shop = ann.io.socket('/shop', { auth: { userId: 'shop' } });
  await once(shop, 'connect');
  const bob = await enter(nodes[1], 'bob-nsp');
  for (const receiverId of ['main', 'shop']) {
    assert.equal((await emit(bob, 'private_message', { receiverId, content: 'x' })).delivered, true);
  }
  for (const s of [ann, bob]) s.end();
});

test('recovery wins over the login; what cannot be recovered is logged in', async () => {
  const door = await startDoor(nodes[0]);
  const where = { url: `http://127.0.0.1:${door.port}` };
  const options = { reconnection: true, reconnectionDelay: 20, transports: ['websocket'] };
  const ann = await front(where, { ...options, auth: { userId: 'back', room: 'first' } });
  await emit(ann, 'join', { room: 'second' });
  const json = await login(nodes[1], 'json-back');
  await json.emit('join', { room: 'second' });
  await json.emit('sendMessage', { room: 'second', message: 'before' });
  assert.equal((await next(ann, 'chatMessage')).message, 'before');
  const back = once(ann, 'connect');
  ann.io.engine.transport.ws.terminate();
  await back;
  assert.equal(ann.recovered, true);
  await json.emit('sendMessage', { room: 'second', message: 'after' });
  assert.equal((await next(ann, 'chatMessage')).message, 'after');
  const anew = once(ann, 'connect');
  const gone = once(ann, 'disconnect');
  await redis.cli('EVAL', "for _, k in ipairs(redis.call('KEYS', 'sluice:{sio:*')) do redis.call('DEL', k) end", 0);
  ann.io.engine.transport.ws.terminate();
  await gone;
  await anew;
  assert.equal(ann.recovered, false);
  assert.equal((await emit(ann, 'sendMessage', { room: 'first', message: 'here' })).seq, 1);
  ann.end();
  await json.close();
  await door.close();
});

test('Redis is away at CONNECT: the login waits for it', async (t) => {
  const own = await startRedis();
  const node = await startNode({ redis: own });
  t.after(async () => {
    await node.stop();
    await own.stop();
  });
  await own.stop();
  await node.untilNotReady();
  const ann = await front(node, { wait: false, auth: { userId: 'ann' } });
  const connected = once(ann, 'connect', 30000);
  await once(ann.io.engine, 'packetCreate');
  ann.emit('sendMessage', 'x');
  await own.restart();
  await connected;
  assert.equal((await emit(ann, 'login', { userId: 'ann' })).userId, 'ann');
  ann.end();
});
