// HTTP answers that wait for Redis: order, peers that go, Redis that stalls or is away.
import assert from 'node:assert/strict';
import net from 'node:net';
import { cluster, login, test, until } from '../lib/harness.mjs';
import { nodeBehindProxy } from '../lib/proxy.mjs';
import { scores } from '../lib/registry.mjs';

const TOKEN = 'a-token-of-the-test';
const bearer = { authorization: `Bearer ${TOKEN}` };
const { redis, nodes } = await cluster({ nodes: 1, env: { SLUICE_ADMIN_TOKEN: TOKEN } });
const [plain] = nodes;

// A node behind a proxy to Redis.
async function behind(t, args = []) {
  const { proxy, node } = await nodeBehindProxy(redis, { args, env: { SLUICE_ADMIN_TOKEN: TOKEN } });
  t.after(async () => {
    await node.stop();
    proxy.close();
  });
  return { node, proxy };
}

const ask = (path) => `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`;

// A connection that keeps what comes: { socket, text(), closed }.
function open(node) {
  const socket = net.connect(node.port, '127.0.0.1');
  const self = { socket, closed: false, text: () => Buffer.concat(chunks).toString() };
  const chunks = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.on('error', () => {});
  socket.on('close', () => (self.closed = true));
  return self;
}

const statuses = (text) =>
  [...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map((match) => Number(match[1]));

test('pipelined requests are answered in order, and the connection stays', async (t) => {
  const { node, proxy } = await behind(t);
  const ann = await login(node, 'ann');
  proxy.delay = 50;
  const peer = open(node);
  const paths = ['/api/v1/users/ann', '/healthz', '/api/v1/online', '/api/v1/cluster', '/readyz'];
  peer.socket.write([...paths, ...paths].map(ask).join(''));
  await until(() => statuses(peer.text()).length === 10);
  assert.deepEqual(statuses(peer.text()), Array(10).fill(200));
  const words = ['"username"', '"status":"ok"', '"more":', '"lease_timeout_ms"', '"ready":true}\n'];
  const order = [...peer.text().matchAll(new RegExp(words.join('|'), 'g'))];
  assert.deepEqual(
    order.map(([word]) => word),
    [...words, ...words],
  );
  peer.socket.write(ask('/api/v1/users/nobody') + ask('/healthz'));
  await until(() => statuses(peer.text()).length === 12); // after a body was read, it can go on
  assert.deepEqual(statuses(peer.text()).slice(10), [404, 200]);
  peer.socket.destroy();
  await ann.close();
});

test('who goes before the answer harms nobody', async (t) => {
  const { node, proxy } = await behind(t);
  proxy.delay = 100;
  const path = ['/api/v1/cluster', '/api/v1/online', '/api/v1/users/ann'];
  for (let i = 0; i < 60; i++) {
    const peer = open(node);
    await until(() => !peer.socket.connecting);
    peer.socket.write(ask(path[i % 3]) + ask('/healthz'));
    if (i % 4 === 0) peer.socket.end();
    else if (i % 2) peer.socket.resetAndDestroy();
    else setTimeout(() => peer.socket.resetAndDestroy(), i * 3);
  }
  assert.equal((await node.get('/api/v1/cluster', { headers: bearer })).status, 200);
  await until(async () => (await node.health()).connections === 1, {
    what: 'all those connections are gone',
  });
});

const partly = { single: 'a Cluster answers with what it has' };

test('Redis stops during the read: 503 in time; it comes back: 200', partly, async (t) => {
  const { node, proxy } = await behind(t, [
    '--redis-timeout',
    '500ms',
    '--lease-interval',
    '200ms',
  ]);
  proxy.stall({ direction: 'toNode' });
  const paths = ['/api/v1/cluster', '/api/v1/cluster', '/api/v1/online', '/api/v1/users/ann'];
  const answers = await Promise.all(paths.map((path) => node.get(path, { headers: bearer })));
  for (const { status, json } of answers) {
    assert.equal(status, 503);
    assert.equal(json().error.code, 'unavailable');
  }
  // The stalled links are found out and remade.
  await until(async () => (await node.get('/api/v1/cluster', { headers: bearer })).status === 200);
  for (const path of paths.slice(0, 3)) {
    assert.equal((await node.get(path, { headers: bearer })).status, 200, path);
  }
});

test('a node that ends while answers wait', async () => {
  const { proxy, node } = await nodeBehindProxy(redis, { env: { SLUICE_ADMIN_TOKEN: TOKEN } });
  proxy.stall({ direction: 'toNode' });
  const peers = ['/api/v1/cluster', '/api/v1/online', '/api/v1/users/ann'].map((path) => {
    const peer = open(node);
    peer.socket.write(ask(path));
    return peer;
  });
  await until(async () => (await node.health()).connections === 4);
  await node.stop(); // with leaks looked for
  await until(() => peers.every(({ closed }) => closed));
  proxy.close();
});

test('without Redis: 503 at once', async (t) => {
  const { node, proxy } = await behind(t);
  assert.equal((await node.get('/api/v1/cluster', { headers: bearer })).status, 200);
  proxy.refusing = true;
  proxy.cut();
  await node.untilNotReady();
  for (const path of ['/api/v1/cluster', '/api/v1/online', '/api/v1/users/ann']) {
    const { status, json } = await node.get(path, { headers: bearer });
    assert.equal(status, 503);
    assert.equal(json().error.code, 'unavailable');
  }
  proxy.refusing = false;
  await until(async () => (await node.get('/api/v1/cluster', { headers: bearer })).status === 200);
  assert.equal((await plain.get('/api/v1/cluster', { headers: bearer })).status, 200);
});

test('a full Redis: the leases go on, and the view too', async (t) => {
  const ann = await login(plain, 'full');
  await ann.emit('join', { room: 'before' });
  t.after(() => redis.cli('CONFIG', 'SET', 'maxmemory', '0'));
  await redis.cli('CONFIG', 'SET', 'maxmemory', '1');
  const sent = ann.emit('sendMessage', { room: 'before', message: 'x' });
  await assert.rejects(sent, { code: 'unavailable', outcome: 'refused' });
  const { incarnation } = await plain.health();
  const lease = async () => (await scores(redis, 'sluice:nodes'))[incarnation];
  for (let before = await lease(), i = 0; i < 3; i++) {
    await until(async () => (await lease()) > before + 900);
    before = await lease();
    const told = await until(async () => {
      const seen = (await plain.get('/api/v1/cluster', { headers: bearer })).json();
      const servers = seen.redis.masters ?? [seen.redis];
      return servers.every(({ maxmemory }) => maxmemory === 1) && seen;
    });
    const mine = told.nodes.find((node) => node.incarnation === incarnation);
    assert.ok(mine.lease_age_ms < 10000, `${mine.lease_age_ms} ms`);
  }
  // If it was too full for the index of rooms, that is told again.
  await redis.cli('CONFIG', 'SET', 'maxmemory', '0');
  await until(async () => (await scores(redis, 'sluice:rooms')).before === 1, { timeout: 30000 });
});
