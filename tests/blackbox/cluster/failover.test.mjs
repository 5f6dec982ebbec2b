// A planned failover under load: nothing that was acknowledged is lost, nothing comes twice.
import assert from 'node:assert/strict';
import { test } from '../lib/harness.mjs';
import { busy } from '../lib/cluster-talk.mjs';

test('each master in turn hands over to its replica', async (t) => {
  const { it, nodes, judge } = await busy(t);
  for (const master of await it.masters()) {
    const next = await it.failover(master);
    assert.notEqual(next, master);
    for (const node of nodes) await node.untilReady({ timeout: 20000 });
  }
  await it.untilWell();
  const { lost, gap } = await judge();
  t.diagnostic(`nothing was appended to a channel for ${gap} ms at most`);
  assert.deepEqual(lost, []);
});
