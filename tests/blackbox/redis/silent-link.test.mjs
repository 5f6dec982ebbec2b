// A link that falls silent while it comes up, when nothing else notices yet, is made anew.
import assert from 'node:assert/strict';
import { login, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { startCluster } from '../lib/cluster.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { startReplica } from '../lib/servers.mjs';

const QUICK = ['--redis-timeout', '500ms', '--lease-interval', '200ms', '--lease-timeout', '10s'];

// A node on it, whose next link that sends `text` will fall silent: resolves when one has.
async function behind(t, redis, text, args = []) {
  const proxy = await startProxy(redis);
  const silenced = proxy.silence(text);
  const node = await startNode({ redis: proxy.url, args: [...QUICK, ...args], ready: false });
  t.after(async () => {
    await node.stop();
    proxy.close();
  });
  return { proxy, node, silenced };
}

test('the subscriber link, before it has heard anything', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const { proxy, node, silenced } = await behind(t, redis, 'SUBSCRIBE');
  await node.untilReady();
  assert.ok(silenced());
  const again = proxy.silence('SUBSCRIBE');
  proxy.cut();
  await until(again, { what: 'a link has fallen silent again' });
  await node.untilReady();
  const ann = await login(node, 'ann');
  assert.equal((await ann.emit('publish', { channel: 'topic:t', data: 1 })).seq, 1);
  await ann.close();
});

test('the link that waits for replicas', async (t) => {
  const redis = await startRedis();
  const replica = await startReplica(redis);
  t.after(async () => {
    for (const one of [redis, replica]) await one.stop();
  });
  await until(async () => /master_link_status:up/.test(await replica.cli('INFO', 'replication')));
  const { proxy, node } = await behind(t, redis, 'no such text', ['--redis-wait', '1:300']);
  await node.untilReady();
  const ann = await login(node, 'ann');
  const silenced = proxy.silence('WAIT');
  const message = { channel: 'topic:t', data: 1, clientMessageId: 'one' };
  await assert.rejects(ann.emit('publish', message), { code: 'unavailable', outcome: 'unknown' });
  assert.ok(silenced());
  assert.equal((await until(() => ann.emit('publish', message).catch(() => false))).seq, 1);
  await ann.close();
});

test('a link to a Cluster, before the number of partitions is told', async (t) => {
  const cluster = await startCluster({ replicas: 0 });
  t.after(() => cluster.stop());
  const { node, silenced } = await behind(t, cluster, 'sluice:partitions');
  await node.untilReady();
  assert.ok(silenced());
});
