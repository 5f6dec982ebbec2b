// The API closes connections: of a user, one alone, and all in a room.
import assert from 'node:assert/strict';
import { caller, isRefusal, withKeys } from '../lib/api.mjs';
import { cluster, login, test } from '../lib/harness.mjs';
import { guest } from '../lib/recovery.mjs';
import { beside, emit, enter, once } from '../lib/socketio.mjs';

const { args, env } = withKeys();
const SPACES = ['--socketio-namespaces', '/admin'];
const { nodes } = await cluster({ nodes: 2, args: [...args, ...SPACES], env });
const { call, good } = caller(nodes[0]);
const GONE = { code: 4000, reason: 'disconnected' };

test('one connection of /ws, by its id', async () => {
  for (const node of nodes) {
    const one = await login(node, 'ann');
    const other = await login(node, 'ann');
    assert.deepEqual(await good('POST', `/sockets/${one.ack.connectionId}/disconnect`), {});
    assert.deepEqual(await one.closed, GONE);
    await other.emit('heartbeat');
    other.terminate();
  }
  assert.deepEqual(await good('POST', '/sockets/nothing/disconnect'), {}, 'one that is gone is no error');
  isRefusal(await call('POST', '/sockets/a%20b/disconnect'), 400, 'bad_field', 'socket');
});

test('one socket of Socket.IO, by its id; its other namespaces stay', async () => {
  for (const node of nodes) {
    const socket = await enter(node, 'bob');
    const admin = beside(socket, '/admin');
    await once(admin, 'connect');
    await emit(admin, 'login', { userId: 'bob' });
    const [gone] = [once(socket, 'disconnect')];
    await good('POST', `/sockets/${socket.id}/disconnect`);
    assert.equal((await gone)[0], 'io server disconnect');
    await emit(admin, 'all_member', { room: 'x' }).catch(({ code }) => assert.equal(code, 'not_a_member'));
    const last = once(admin, 'disconnect');
    const closed = once(admin.io.engine, 'close');
    await good('POST', `/sockets/${admin.id}/disconnect`);
    assert.equal((await last)[0], 'io server disconnect');
    await closed;
  }
});

test('all in a room, on all nodes and doors, but those that are excepted', async () => {
  const inside = async (node, user) => {
    const client = await login(node, user);
    await client.emit('join', { room: 'den' });
    return client;
  };
  const [ann, bob, cat] = [await inside(nodes[0], 'ann'), await inside(nodes[1], 'bob'), await inside(nodes[1], 'cat')];
  const cat2 = await inside(nodes[0], 'cat');
  const spared = await inside(nodes[0], 'dan');
  const out = await login(nodes[0], 'ann');
  const eve = await enter(nodes[1], 'eve');
  await emit(eve, 'join', { room: 'den' });
  const gone = once(eve, 'disconnect');
  const except = ['user:cat', `socket:${spared.ack.connectionId}`];
  assert.deepEqual(await good('POST', '/rooms/den/disconnect', { except }), {});
  assert.deepEqual(await ann.closed, GONE);
  assert.deepEqual(await bob.closed, GONE);
  assert.equal((await gone)[0], 'io server disconnect');
  for (const client of [cat, cat2, spared, out]) await client.emit('heartbeat');
  await good('POST', '/rooms/den/disconnect');
  for (const client of [cat, cat2, spared]) assert.deepEqual(await client.closed, GONE);
  await out.emit('heartbeat');
  for (const wrong of [['den'], 'user:cat', ['user:a b'], ['room:x'], [1], Array(21).fill('user:x')]) {
    isRefusal(await call('POST', '/rooms/den/disconnect', { except: wrong }), 400, 'bad_field', 'except');
  }
});

test('a socket that the API closed is not recovered', async (t) => {
  const fay = await guest(t, nodes[0], 'fay', { fields: { room: 'den' } });
  const gone = once(fay, 'disconnect');
  await good('POST', '/users/fay/disconnect');
  assert.equal((await gone)[0], 'io server disconnect');
  const { pid } = fay;
  const back = once(fay, 'connect');
  fay.connect();
  await back;
  assert.equal(fay.recovered, false);
  assert.notEqual(fay.pid, pid);
});
