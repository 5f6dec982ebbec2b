// max-connections-per-user: in the whole cluster, at every door; nodes that are gone do not count.
import assert from 'node:assert/strict';
import WebSocket from 'ws';
import { Sluice } from '../../../gateway/web/sluice.js';
import { cluster, connect, login, startNode, test, until } from '../lib/harness.mjs';
import { range, refused } from '../lib/frames.mjs';
import { connections, metric } from '../lib/registry.mjs';
import * as sio from '../lib/socketio.mjs';

const MOST = 4;
const args = ['--max-connections-per-user', String(MOST)];
const { redis, nodes, stop } = await cluster({ nodes: 2, args });
const conns = (user) => redis.cli('HLEN', `sluice:{user:${user}}:conns`).then(Number);
const limited = (node) => metric(node, 'sluice_limited_total', { limit: args[0].slice(2) });

async function fill(user, count = MOST) {
  const all = [];
  for (const i of range(1, count)) all.push(await login(nodes[i % 2], user));
  return all;
}

test('one more is too many, by login or join, on any node; the others are as they were', async () => {
  const before = [await limited(nodes[0]), await limited(nodes[1])];
  const all = await fill('ann');
  for (const node of nodes) {
    const late = await connect(node);
    await refused(late.emit('login', { userId: 'ann' }), 'too_many', 'userId');
    await refused(late.emit('join', { id: 'ann', room: 'r' }), 'too_many', 'id');
    assert.equal((await late.emit('login', { userId: 'other' })).userId, 'other'); // not closed
  }
  assert.equal(await conns('ann'), MOST);
  for (const client of all) await client.emit('login', { userId: 'ann' }); // counts once
  await all[0].close();
  await until(async () => (await conns('ann')) === MOST - 1);
  await login(nodes[0], 'ann');
  assert.deepEqual([await limited(nodes[0]), await limited(nodes[1])], before.map((n) => n + 2));
});

test('Socket.IO: by event, and by auth', async () => {
  await fill('bob');
  const late = await sio.front(nodes[0]);
  await assert.rejects(sio.emit(late, 'login', { userId: 'bob' }), { code: 'too_many' });
  late.end();
  const refusedToo = await sio.front(nodes[1], { auth: { userId: 'bob' }, wait: false });
  const [error] = await sio.once(refusedToo, 'connect_error');
  assert.equal(error.data.code, 'too_many');
  refusedToo.end();
});

test('raw connections count, and entries of nodes that are gone do not', async () => {
  const key = 'sluice:{user:cat}';
  for (const i of range(1, 30)) await redis.cli('HSET', `${key}:conns`, `gone-${i}`, `n9.gone 1 a ws`);
  for (const i of range(1, 30)) await redis.cli('HSET', `${key}:raw`, `gone-${i}`, `n9.gone 1 a c`);
  const cats = await fill('cat', MOST - 1);
  const entries = await connections(redis, 'cat');
  const live = entries.find(({ incarnation }) => incarnation !== 'n9.gone').incarnation;
  await redis.cli('HSET', `${key}:raw`, 'raw-1', `${live} 1 1.2.3.4:5 chat`);
  await assert.rejects(login(nodes[0], 'cat'), { code: 'too_many' });
  await redis.cli('HDEL', `${key}:raw`, 'raw-1');
  await login(nodes[1], 'cat');
  assert.equal(cats.length, MOST - 1);
});

test('connections of a node that was killed make room', async () => {
  const third = await startNode({ redis, args });
  for (const _ of range(1, MOST)) await login(third, 'dan');
  await assert.rejects(login(nodes[0], 'dan'), { code: 'too_many' });
  await third.kill();
  await until(() => login(nodes[0], 'dan').catch(() => false), { timeout: 30000 });
});

test('after Redis was away all are registered again, also those above a lower limit', async (t) => {
  const own = await cluster({ nodes: 1, args: ['--max-connections-per-user', '3'] });
  t.after(own.stop);
  const all = [];
  for (const _ of range(1, 3)) all.push(await login(own.nodes[0], 'eve'));
  await own.redis.cli('FLUSHALL');
  await own.redis.restart();
  const count = () => own.redis.cli('HLEN', 'sluice:{user:eve}:conns').then(Number, () => 0);
  await until(async () => (await count()) === 3, { timeout: 30000 });
  for (const client of all) assert.ok(client.isOpen);
});

test('the library waits, ever longer, and comes in when there is room', async () => {
  const all = await fill('fay');
  const logins = () => metric(nodes[0], 'sluice_events_total', { event: 'login' });
  const before = await logins();
  const options = { reconnect: { least: 500 }, WebSocket };
  const sluice = new Sluice(`${nodes[0].url}/ws`, { userId: 'fay' }, options);
  let hint;
  sluice.on('state', (state) => (hint = state.hint ?? hint));
  await until(() => /limit/.test(hint ?? ''));
  await all[0].close();
  await sluice.ready();
  assert.ok((await logins()) - before < 20);
  await sluice.close();
});

test('nothing is left', () => stop());
