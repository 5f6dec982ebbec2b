// `guests`: who brings no token has a user of its own, for as long as it is connected.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, connect, login, request, test, until } from '../lib/harness.mjs';
import { back, away, comeBack, comeBackUnknown, guest, QUICK } from '../lib/recovery.mjs';
import { emit, enter, front, next, once, WAYS } from '../lib/socketio.mjs';
import { IDENTITY, token } from '../lib/token.mjs';

const GUESTS = ['--guests', '--channels', 'open,news', '--linger', '200ms'];
const open = await cluster({ nodes: 2, args: [...QUICK, ...GUESTS, '--socketio-recovery', '4s'] });
const keyed = await cluster({ nodes: 1, args: [...IDENTITY, ...GUESTS, '--grants', 'rooms=r*;private=*;subscribe=;publish=;channels=open'] });
after(open.stop);
after(keyed.stop);
const { redis, nodes } = open;

const refusedConnect = async (node, auth) => {
  const socket = await front(node, { wait: false, autoConnect: false, auth });
  socket.connect();
  const [error] = await once(socket, 'connect_error');
  socket.end();
  return error;
};

for (const transports of WAYS) {
  test(`${transports.join(' then ')}: CONNECT logs a guest in`, async () => {
    const auth = { userId: 'bob', csId: 'c', room: 'x', username: 'Bob', role: 'admin' };
    const ann = await front(nodes[0], { wait: false, autoConnect: false, transports, auth });
    const early = emit(ann, 'join', { room: 'r' });
    ann.connect();
    assert.equal((await early).room, 'r');
    const ack = await emit(ann, 'login', {});
    assert.equal(ack.userId, `guest-${ann.id}`);
    assert.deepEqual(Object.keys(ack.resume).sort(), ['room:r', `user:guest-${ann.id}`], 'its room in auth means nothing');
    const profile = await redis.cli('HMGET', `sluice:{user:${ack.userId}}:profile`, 'username', 'role');
    assert.deepEqual(profile.split('\n'), [ack.userId, 'user']);
    await assert.rejects(emit(ann, 'login', { userId: 'bob' }), { code: 'forbidden', field: 'userId' });
    await assert.rejects(emit(ann, 'join', { id: 'bob', room: 'r' }), { code: 'forbidden', field: 'id' });
    await assert.rejects(emit(ann, 'refresh', { token: 'x' }), { code: 'unauthorized', field: 'token' });
    ann.end();
  });
}

test('on /ws the first login or join makes a guest, which names nobody', async () => {
  for (const event of ['login', 'join']) {
    const ann = await connect(nodes[0]);
    await assert.rejects(ann.emit(event, event === 'login' ? { userId: 'bob' } : { id: 'bob', room: 'r' }), { code: 'forbidden' });
    await assert.rejects(ann.emit('sendMessage', { room: 'r', message: 1 }), { code: 'not_logged_in' });
    await ann.emit(event, { room: 'r', username: 'Ann' });
    const { userId, connectionId } = await ann.emit('login', {});
    assert.equal(userId, `guest-${connectionId}`);
    const bob = await connect(nodes[1]);
    await bob.emit('login', { room: 'r' });
    await bob.emit('private_message', { receiverId: userId, content: 'hello' });
    assert.equal((await ann.next('new_private_message')).data.content, 'hello');
    await ann.close();
    await bob.close();
  }
});

test('without a key, tokens are not looked at', async () => {
  const ann = await front(nodes[0], { auth: { token: 'nonsense' } });
  assert.equal((await emit(ann, 'login', { token: 'nonsense' })).userId, `guest-${ann.id}`);
  ann.end();
  const bob = await connect(nodes[0], { headers: { authorization: 'Bearer nonsense' } });
  assert.match((await bob.emit('login', { token: 'nonsense' })).userId, /^guest-/);
  await bob.close();
});

test('with a key, a token comes first', async () => {
  const [node] = keyed.nodes;
  const ann = await front(node, { auth: { token: token('ann'), room: 'r' } });
  const ack = await emit(ann, 'login', {});
  assert.deepEqual([ack.userId, Object.keys(ack.resume).sort()], ['ann', ['room:r', 'user:ann']]);
  const bad = await refusedConnect(node, { token: 'nonsense' });
  assert.deepEqual([bad.message, bad.data.code], ['unauthorized', 'unauthorized']);
  const named = await refusedConnect(node, { token: token('guest-ann') });
  assert.match(named.data.message, /guest/);
  const bob = await front(node);
  assert.equal((await emit(bob, 'login', {})).userId, `guest-${bob.id}`);
  await assert.rejects(emit(bob, 'login', { token: token('bob') }), { code: 'forbidden', field: 'token' });
  await assert.rejects(emit(bob, 'refresh', { token: token('bob') }), { code: 'forbidden' });
  await assert.rejects(emit(bob, 'refresh', {}), { code: 'unauthorized' });
  await assert.rejects(emit(bob, 'join', { room: 'x' }), { code: 'forbidden', field: 'room' });
  await emit(bob, 'join', { room: 'r' });
  const eve = await login(node, undefined, { token: token('eve') });
  assert.equal(eve.ack.userId, 'eve');
  for (const socket of [ann, bob]) socket.end();
  await eve.close();
});

