// A Redis that answers but cannot be used: the node is not ready, /readyz and the log say why, and
// it does not knock again and again. And one that may evict messages: it is warned of.
import assert from 'node:assert/strict';
import { only, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { startReplica } from '../lib/servers.mjs';
import { metric } from '../lib/registry.mjs';

only('single', 'it is about what one Redis refuses');

async function refused(t, url, why) {
  const node = await startNode({ redis: url, ready: false });
  t.after(() => node.stop());
  let told;
  const detail = async () => {
    told = (await node.get('/readyz')).json();
    return why.test(told.detail);
  };
  await until(detail, { what: `${why} in /readyz`, timeout: 10000 });
  assert.equal(told.reason, 'redis');
  assert.match(node.log(), why);
  return node;
}

test('a Redis in cluster mode', async (t) => {
  const redis = await startRedis({ config: { 'cluster-enabled': 'yes' } });
  await refused(t, redis.url, /cluster mode.*redis\+cluster:\/\/127\.0\.0\.1:\d+/);
  await redis.stop();
});

test('a wrong password, no password, and a user without INFO', async (t) => {
  const redis = await startRedis({ requirepass: 'right' });
  await refused(t, redis.url.replace('right', 'wrong'), /password or user.*WRONGPASS/);
  await refused(t, `redis://127.0.0.1:${redis.port}/0`, /NOAUTH/);
  await redis.cli('ACL', 'SETUSER', 'dull', 'on', '>dull', '~*', '&*', '+@all', '-info');
  await refused(t, `redis://dull:dull@127.0.0.1:${redis.port}/0`, /INFO.*NOPERM/);
  await redis.stop();
});

test('a replica', async (t) => {
  const master = await startRedis();
  const replica = await startReplica(master);
  await refused(t, replica.url, /not a master/);
  await replica.stop();
  await master.stop();
});

test('a user without channels: an ever slower knocking', async (t) => {
  const redis = await startRedis();
  await redis.cli('ACL', 'SETUSER', 'mute', 'on', '>mute', '~*', 'resetchannels', '+@all');
  const url = `redis://mute:mute@127.0.0.1:${redis.port}/0`;
  const node = await refused(t, url, /subscribe.*NOPERM/);
  const connects = async () =>
    Number(/total_connections_received:(\d+)/.exec(await redis.cli('INFO', 'stats'))[1]);
  const before = await connects();
  const asked = metric(node, 'sluice_redis_up');
  assert.equal(await asked, 0);
  // 20 of our own questions take a while; the node may knock a few times meanwhile.
  for (let i = 0; i < 20; i++) await connects();
  const knocks = (await connects()) - before - 21;
  assert.ok(knocks < 12, `${knocks} new links`);
  await redis.cli('ACL', 'SETUSER', 'mute', 'allchannels');
  await node.untilReady({ timeout: 10000 });
  await redis.stop();
});

test('a policy that evicts is noticed, also when it is set later', async (t) => {
  const redis = await startRedis();
  const node = await startNode({ redis });
  t.after(() => node.stop());
  assert.equal(await metric(node, 'sluice_redis_evicts'), 0);
  await redis.cli('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
  const evicts = (is) => async () => (await metric(node, 'sluice_redis_evicts')) === is;
  await until(evicts(1), { timeout: 20000 });
  assert.match(node.log(), /level=warn event=redis_evicts .*policy=allkeys-lru/);
  await redis.cli('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
  await until(evicts(0), { timeout: 20000 });
});
