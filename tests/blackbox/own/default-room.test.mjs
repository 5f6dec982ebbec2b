// `default-room`: where a socket is that CONNECT logs in.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, connect, login, test } from '../lib/harness.mjs';
import { comeBack, guest, QUICK } from '../lib/recovery.mjs';
import { emit, front, next } from '../lib/socketio.mjs';
import { allowed, IDENTITY, token } from '../lib/token.mjs';

const ROOMS = ['--default-room', 'plaza', '--default-room', 'hall in /shop', '--socketio-namespaces', '/shop,/bare'];
const open = await cluster({ nodes: 2, args: [...QUICK, ...ROOMS, '--guests'] });
const keyed = await cluster({ nodes: 1, args: [...IDENTITY, ...ROOMS] });
const off = await cluster({ nodes: 1, args: ROOMS });
for (const { stop } of [open, keyed, off]) after(stop);

const rooms = async (socket) =>
  Object.keys((await emit(socket, 'login', {})).resume).filter((name) => name.startsWith('room:'));

test('a guest is in the room of its namespace before CONNECT is answered', async () => {
  const bob = await connect(open.nodes[1]);
  await bob.emit('login', { room: 'plaza' });
  const ann = await front(open.nodes[0], { wait: false, autoConnect: false });
  const said = emit(ann, 'sendMessage', 'hello'); // to the default room
  ann.connect();
  await said;
  const { data } = await bob.next('chatMessage');
  assert.deepEqual([data.room, data.userId], ['plaza', `guest-${ann.id}`]);
  assert.deepEqual(await rooms(ann), ['room:plaza']);
  for (const [nsp, wanted] of [['/shop', ['room:hall']], ['/bare', []]]) {
    const socket = await front(open.nodes[0], { nsp });
    assert.deepEqual(await rooms(socket), wanted);
    socket.end();
  }
  ann.end();
  await bob.close();
});

test('others hear of it', async () => {
  const bob = await connect(open.nodes[1]);
  await bob.emit('login', { room: 'plaza' });
  const ann = await front(open.nodes[0]);
  await bob.next('userJoined', { match: (frame) => frame.data.userId === `guest-${ann.id}` });
  ann.end();
  await bob.close();
});

test('who names a room is in that one, and a login by an event enters none', async () => {
  const [node] = keyed.nodes;
  const ann = await front(node, { auth: { token: token('ann'), room: 'own' } });
  assert.deepEqual(await rooms(ann), ['room:own']);
  const eve = await front(node, { auth: { token: token('eve') } });
  assert.deepEqual(await rooms(eve), ['room:plaza']);
  const ben = await front(node);
  await emit(ben, 'login', { token: token('ben') });
  assert.deepEqual(await rooms(ben), []);
  const zoe = await login(node, undefined, { token: token('zoe') });
  assert.deepEqual(Object.keys(zoe.ack.resume), ['user:zoe']);
  for (const socket of [ann, eve, ben]) socket.end();
  await zoe.close();
});

test('rights count: who may not be there is let in without it', async () => {
  const ann = await front(keyed.nodes[0], { auth: { token: allowed('amy', { rooms: ['x*'] }) } });
  assert.deepEqual(await rooms(ann), []);
  ann.end();
});

test('with identity off, a login by auth enters it', async () => {
  const [node] = off.nodes;
  const ann = await front(node, { auth: { userId: 'ann' } });
  assert.deepEqual(Object.keys((await emit(ann, 'login', { userId: 'ann' })).resume).sort(), ['room:plaza', 'user:ann']);
  ann.end();
});

test('a recovery brings back what was, and no more', async (t) => {
  const ann = await guest(t, open.nodes[0], null);
  await emit(ann, 'join', { room: 'r' });
  await emit(ann, 'leave', { room: 'plaza' });
  await comeBack(ann, open.nodes[1]);
  assert.deepEqual(await rooms(ann), ['room:r']);
});

test('what is no such list stops the start', async () => {
  for (const [value, why] of [['a b', /an entry is/], ['a in shop', /an entry is/], ['a in /x y', /an entry is/], ['{a}', /a room's name/], ['a\nb', /named twice/]]) {
    await assert.rejects(cluster({ nodes: 1, args: ['--default-room', value] }), why);
  }
});
