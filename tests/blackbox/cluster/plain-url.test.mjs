// redis:// to a server of a Cluster: the node is not ready, and names the URL to use.
import assert from 'node:assert/strict';
import { startNode, test, until } from '../lib/harness.mjs';
import { startCluster } from '../lib/cluster.mjs';

test('a plain redis:// to a server in cluster mode', async (t) => {
  const it = await startCluster({ replicas: 1 });
  t.after(() => it.stop());
  const servers = [(await it.masters())[0], (await it.replicas())[0]];
  for (const { port } of servers) {
    for (const path of ['', '/0', '/1']) {
      const node = await startNode({ redis: `redis://127.0.0.1:${port}${path}`, ready: false });
      const why = new RegExp(`cluster mode.*redis\\+cluster://127\\.0\\.0\\.1:${port}`);
      const told = async () => (await node.get('/readyz')).json();
      await until(async () => why.test((await told()).detail), { what: `${why} in /readyz` });
      const { ready, reason } = await told();
      assert.deepEqual([ready, reason], [false, 'redis']);
      assert.match(node.log(), why);
      await node.stop();
    }
  }
});
