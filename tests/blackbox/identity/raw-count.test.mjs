// Raw connections of a user count for max-connections-per-user, on all nodes together.
import assert from 'node:assert/strict';
import { cluster, connect, startNode, test, until } from '../lib/harness.mjs';
import { nodeBehindProxy } from '../lib/proxy.mjs';
import { hash, metric } from '../lib/registry.mjs';
import { allowed, IDENTITY } from '../lib/token.mjs';

const lease = ['--lease-interval', '200ms', '--lease-timeout', '1s'];
const base = [...IDENTITY, ...lease, '--channels', 'events'];
const args = [...base, '--max-connections-per-user', '3'];
const { redis, nodes } = await cluster({ nodes: 2, args });

const entries = (user) => hash(redis, `sluice:{user:${user}}:raw`);
const count = async (user) => Object.keys(await entries(user)).length;
// Of an incarnation of this node.
const of = ({ id }) => (value) => value.startsWith(`${id}.`);
const open = (node, user) => {
  const headers = { authorization: `Bearer ${allowed(user, { channels: ['*'] })}` };
  return connect(node, { path: '/channels/events', headers });
};

test('over the limit 429; the end of one makes room', async () => {
  const limited = () =>
    metric(nodes[1], 'sluice_limited_total', { limit: 'max-connections-per-user' });
  const before = await limited();
  const all = [];
  for (const node of [nodes[0], nodes[1], nodes[0]]) all.push(await open(node, 'ann'));
  for (const node of nodes) await assert.rejects(open(node, 'ann'), { status: 429 });
  assert.equal(await limited(), before + 1);
  await (await open(nodes[1], 'bob')).close(); // another user

  const [mine] = Object.values(await entries('ann')).filter(of(nodes[1]));
  assert.match(mine, /^\S+ \d+ 127\.0\.0\.1:\d+ events$/);
  assert.ok(Number(await redis.cli('PTTL', 'sluice:{user:ann}:raw')) > 0);

  await all.pop().close();
  await until(async () => (await count('ann')) === 2);
  all.push(await open(nodes[1], 'ann'));
  all.pop().terminate();
  await until(async () => (await count('ann')) === 2);
  await Promise.all(all.map((client) => client.close()));
  await until(async () => (await count('ann')) === 0);
  assert.equal(await redis.cli('ZSCORE', 'sluice:online', 'ann'), '', 'it is no presence');
});

test('many at once: not one too many', async () => {
  const tries = Array.from({ length: 30 }, (_, i) => open(nodes[i % 2], 'eve'));
  const results = await Promise.allSettled(tries);
  const won = results.filter(({ status }) => status === 'fulfilled');
  assert.equal(won.length, 3);
  for (const { reason } of results.filter(({ status }) => status === 'rejected')) {
    assert.equal(reason.status, 429);
  }
  await Promise.all(won.map(({ value }) => value.close()));
  await until(async () => (await count('eve')) === 0);
});

test('a client that gives its handshake up leaves nothing', async () => {
  await Promise.all(
    Array.from({ length: 10 }, async (_, i) => {
      const attempt = open(nodes[i % 2], 'gus');
      await attempt.then((client) => client.terminate(), () => {});
    }),
  );
  await until(async () => (await count('gus')) === 0);
  await (await open(nodes[0], 'gus')).close();
});

test('those of a node that died do not count, and are taken out', async (t) => {
  const third = await startNode({ redis, args });
  t.after(() => third.kill());
  for (let i = 0; i < 3; i++) await open(third, 'cat');
  await assert.rejects(open(nodes[0], 'cat'), { status: 429 });
  await third.kill();
  const client = await until(() => open(nodes[0], 'cat'));
  assert.equal(await count('cat'), 1);
  await client.close();
});

test('a node that loses Redis writes its connections again', async (t) => {
  const { proxy, node } = await nodeBehindProxy(redis, { args });
  t.after(async () => {
    await node.stop();
    proxy.close();
  });
  const all = [await open(node, 'dan'), await open(node, 'dan'), await open(node, 'dan')];
  const [before] = Object.values(await entries('dan'))[0].split(' ');
  proxy.cut();
  await until(async () => {
    const values = Object.values(await entries('dan'));
    const isOld = (value) => value.startsWith(`${before} `);
    return values.length === 3 && values.every(of(node)) && !values.some(isOld);
  });
  await assert.rejects(open(nodes[0], 'dan'), { status: 429 });
  await Promise.all(all.map((client) => client.close()));
  await until(async () => (await count('dan')) === 0);
});

test('Redis lost all: they are written again', async () => {
  const all = [await open(nodes[0], 'fay'), await open(nodes[1], 'fay')];
  await redis.cli('FLUSHALL');
  await until(async () => (await count('fay')) === 2);
  await Promise.all(all.map((client) => client.close()));
});

test('0 is no limit', async (t) => {
  const free = await startNode({ redis, args: [...base, '--max-connections-per-user', '0'] });
  t.after(() => free.stop());
  const all = await Promise.all(Array.from({ length: 30 }, () => open(free, 'hal')));
  await Promise.all(all.map((client) => client.close()));
});

test('Redis away: raw is 503, /ws goes on', async () => {
  const headers = { authorization: `Bearer ${allowed('ann', { channels: ['*'] })}` };
  await redis.kill();
  for (const node of nodes) await node.untilNotReady();
  await assert.rejects(open(nodes[0], 'ann'), { status: 503 });
  const client = await connect(nodes[0], { headers });
  assert.ok(client.isOpen);
  await client.close();
  await redis.restart();
  for (const node of nodes) await node.untilReady();
  await until(() => open(nodes[0], 'ann').then((one) => one.close()));
});
