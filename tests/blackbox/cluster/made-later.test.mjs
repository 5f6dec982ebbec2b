// A node that is there before the slots of a Redis Cluster are given to its servers. For a moment
// after that they are not served yet: CLUSTERDOWN.
import { freePort, only, startNode, startRedis, test, until } from '../lib/harness.mjs';

only('single', 'it starts its own servers');

test('a node becomes ready when the Cluster has been made', async () => {
  const redis = await startRedis({
    config: { 'cluster-enabled': 'yes', 'cluster-port': await freePort() },
  });
  const url = `redis+cluster://127.0.0.1:${redis.port}`;
  const node = await startNode({ redis: url, ready: false });
  const says = async (text) => (await node.get('/readyz')).body.includes(text);
  await until(() => says('is the Cluster made?'), { what: 'the reason' });
  await redis.cli('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await node.untilReady({ timeout: 30000 });
  await node.stop();
  await redis.stop();
});
