// POST .../revoke and .../disconnect: connections whose token came with their handshake, on any
// node, and handshakes after it.
import assert from 'node:assert/strict';
import { cluster, connect, request, test, until } from '../lib/harness.mjs';
import { nodeBehindProxy } from '../lib/proxy.mjs';
import { metric, publish } from '../lib/registry.mjs';
import { IDENTITY, seconds, token } from '../lib/token.mjs';

const KEY = 'an-api-key-of-the-tests-with-over-32-bytes';
const env = { SLUICE_API_KEY: KEY };
const args = [...IDENTITY, '--channels', 'events', '--redis-timeout', '20s'];
const { redis, nodes } = await cluster({ nodes: 2, args, env });
const SOON = 1000 * Number(process.env.TEST_PATIENCE || 4); // "within 1 s", on a busy machine

const post = async (user, verb, body, node = nodes[0]) => {
  const where = `${node.url}/api/v1/users/${encodeURIComponent(user)}/${verb}`;
  const headers = { authorization: `Bearer ${KEY}` };
  const answer = await request(where, {
    method: 'POST',
    headers,
    ...(body && { body: JSON.stringify(body) }),
  });
  assert.equal(answer.status, 200, answer.body);
};

const now = () => Math.floor(seconds());
// A raw channel, or /ws without a login, with a token of this user.
const open = (node, path, user, claims = {}) => {
  const text = token(user, { sluice: { channels: ['*'] }, ...claims });
  return connect(node, { path, headers: { authorization: `Bearer ${text}` } });
};
const everywhere = (user, claims) =>
  Promise.all(
    nodes.flatMap((node) => ['/ws', '/channels/events'].map((path) => open(node, path, user, claims))),
  );

async function areClosed(clients, code, reason) {
  const began = Date.now();
  for (const client of clients) assert.deepEqual(await client.closed, { code, reason });
  assert.ok(Date.now() - began < SOON, `${Date.now() - began} ms`);
}

test('revoke closes what was issued before, on every node, and nothing else', async () => {
  const old = await everywhere('ann', { iat: now() - 100 });
  const timeless = await everywhere('ann', { iat: undefined });
  const young = await everywhere('ann', { iat: now() - 10 });
  const others = await everywhere('bob', { iat: now() - 100 });
  const closes = await Promise.all(nodes.map((node) => metric(node, 'sluice_closes_total', { code: '4403' })));
  await post('ann', 'revoke', { before: now() - 50 });
  await areClosed([...old, ...timeless], 4403, 'revoked');
  for (const [i, node] of nodes.entries()) {
    assert.equal(await metric(node, 'sluice_closes_total', { code: '4403' }), closes[i] + 4);
  }
  for (const client of [...young, ...others]) assert.ok(client.isOpen);
  await post('ann', 'revoke', { before: now() - 20 });
  for (const client of young) assert.ok(client.isOpen);
  await post('ann', 'revoke', undefined, nodes[1]);
  await areClosed(young, 4403, 'revoked');
  for (const client of others) assert.ok(client.isOpen);
  await Promise.all(others.map((client) => client.close()));
});

test('a raw handshake with a revoked token is 401; /ws opens, and does not log in', async () => {
  const mark = now() - 50;
  await post('cat', 'revoke', { before: mark });
  for (const node of nodes) {
    for (const iat of [mark - 0.001, mark - 1, mark - 3600, undefined, 0]) {
      await assert.rejects(open(node, '/channels/events', 'cat', { iat }), { status: 401 }, `${iat}`);
    }
    for (const iat of [mark, mark + 1, now()]) {
      await (await open(node, '/channels/events', 'cat', { iat })).close();
    }
    const client = await open(node, '/ws', 'cat', { iat: mark - 1 });
    await client.close();
  }
  await (await open(nodes[0], '/channels/events', 'dog', { iat: mark - 1 })).close();
});

test('by default all that was issued before the call; later ones are good', async () => {
  const before = await everywhere('eve', { iat: seconds() });
  await post('eve', 'revoke');
  await areClosed(before, 4403, 'revoked');
  await assert.rejects(open(nodes[1], '/channels/events', 'eve', { iat: seconds() - 1 }), { status: 401 });
  await until(async () => {
    const client = await open(nodes[1], '/channels/events', 'eve', { iat: now() });
    await client.close();
    return true;
  });
});

test('fractions of a second count', async () => {
  const base = now() - 10;
  const old = await everywhere('fay', { iat: base + 0.2 });
  const young = await everywhere('fay', { iat: base + 0.6 });
  await post('fay', 'revoke', { before: base + 0.5 });
  await areClosed(old, 4403, 'revoked');
  for (const client of young) assert.ok(client.isOpen);
  await Promise.all(young.map((client) => client.close()));
});

