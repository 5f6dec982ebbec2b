// A master is cut off from the others and from its replica while the nodes still reach it. What it
// acknowledged until the news is lost, and told of; with redis-wait it acknowledged nothing.
import assert from 'node:assert/strict';
import { test, until } from '../lib/harness.mjs';
import { busy } from '../lib/cluster-talk.mjs';

const PASSWORD = 'of-all-servers';

// Ends the replication, too: the replica may not log in any more.
async function cutOff(it, master) {
  const replica = await it.replicaOf(master);
  await it.on(replica, 'CONFIG', 'SET', 'masterauth', 'wrong');
  await it.on(master, 'CLIENT', 'KILL', 'TYPE', 'replica');
  const alone = async () => /connected_slaves:0/.test(await it.on(master, 'INFO', 'replication'));
  await until(alone, { what: 'the master has no replica' });
  const mend = it.cut(master);
  return async () => {
    await it.on(replica, 'CONFIG', 'SET', 'masterauth', PASSWORD);
    mend();
  };
}

for (const wait of ['off', 'all:1000']) {
  test(`redis-wait ${wait}`, async (t) => {
    const args = wait === 'off' ? [] : ['--redis-wait', wait];
    const { it, channels, judge } = await busy(t, { args, cluster: { cuttable: true, password: PASSWORD } });
    const master = await it.masterOf(it.key(channels[0]));
    const mend = await cutOff(it, master);
    await it.promoted(master);
    // Its heir has no replica before it is one.
    if (wait !== 'off') await mend();
    const { lost, gap } = await judge();
    t.diagnostic(`${lost.length} were lost, nothing was appended to a channel for ${gap} ms at most`);
    if (wait !== 'off') assert.deepEqual(lost, []);
    else assert.ok(lost.length > 0);
    await mend();
    await it.untilWell();
  });
}
