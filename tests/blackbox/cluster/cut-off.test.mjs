// A master is cut off from the others while the nodes still reach it. What it acknowledged until the
// news is told of; with redis-wait it acknowledged nothing that its heir does not have.
import assert from 'node:assert/strict';
import { test } from '../lib/harness.mjs';
import { busy } from '../lib/cluster-talk.mjs';

for (const wait of ['off', 'all:1000']) {
  test(`redis-wait ${wait}`, async (t) => {
    const args = wait === 'off' ? [] : ['--redis-wait', wait];
    const { it, channels, judge } = await busy(t, { args, cluster: { cuttable: true } });
    const master = await it.masterOf(it.key(channels[0]));
    const mend = it.cut(master);
    t.after(mend);
    await it.promoted(master);
    if (wait !== 'off') mend();
    const { lost, gap } = await judge();
    t.diagnostic(`${lost.length} were lost, nothing was appended to a channel for ${gap} ms at most`);
    if (wait !== 'off') assert.deepEqual(lost, []);
    mend();
    await it.untilWell();
  });
}
