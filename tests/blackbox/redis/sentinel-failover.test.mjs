// The master changes under load, as planned or by its death: nothing that is acknowledged is lost
// by a plan, receivers are told what is lost by a death, and nothing comes twice.
import assert from 'node:assert/strict';
import { inRoom, only, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { log, metric } from '../lib/registry.mjs';
import { fakeSentinel, role, sentinelCluster, urlOf } from '../lib/sentinels.mjs';
import { judgeChannel } from '../lib/loss.mjs';
import { talk, textOf } from '../lib/talk.mjs';

only('single', 'it is about Sentinels');

async function scene(t, options) {
  const it = await sentinelCluster(options);
  const nodes = [await startNode({ redis: it.url }), await startNode({ redis: it.url })];
  t.after(async () => {
    for (const node of nodes) await node.stop();
    await it.stop();
  });
  const [ann, bob] = await inRoom(nodes, 'r', 'ann', 'bob');
  const talks = [talk(ann, { room: 'r' }), talk(bob, { room: 'r' })];
  for (const one of talks) await one.more(20);
  return { it, nodes, ann, bob, talks };
}

async function judge({ it, ann, bob, talks }) {
  const texts = async () => (await log(await it.master(), 'room:r')).map(({ frame }) => textOf(frame));
  return judgeChannel({ texts, clients: [ann, bob], talks, channel: 'room:r' });
}

test('a planned failover under load', async (t) => {
  const all = await scene(t);
  const { it, nodes } = all;
  const before = await it.master();
  const next = await it.replica();
  await it.failover();
  await until(async () => (await it.master()) === next, { timeout: 30000 });
  for (const node of nodes) {
    await until(() => node.log().includes(`event=redis_master`) && node.log().includes(`addr=127.0.0.1:${next.port}`), { timeout: 20000, what: 'the news' });
    await node.untilReady({ timeout: 20000 });
    assert.equal(await metric(node, 'sluice_redis_master_changes_total'), 1);
  }
  const { lost, gap } = await judge(all);
  t.diagnostic(`nothing was appended for ${gap} ms`);
  // The Sentinel that leads tells before it promotes, and the replica keeps up.
  assert.deepEqual(lost, []);
  // The old one becomes a replica in its time; the nodes do not go back.
  await until(async () => (await role(before)) === 'slave', { timeout: 30000 });
  for (const node of nodes) assert.equal(await node.readyz(), 200);
});

test('the master is killed under load', async (t) => {
  const all = await scene(t);
  const { it, nodes } = all;
  const before = await it.master();
  const from = Date.now();
  await before.kill();
  for (const node of nodes) await node.untilNotReady();
  for (const node of nodes) await node.untilReady({ timeout: 20000 });
  t.diagnostic(`ready ${Date.now() - from} ms after the death`);
  const { lost, gap } = await judge(all);
  t.diagnostic(`${lost.length} acknowledged were lost, nothing was appended for ${gap} ms`);
  assert.notEqual(await it.master(), before);
});

// As after a partition: the old master goes on, and so do its links. Two fake Sentinels tell.
test('what an old master acknowledged until the news is lost, and told; after that it is not asked', async (t) => {
  const config = { 'repl-diskless-sync': 'no', 'repl-ping-replica-period': 1 };
  const [a, b] = [await startRedis({ config }), await startRedis({ config })];
  await b.cli('REPLICAOF', '127.0.0.1', a.port);
  await until(async () => /master_link_status:up/.test(await b.cli('INFO', 'replication')));
  const sentinels = [await fakeSentinel({ master: a.port }), await fakeSentinel({ master: a.port })];
  const nodes = [await startNode({ redis: urlOf(...sentinels) }), await startNode({ redis: urlOf(...sentinels) })];
  t.after(async () => {
    for (const node of nodes) await node.stop();
    for (const one of sentinels) one.close();
    for (const one of [a, b]) await one.stop();
  });
  const [ann, bob] = await inRoom(nodes, 'r', 'ann', 'bob');
  const talks = [talk(ann, { room: 'r' }), talk(bob, { room: 'r' })];
  for (const one of talks) await one.more(20);
  await b.cli('REPLICAOF', 'NO', 'ONE');
  for (const one of talks) await one.more(20);
  for (const one of sentinels) await until(() => one.hears());
  for (const one of sentinels) Object.assign(one, { master: b.port, epoch: 2 });
  const news = Date.now();
  for (const one of sentinels) one.announce(a.port, b.port);
  const master = async () => b;
  const { lost } = await judge({ it: { master }, ann, bob, talks });
  assert.ok(lost.length >= 40, `${lost.length} are lost`);
  assert.ok(lost.every(({ timestamp }) => timestamp <= news + 200));
  t.diagnostic(`the last one of the old master came ${Math.max(...lost.map(({ timestamp }) => timestamp)) - news} ms after the news`);
  for (const client of [ann, bob]) {
    const { data } = await client.next('channel_reset', { match: ({ data }) => data.channel === 'room:r' });
    assert.equal(data.from, Math.min(...lost.map(({ seq }) => seq)));
  }
  assert.doesNotMatch(await a.cli('CLIENT', 'LIST'), /name=sluice-/);
});