test('disconnect closes them all, and refuses nothing', async () => {
  const all = [...(await everywhere('gus')), ...(await everywhere('gus', { iat: undefined }))];
  const others = await everywhere('hal');
  await post('gus', 'disconnect', undefined, nodes[1]);
  await areClosed(all, 4000, 'disconnected');
  for (const client of others) assert.ok(client.isOpen);
  assert.equal(await redis.cli('EXISTS', 'sluice:{user:gus}:revoked'), '0');
  const again = [...(await everywhere('gus')), ...others];
  await Promise.all(again.map((client) => client.close()));
});

test('a raw handshake under way is no connection: it goes on', async (t) => {
  const patient = [...args, '--lease-timeout', '60s'];
  const { proxy, node } = await nodeBehindProxy(redis, { args: patient, env });
  t.after(async () => {
    await node.stop();
    proxy.close();
  });
  const standing = await open(node, '/channels/events', 'jim');
  const release = proxy.hold({ link: 'commands' });
  const coming = open(node, '/channels/events', 'jim');
  await until(async () => (await redis.cli('HLEN', 'sluice:{user:jim}:raw')) === '2');
  await post('jim', 'disconnect');
  assert.equal((await standing.closed).code, 4000);
  release();
  const client = await coming;
  await publish(redis, 'events', 'hello');
  assert.equal((await client.next('raw')).text, 'hello');
  await client.close();
});

test('many connections of one user', async () => {
  const all = [];
  for (let i = 0; i < 100; i++) all.push(await open(nodes[i % 2], '/ws', 'ida'));
  for (let i = 0; i < 20; i++) all.push(await open(nodes[i % 2], '/channels/events', 'ida'));
  await post('ida', 'revoke');
  await areClosed(all, 4403, 'revoked');
});

test('a node whose link was down finds out when it is back', async (t) => {
  const { proxy, node } = await nodeBehindProxy(redis, { args, env });
  t.after(async () => {
    await node.stop();
    proxy.close();
  });
  for (const link of ['subscriber', 'all']) {
    const users = Array.from({ length: 200 }, (_, i) => `${link}-${i}`);
    const clients = await Promise.all(users.map((user) => open(node, '/ws', user)));
    const raw = await open(node, '/channels/events', 'zoe', { iat: now() - 100 });
    const young = await open(node, '/channels/events', 'zoe');
    proxy.refusing = true;
    proxy.cut({ link });
    await until(async () => (await metric(node, 'sluice_redis_up')) === (link === 'all' ? 0 : 1));
    await post(users[0], 'revoke');
    await post(users[150], 'revoke');
    await post('zoe', 'revoke', { before: now() - 50 });
    for (const client of [...clients, raw]) assert.ok(client.isOpen);
    proxy.refusing = false;
    for (const client of [clients[0], clients[150], raw]) {
      assert.deepEqual(await client.closed, { code: 4403, reason: 'revoked' });
    }
    const left = [young, ...clients.filter((_, i) => i !== 0 && i !== 150)];
    for (const client of left) assert.ok(client.isOpen);
    await node.untilReady();
    await redis.cli('DEL', 'sluice:{user:zoe}:revoked');
    await Promise.all(left.map((client) => client.close()));
  }
});

test('the link that is killed in Redis, again and again', async () => {
  const client = await open(nodes[0], '/channels/events', 'kim', { iat: now() - 100 });
  for (let i = 0; i < 5; i++) await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await post('kim', 'revoke', { before: now() - 50 }, nodes[1]);
  await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
  assert.equal((await client.closed).code, 4403);
});

test('news that nobody understands harm nobody', async () => {
  const client = await open(nodes[0], '/ws', 'lea');
  const bells = () => redis.cli('PUBSUB', 'NUMSUB', 'sluice:revoked');
  await until(async () => (await bells()).endsWith('2')); // links were killed before
  for (const text of [
    'x',
    '{}',
    '[]',
    '{"event":"revoked"}',
    '{"event":"revoked","userId":"lea"}',
    '{"event":"revoked","userId":"lea","before":"9999999999"}',
    '{"event":"revoked","userId":"lea","before":1e400}',
    '{"event":"revoked","userId":"lea","before":-1}',
    '{"event":"revoked","userId":"a b","before":9999999999}',
    '{"event":"other","userId":"lea","before":9999999999}',
    '{"event":"disconnected","userId":{}}',
  ]) {
    await publish(redis, 'sluice:revoked', text);
  }
  await publish(redis, 'sluice:revoked', '{"event":"disconnected","userId":"nobody"}');
  assert.ok(client.isOpen);
  await publish(redis, 'sluice:revoked', '{"event":"disconnected","userId":"lea"}');
  assert.equal((await client.closed).code, 4000);
});
