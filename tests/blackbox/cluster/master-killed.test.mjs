// A master is killed under load: what was acknowledged is there, or whoever had it was told by a
// channel_reset. With redis-wait all it is there.
import assert from 'node:assert/strict';
import { test } from '../lib/harness.mjs';
import { busy } from '../lib/cluster-talk.mjs';

for (const wait of ['off', 'all:1000']) {
  test(`redis-wait ${wait}`, async (t) => {
    const { it, channels, judge, others } = await busy(t, { args: wait === 'off' ? [] : ['--redis-wait', wait] });
    const master = await it.masterOf(it.key(channels[0]));
    await master.kill();
    // The channels of the other masters go on meanwhile.
    for (const talk of await others(master)) await talk.more(20);
    await it.promoted(master);
    // With WAIT all, the dead master's heir has no replica, and acknowledges nothing before one is back.
    if (wait !== 'off') await master.restart();
    const { lost, gap } = await judge();
    t.diagnostic(`${lost.length} were lost, nothing was appended to a channel for ${gap} ms at most`);
    if (wait !== 'off') assert.deepEqual(lost, []);
  });
}
