// POST .../revoke and .../disconnect: clients that are logged in, by every door, on any node.
import assert from 'node:assert/strict';
import { cluster, connect, login, request, startNode, test, until } from '../lib/harness.mjs';
import { nodeBehindProxy } from '../lib/proxy.mjs';
import { hash, metric } from '../lib/registry.mjs';
import { enter, front, once } from '../lib/socketio.mjs';
import { IDENTITY, seconds, token } from '../lib/token.mjs';

const KEY = 'an-api-key-of-the-tests-with-over-32-bytes';
const env = { SLUICE_API_KEY: KEY };
const PATIENT = ['--redis-timeout', '30s', '--lease-timeout', '60s'];
const args = [...IDENTITY, ...PATIENT, '--channels', 'events', '--max-connections-per-user', '0'];
const { redis, nodes } = await cluster({ nodes: 2, args, env });
const SOON = 1000 * Number(process.env.TEST_PATIENCE || 4);

async function ended(client) {
  await until(() => !client.isOpen, { what: 'the node closes it' });
  return client.closed;
}

const now = () => Math.floor(seconds());
const aged = (user, age, claims) => token(user, { iat: now() - age, ...claims });

async function post(user, verb, body, node = nodes[0]) {
  const where = `${node.url}/api/v1/users/${encodeURIComponent(user)}/${verb}`;
  const headers = { authorization: `Bearer ${KEY}` };
  const text = body && JSON.stringify(body);
  const answer = await request(where, { method: 'POST', headers, ...(text && { body: text }) });
  assert.equal(answer.status, 200, answer.body);
}

// Tokens that were issued more than 50 s ago are revoked, and each node has heard of it. A login
// that is under way when the news come is closed in place of being refused.
async function revokeOld(user) {
  const headers = { authorization: `Bearer ${aged(user, 100)}` };
  const witnesses = await Promise.all(nodes.map((node) => connect(node, { headers })));
  await post(user, 'revoke', { before: now() - 50 });
  for (const one of witnesses) assert.equal((await ended(one)).code, 4403);
}

// A client of each door of a node, logged in by this token.
async function clientsOf(node, user, text) {
  const headers = { authorization: `Bearer ${text}` };
  const shaken = await connect(node, { headers });
  await shaken.emit('login', {});
  const asked = await login(node, user, { token: text });
  const joined = await connect(node);
  await joined.emit('join', { room: 'r', token: text });
  const socket = await front(node, { auth: { token: text }, transports: ['websocket'] });
  const polled = await front(node, { auth: { token: text }, transports: ['polling'] });
  return { ws: [shaken, asked, joined], sio: [socket, polled] };
}

async function everywhere(user, text) {
  const all = await Promise.all(nodes.map((node) => clientsOf(node, user, text)));
  return { ws: all.flatMap(({ ws }) => ws), sio: all.flatMap(({ sio }) => sio) };
}

async function areClosed({ ws, sio }, act, code, reason) {
  const ends = sio.map((socket) => once(socket, 'disconnect'));
  await act();
  const began = Date.now();
  for (const client of ws) assert.deepEqual(await ended(client), { code, reason });
  await Promise.all(ends);
  assert.ok(Date.now() - began < SOON, `${Date.now() - began} ms`);
}

const areOpen = ({ ws, sio }) =>
  ws.every((client) => client.isOpen) && sio.every((socket) => socket.connected);

async function end({ ws, sio }) {
  for (const socket of sio) socket.end();
  await Promise.all(ws.map((client) => client.close()));
}

test('revoke: those of old tokens go, the others stay', async () => {
  const old = await everywhere('ann', aged('ann', 100));
  const timeless = await everywhere('ann', aged('ann', 0, { iat: undefined }));
  const young = await everywhere('ann', aged('ann', 10));
  const other = await everywhere('bob', aged('bob', 100));
  const affected = { ws: [...old.ws, ...timeless.ws], sio: [...old.sio, ...timeless.sio] };
  const act = () => post('ann', 'revoke', { before: now() - 50 });
  await areClosed(affected, act, 4403, 'revoked');
  assert.ok(areOpen(young) && areOpen(other));
  await until(async () => {
    const conns = Object.keys(await hash(redis, 'sluice:{user:ann}:conns'));
    return conns.length === young.ws.length + young.sio.length;
  });
  await areClosed(young, () => post('ann', 'revoke', undefined, nodes[1]), 4403, 'revoked');
  assert.ok(areOpen(other));
  await until(async () => (await redis.cli('ZSCORE', 'sluice:online', 'ann')) === '');
  await end(other);
});

test('a login, a join and a CONNECT with a revoked token are refused', async () => {
  await revokeOld('cat');
  const [bad, good] = [aged('cat', 60), aged('cat', 40)];
  for (const node of nodes) {
    const shaken = await connect(node, { headers: { authorization: `Bearer ${bad}` } });
    const plain = await connect(node);
    for (const [client, event, data] of [
      [shaken, 'login', {}],
      [shaken, 'join', { room: 'cellar' }],
      [plain, 'login', { token: bad }],
      [plain, 'join', { room: 'cellar', token: bad }],
    ]) {
      await assert.rejects(client.emit(event, data), { code: 'unauthorized', field: 'token' });
    }
    await plain.emit('login', { token: good });
    await Promise.all([shaken.close(), plain.close()]);
    const socket = await front(node, { auth: { token: bad }, wait: false });
    const [error] = await once(socket, 'connect_error');
    assert.equal(error.message, 'unauthorized');
    socket.end();
  }
  assert.equal(await redis.cli('EXISTS', 'sluice:{room:cellar}:members'), '0');
});

