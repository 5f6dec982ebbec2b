// /healthz says who the node is; /readyz follows Redis.
import assert from 'node:assert/strict';
import { cluster, test } from '../lib/harness.mjs';

test('healthz names the node, its address and version', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 2 });
  t.after(stop);
  for (const node of nodes) {
    const health = await node.health();
    assert.equal(health.node, node.id);
    assert.equal(health.address, `127.0.0.1:${node.port}`);
    assert.match(health.version, /^\d+\.\d+\.\d+/);
  }
});

test('readyz is 503 while Redis is away, healthz stays 200', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 2 });
  t.after(stop);
  for (const node of nodes) assert.equal(await node.readyz(), 200);

  await redis.stop();
  for (const node of nodes) {
    await node.untilNotReady();
    assert.equal((await node.get('/healthz')).status, 200);
  }

  await redis.restart();
  for (const node of nodes) {
    await node.untilReady();
  }
});
