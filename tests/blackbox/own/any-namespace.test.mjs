// `socketio-namespaces = *`: a namespace is there as soon as a client asks for it.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, test } from '../lib/harness.mjs';
import { comeBack, guest, QUICK } from '../lib/recovery.mjs';
import { beside, emit, front, next, once } from '../lib/socketio.mjs';

const { nodes, stop } = await cluster({ nodes: 2, args: [...QUICK, '--socketio-namespaces', '/fixed,*', '--guests'] });
after(stop);

test('more namespaces than have a form of their own, each with its rooms\' messages', async () => {
  const names = ['/fixed', ...Array.from({ length: 20 }, (_, i) => `/team-${i}`)];
  const one = await front(nodes[0]);
  const sockets = [one, ...names.map((nsp) => beside(one, nsp))];
  await Promise.all(sockets.slice(1).map((socket) => once(socket, 'connect')));
  for (const socket of sockets) await emit(socket, 'join', { room: 'r' });
  const bob = await front(nodes[1], { nsp: '/elsewhere' });
  await emit(bob, 'join', { room: 'r' });
  await emit(bob, 'sendMessage', { room: 'r', message: 'to all' });
  for (const socket of sockets) assert.equal((await next(socket, 'chatMessage')).message, 'to all');
  one.end();
  bob.end();
});

test('a session is in 32 at once, and in as many as it likes one after the other', async () => {
  const one = await front(nodes[0], { transports: ['websocket'] });
  const open = [];
  for (let i = 0; i < 31; i++) open.push(beside(one, `/s${i}`));
  await Promise.all(open.map((socket) => once(socket, 'connect')));
  const over = beside(one, '/over');
  assert.equal((await once(over, 'connect_error'))[0].message, 'Invalid namespace');
  for (let i = 0; i < 60; i++) {
    open.shift().disconnect();
    const socket = beside(one, `/later-${i}`);
    await once(socket, 'connect');
    assert.equal((await emit(socket, 'login', {})).userId, `guest-${socket.id}`);
    open.push(socket);
  }
  one.end();
});

test('what is no name is refused', async () => {
  const one = await front(nodes[0], { transports: ['websocket'] });
  for (const nsp of ['/a b', '/a"b', '/a\\b']) {
    const socket = one.io.socket(nsp);
    assert.equal((await once(socket, 'connect_error'))[0].message, 'Invalid namespace');
  }
  one.end();
});

test('a socket of such a namespace is recovered', async (t) => {
  const ann = await guest(t, nodes[0], null);
  const team = beside(ann, '/team-x');
  await once(team, 'connect');
  const { id } = team;
  await comeBack(ann, nodes[1]);
  if (!team.connected) await once(team, 'connect');
  assert.deepEqual([team.id, team.recovered], [id, true]);
  team.disconnect();
});