test('raw channels take guests in, with the rights of grants', async () => {
  const [node] = keyed.nodes;
  const status = async (path, headers) => {
    const ws = await connect(node, { path, headers }).catch((error) => error);
    const got = ws.status ?? (ws instanceof Error ? ws.message : 101);
    await ws.close?.();
    return got;
  };
  assert.equal(await status('/channels/open'), 101);
  assert.match(String(await status('/channels/news')), /403/);
  assert.match(String(await status('/channels/open', { authorization: 'Bearer x' })), /401/);
  assert.match(String(await status('/channels/open', { authorization: `Bearer ${token('guest-1')}` })), /401/);
  const raw = await connect(node, { path: '/channels/open' });
  const keys = async () => (await keyed.redis.cli('KEYS', 'sluice:{user:guest-*}:raw')).split('\n').filter(Boolean);
  await until(async () => (await keys()).length === 1);
  const [key] = await keys();
  const id = key.match(/guest-(.*)}/)[1];
  assert.equal(await keyed.redis.cli('HKEYS', key), id);
  await raw.close();
});

test('its memberships and its inbox end with it', async (t) => {
  const bob = await connect(nodes[1]);
  await bob.emit('login', { room: 'ends' });
  const ann = await guest(t, nodes[0], null);
  await emit(ann, 'join', { room: 'ends' });
  await emit(ann, 'join', { room: 'other' });
  const user = `guest-${ann.id}`;
  await bob.emit('private_message', { receiverId: user, content: 'one' });
  await next(ann, 'new_private_message');
  const member = (room) => redis.cli('ZSCORE', `sluice:{room:${room}}:members`, user);
  assert.notEqual(await member('ends'), '');
  const went = bob.next('userLeft', { match: (frame) => frame.data.userId === user && frame.data.left !== 0, timeout: 20000 });
  ann.disconnect();
  await went;
  await until(async () => (await member('ends')) === '' && (await member('other')) === '', { timeout: 20000 });
  await until(async () => (await redis.cli('KEYS', `sluice:{user:${user}}*`)).replace(/.*:(stamp|pending)/g, '').trim() === '', { timeout: 20000 });
  await until(async () => (await redis.cli('ZCARD', 'sluice:guests')) === '0', { timeout: 20000 });
  await bob.close();
});

test('a guest that comes back in time is the same, with its rooms and what it missed', async (t) => {
  const bob = await connect(nodes[1]);
  await bob.emit('login', { room: 'back' });
  const ann = await guest(t, nodes[0], null);
  await emit(ann, 'join', { room: 'back' });
  await bob.emit('sendMessage', { room: 'back', message: 'zero' });
  await next(ann, 'chatMessage');
  const { id } = ann;
  for (const node of [nodes[1], nodes[0]]) {
    await comeBack(ann, node, {
      meanwhile: async () => {
        await bob.emit('sendMessage', { room: 'back', message: node.url });
        await bob.emit('private_message', { receiverId: `guest-${id}`, content: node.url });
      },
    });
    assert.equal((await next(ann, 'chatMessage')).message, node.url);
    assert.equal((await next(ann, 'new_private_message')).content, node.url);
    assert.equal((await emit(ann, 'login', {})).userId, `guest-${id}`);
  }
  await away(ann);
  await until(async () => (await redis.cli('ZSCORE', 'sluice:{room:back}:members', `guest-${id}`)) === '', { timeout: 20000 });
  assert.equal(await back(ann), false);
  assert.equal((await emit(ann, 'login', {})).userId, `guest-${ann.id}`);
  assert.notEqual(ann.id, id);
  await bob.close();
});

test('nobody is recovered as another: a guest as a user, a user as a guest', async () => {
  const [node] = keyed.nodes;
  const cut = async (auth) => {
    const socket = await front(node, { transports: ['websocket'], auth });
    await emit(socket, 'join', { room: 'r' });
    const pid = socket._pid;
    assert.ok(pid);
    socket.io.engine.transport.ws.terminate();
    await once(socket, 'disconnect');
    return { pid, id: socket.id };
  };
  const auth = { token: token('ann') };
  const ann = await cut(auth);
  const eve = await front(node, { transports: ['websocket'], auth: { pid: ann.pid } });
  assert.equal((await emit(eve, 'login', {})).userId, `guest-${eve.id}`);
  const again = await front(node, { transports: ['websocket'], auth: { ...auth, pid: ann.pid } });
  assert.equal(again.recovered, false, 'the claim asks for the user');
  const zoe = await cut({});
  const bob = await front(node, { transports: ['websocket'], auth: { ...auth, pid: zoe.pid } });
  assert.equal((await emit(bob, 'login', {})).userId, 'ann');
  for (const socket of [eve, again, bob]) socket.end();
});

test('a revoked guest is closed, and does not come back as itself', async (t) => {
  const { nodes: [node], stop } = await cluster({ nodes: 1, args: [...QUICK, ...GUESTS, '--api-key', 'k'.repeat(40)] });
  t.after(stop);
  const ann = await guest(t, node, null);
  const { id, pid } = ann;
  const ended = once(ann, 'disconnect');
  const answer = await fetch(`${node.url}/api/v1/users/guest-${id}/revoke`, { method: 'POST', headers: { authorization: `Bearer ${'k'.repeat(40)}` } });
  assert.equal(answer.status, 200);
  assert.deepEqual(await ended.then(([why]) => why), 'io server disconnect');
  const eve = await front(node, { transports: ['websocket'], auth: { pid, offset: ann._lastOffset } });
  assert.notEqual(eve.id, id);
  eve.end();
});

test('identity is on: an address of its own is served, and a deadline holds who does not log in', async (t) => {
  const { nodes: [node], stop } = await cluster({ nodes: 1, args: [...GUESTS, '--login-deadline', '300ms'] });
  t.after(stop);
  const ann = await front(node);
  const bob = await connect(node);
  assert.equal((await bob.closed).code, 4408);
  assert.ok(ann.connected, 'a guest of Socket.IO needs no login');
  assert.equal((await emit(ann, 'login', {})).userId, `guest-${ann.id}`);
  assert.match(node.log(), /authentication_on/);
  ann.end();
});