test('a login that is refused leaves the token of the handshake', async () => {
  await revokeOld('cyd');
  const headers = { authorization: `Bearer ${aged('cyd', 10)}` };
  const client = await connect(nodes[1], { headers });
  await assert.rejects(client.emit('login', { token: aged('cyd', 100) }), { message: 'revoked' });
  assert.equal((await client.emit('login', {})).userId, 'cyd');
  await client.close();
});

test('a refresh takes a newer token, and that one counts', async () => {
  const client = await login(nodes[0], 'dan', { token: aged('dan', 100) });
  const shaken = await connect(nodes[1], { headers: { authorization: `Bearer ${aged('dan', 100)}` } });
  await shaken.emit('login', {});
  for (const one of [client, shaken]) await one.emit('refresh', { token: aged('dan', 10) });
  await post('dan', 'revoke', { before: now() - 50 });
  await assert.rejects(client.emit('refresh', { token: aged('dan', 60) }), { code: 'unauthorized' });
  for (const one of [client, shaken]) assert.ok(one.isOpen);
  await Promise.all([client.close(), shaken.close()]);
});

test('disconnect closes them all, and refuses nobody', async () => {
  const all = await everywhere('eve', aged('eve', 10));
  const other = await everywhere('fay', aged('fay', 10));
  await areClosed(all, () => post('eve', 'disconnect'), 4000, 'disconnected');
  assert.ok(areOpen(other));
  await end(await everywhere('eve', aged('eve', 10)));
  await end(other);
});

test('with identity off: disconnect closes, revoke closes nobody', async (t) => {
  const plain = await startNode({ redis, env });
  t.after(() => plain.stop());
  const client = await login(plain, 'gus');
  const socket = await enter(plain, 'gus');
  await post('gus', 'revoke', undefined, plain);
  await client.emit('heartbeat');
  assert.ok(client.isOpen && socket.connected);
  const act = () => post('gus', 'disconnect', undefined, plain);
  await areClosed({ ws: [client], sio: [socket] }, act, 4000, 'disconnected');
  await (await login(plain, 'gus')).close();
});

test('a login that Redis has answered before the news, and the node after it', async (t) => {
  const { proxy, node } = await nodeBehindProxy(redis, { args, env });
  t.after(async () => {
    await node.stop();
    proxy.close();
  });
  const text = aged('hal', 100, { sluice: { channels: ['*'] } });
  const headers = { authorization: `Bearer ${text}` };
  // Redis has the scripts from here on, so that one answer is all that is waited for.
  await (await connect(node, { path: '/channels/events', headers })).close();
  await (await login(node, 'hal', { token: text })).close();
  const parts = ['conns', 'raw'].map((part) => `sluice:{user:hal}:${part}`);
  const counts = async () =>
    (await Promise.all(parts.map((key) => redis.cli('HLEN', key)))).join();
  await until(async () => (await counts()) === '0,0');
  const witness = await connect(node, { headers });
  const client = await connect(node);
  const release = proxy.hold({ link: 'commands' });
  const answer = client.emit('login', { token: text }).catch((error) => error);
  const raw = connect(node, { path: '/channels/events', headers }).catch((error) => error);
  await until(async () => (await counts()) === '1,1');
  await post('hal', 'revoke');
  assert.equal((await ended(witness)).code, 4403); // the news have come
  release();
  assert.equal((await ended(client)).code, 4403);
  await answer;
  assert.equal((await raw).status, 401);
  await until(async () => (await counts()) === '0,0');
});

test('a refresh that Redis has answered before the news, and the node after it', async (t) => {
  const { proxy, node } = await nodeBehindProxy(redis, { args, env });
  t.after(async () => {
    await node.stop();
    proxy.close();
  });
  await redis.cli('CONFIG', 'SET', 'slowlog-log-slower-than', '0');
  for (const event of ['refresh', 'login', 'join']) {
    const user = `hob-${event}`;
    const iat = now() - 1000.125;
    const client = await login(node, user, { token: aged(user, 10) });
    const old = await login(node, user, { token: aged(user, 1000) });
    const release = proxy.hold({ link: 'commands' });
    const asked = client.emit(event, { token: token(user, { iat }) });
    asked.catch(() => {});
    await until(async () => (await redis.cli('SLOWLOG', 'GET', '128')).includes(String(iat * 1000)));
    await post(user, 'revoke', { before: now() - 500 });
    assert.deepEqual(await ended(old), { code: 4403, reason: 'revoked' });
    release();
    await assert.rejects(asked, { code: 'unauthorized', field: 'token', message: 'revoked' });
    await client.emit('join', { room: 'r' });
    await client.close();
  }
  await redis.cli('CONFIG', 'SET', 'slowlog-log-slower-than', '10000');
});

test('a node whose link was down finds out when it is back', async (t) => {
  const { proxy, node } = await nodeBehindProxy(redis, { args, env });
  t.after(async () => {
    await node.stop();
    proxy.close();
  });
  for (const link of ['subscriber', 'all']) {
    const old = await clientsOf(node, 'ida', aged('ida', 100));
    const young = await clientsOf(node, 'ida', aged('ida', 10));
    const act = async () => {
      proxy.refusing = true;
      proxy.cut({ link });
      if (link === 'all') await until(async () => (await metric(node, 'sluice_redis_up')) === 0);
      await post('ida', 'revoke', { before: now() - 50 });
      assert.ok(areOpen(old));
      proxy.refusing = false;
    };
    await areClosed(old, act, 4403, 'revoked');
    assert.ok(areOpen(young));
    await node.untilReady();
    await end(young);
    await redis.cli('DEL', 'sluice:{user:ida}:revoked');
  }
});
