// Sentinels die one by one, come back, and lose their quorum.
import assert from 'node:assert/strict';
import { login, only, startNode, test, until } from '../lib/harness.mjs';
import { metric } from '../lib/registry.mjs';
import { masterPort, sentinelCluster } from '../lib/sentinels.mjs';

only('single', 'it is about Sentinels');

test('one by one: the node stays at its master, and follows it while one tells', async (t) => {
  const it = await sentinelCluster({ sentinels: 3, sentinel: { quorum: 1 } });
  t.after(it.stop);
  // Only the first is given; the others are learnt.
  const node = await startNode({ redis: `redis+sentinel://${it.hosts[0]}/mymaster` });
  t.after(() => node.stop());
  const ann = await login(node, 'ann');
  await ann.emit('join', { room: 'r' });
  const send = (message) => ann.emit('sendMessage', { room: 'r', message });
  const answering = (n) =>
    until(async () => (await metric(node, 'sluice_sentinels_answering')) === n, { what: `${n} answer`, timeout: 20000 });
  await answering(3);
  await send('one');
  const [first, second, third] = it.sentinels;
  await first.kill();
  await answering(2);
  assert.equal((await send('two')).seq, 2);
  // A planned failover that two of three tell.
  const before = await it.master();
  await until(async () => (await it.failover(second)) === 'OK', { timeout: 30000 });
  await until(async () => (await masterPort(second)) !== before.port, { timeout: 30000 });
  await until(async () => (await metric(node, 'sluice_redis_master_changes_total')) === 1);
  await node.untilReady();
  await until(() => send('three').catch(() => false));
  await second.pause();
  await third.kill();
  await answering(0);
  // No Sentinel is left: nothing changes, and a Redis that restarts is found again.
  assert.equal(await node.readyz(), 200);
  const { seq } = await send('four');
  assert.equal(seq, 4);
  const master = it.servers.find((one) => one !== before);
  await master.restart();
  await node.untilReady({ timeout: 20000 });
  await until(() => send('five').catch(() => false));
  await second.resume();
  await answering(1);
  assert.equal(await metric(node, 'sluice_redis_master_changes_total'), 1);
});

test('without a quorum a dead master has no heir, and the node says which one it waits for', async (t) => {
  const it = await sentinelCluster({ sentinels: 2, sentinel: { quorum: 2 } });
  t.after(it.stop);
  const node = await startNode({ redis: it.url });
  t.after(() => node.stop());
  const master = await it.master();
  await it.sentinels[1].kill();
  await master.kill();
  await node.untilNotReady();
  const { reason, detail } = (await node.get('/readyz')).json();
  assert.equal(reason, 'redis');
  assert.match(detail, new RegExp(`^127\\.0\\.0\\.1:${master.port}, which the Sentinels name as the master: `));
  // It comes back by itself.
  await master.restart();
  await node.untilReady({ timeout: 20000 });
});
