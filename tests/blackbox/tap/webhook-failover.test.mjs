// Webhooks over a failover of Redis: what the next master has arrives, with the ids that it had.
import assert from 'node:assert/strict';
import { login, only, startNode, test, until } from '../lib/harness.mjs';
import { receiver } from '../lib/receiver.mjs';
import { sentinelCluster } from '../lib/sentinels.mjs';
import { tapped } from '../lib/tap.mjs';

only('single', 'it is about Sentinels');

test('the master is killed while a back end is away', async (t) => {
  const back = await receiver();
  const it = await sentinelCluster();
  const args = ['--tap', 'rooms,messages', '--webhook', back.url];
  const nodes = [await startNode({ redis: it.url, args }), await startNode({ redis: it.url, args })];
  t.after(async () => {
    for (const node of nodes) await node.stop();
    await it.stop();
  });
  const first = await it.master();
  await until(async () => (await first.cli('HLEN', 'sluice:tap:hooks')) === '1', { what: 'a lease' });
  const ann = await login(nodes[0], 'ann');
  await ann.emit('join', { room: 'r' });
  const say = (message) => ann.emit('sendMessage', { room: 'r', message });
  for (let i = 0; i < 20; i++) await say(`before ${i}`);
  await back.gets('what came before', () => back.events.length === 21);
  back.status = 503;
  for (let i = 0; i < 20; i++) await say(`away ${i}`);
  const next = await it.replica();
  await until(async () => (await next.cli('XLEN', 'sluice:tap')) === '41', { what: 'the replica has all' });
  await first.kill();
  await until(async () => (await it.master()) === next, { timeout: 30000 });
  for (const node of nodes) await node.untilReady({ timeout: 30000 });
  await until(() => say('after').then(() => true, () => false), { timeout: 30000 });
  back.status = 204;
  await back.gets('what came after', () => back.events.some((e) => e.message?.data.message === 'after'));
  const entries = await tapped(next);
  const ids = entries.map((e) => `0.${e.term}.${e.id}`);
  assert.deepEqual(back.events.map((e) => e.id), ids);
  assert.equal(new Set(entries.map((e) => e.term)).size, 2, 'of two terms');
});
