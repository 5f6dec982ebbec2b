// The master changes under load, as planned or by its death: nothing that is acknowledged after the
// news is lost, receivers are told what was, and nothing comes twice.
import assert from 'node:assert/strict';
import { inRoom, startNode, test, until } from '../lib/harness.mjs';
import { log, metric } from '../lib/registry.mjs';
import { role, sentinelCluster } from '../lib/sentinels.mjs';
import { talk, textOf } from '../lib/talk.mjs';

async function scene(t, options) {
  const it = await sentinelCluster(options);
  const nodes = [await startNode({ redis: it.url }), await startNode({ redis: it.hosts[0] && it.url })];
  t.after(async () => {
    for (const node of nodes) await node.stop();
    await it.stop();
  });
  const [ann, bob] = await inRoom(nodes, 'r', 'ann', 'bob');
  const talks = [talk(ann, { room: 'r' }), talk(bob, { room: 'r' })];
  for (const one of talks) await one.more(20);
  return { it, nodes, ann, bob, talks };
}

// What the log of the new master lacks of what was acknowledged: the senders and the receivers
// were told. Returns how many those are.
async function judge({ it, ann, bob, talks }) {
  for (const one of talks) await one.more(30);
  for (const one of talks) await one.stop();
  const master = await it.master();
  const texts = (await log(master, 'room:r')).map(({ frame }) => textOf(frame));
  assert.equal(new Set(texts).size, texts.length, 'nothing stands twice in the log');
  const acked = talks.flatMap((one) => one.acked);
  const lost = acked.filter(({ text }) => !texts.includes(text));
  const heard = (client) =>
    client.frames.filter(({ event }) => event === 'chatMessage').map(textOf);
  for (const client of [ann, bob]) {
    await until(() => heard(client).includes(texts.at(-1)));
    const all = heard(client);
    assert.equal(new Set(all).size, all.length, 'nobody hears a message twice');
    const missed = texts.filter((text) => !all.includes(text));
    assert.deepEqual(missed, []);
    const resets = client.frames.filter(({ event }) => event === 'channel_reset');
    const told = all.filter((text) => !texts.includes(text));
    if (told.length) assert.ok(resets.length > 0, `${client.user} had ${told} and was not told`);
  }
  return lost;
}

test('a planned failover under load', async (t) => {
  const all = await scene(t);
  const { it, nodes } = all;
  const before = await it.master();
  const next = await it.replica();
  // The first news of any Sentinel, as a client of them would have it.
  await it.failover();
  await until(async () => (await it.master()) === next, { timeout: 30000 });
  for (const node of nodes) {
    await until(() => node.log().includes(`event=redis_master`) && node.log().includes(`addr=127.0.0.1:${next.port}`), { timeout: 20000, what: 'the news' });
    await node.untilReady({ timeout: 20000 });
    assert.equal(await metric(node, 'sluice_redis_master_changes_total'), 1);
  }
  const news = Date.now();
  const lost = await judge(all);
  assert.deepEqual(lost.filter(({ timestamp }) => timestamp > news), []);
  t.diagnostic(`${lost.length} acknowledged before the news were lost`);
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
  const lost = await judge(all);
  t.diagnostic(`${lost.length} acknowledged were lost`);
  assert.notEqual(await it.master(), before);
});
