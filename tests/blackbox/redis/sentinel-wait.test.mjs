// redis-wait all, with Sentinels: what was acknowledged survives the master, and nothing more is
// acknowledged until there is a second server again.
import assert from 'node:assert/strict';
import { inRoom, only, startNode, test, until } from '../lib/harness.mjs';
import { log } from '../lib/registry.mjs';
import { sentinelCluster } from '../lib/sentinels.mjs';
import { talk, textOf } from '../lib/talk.mjs';

only('single', 'it is about Sentinels');

test('the master is killed under load, and comes back as a replica', async (t) => {
  const it = await sentinelCluster({ replicas: 1 });
  const args = ['--redis-wait', 'all:1000'];
  const nodes = [await startNode({ redis: it.url, args }), await startNode({ redis: it.url, args })];
  t.after(async () => {
    for (const node of nodes) await node.stop();
    await it.stop();
  });
  const [ann, bob] = await inRoom(nodes, 'r', 'ann', 'bob');
  const talks = [talk(ann, { room: 'r' }), talk(bob, { room: 'r' })];
  for (const one of talks) await one.more(30);
  const before = await it.master();
  await before.kill();
  for (const node of nodes) await node.untilNotReady();
  for (const node of nodes) await node.untilReady({ timeout: 30000 });
  await until(async () => (await it.master()) !== before, { timeout: 20000 });
  const acked = talks.map((one) => one.acked.length);
  const unknown = ({ outcome }) => outcome === 'unknown';
  for (const one of talks) {
    const so = one.failures.length;
    await until(() => one.failures.slice(so).filter(unknown).length >= 2, { timeout: 20000 });
  }
  assert.deepEqual(talks.map((one) => one.acked.length), acked);
  await before.restart();
  for (const one of talks) await one.more(10, 60000);
  for (const one of talks) await one.stop();
  const texts = (await log(await it.master(), 'room:r')).map(({ frame }) => textOf(frame));
  assert.equal(new Set(texts).size, texts.length, 'nothing stands twice in the log');
  const all = talks.flatMap((one) => one.acked.map(({ text }) => text));
  assert.deepEqual(all.filter((text) => !texts.includes(text)), []);
});
