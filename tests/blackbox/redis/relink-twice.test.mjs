// The subscriber link falls twice while the command link is silent: when both are made anew every
// room heals, and the node does not read without end.
import assert from 'node:assert/strict';
import { login, sleep, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { nodeBehindProxy } from '../lib/proxy.mjs';
import { having } from '../lib/frames.mjs';
import { metric } from '../lib/registry.mjs';

const TIMES = ['--redis-timeout', '1s', '--lease-interval', '200ms', '--lease-timeout', '10s'];
const QUICK = [...TIMES, '--drain', '100ms'];
const ROOMS = ['r', 'q'];
const redis = await startRedis();
const plain = await startNode({ redis, args: QUICK });

test('rooms heal though reads of an earlier link were still under way', async () => {
  const { proxy, node } = await nodeBehindProxy(redis, { args: QUICK });
  const ann = await login(node, 'ann');
  const bob = await login(plain, 'bob');
  for (const room of ROOMS) for (const client of [ann, bob]) await client.emit('join', { room });

  proxy.stall({ link: 'commands', direction: 'toNode' });
  for (let i = 0; i < 2; i++) {
    const before = proxy.opened;
    proxy.cut({ link: 'subscriber' });
    await until(() => proxy.opened > before && proxy.links().includes('subscriber'));
    await sleep(200); // for the subscriptions, and the reads that nobody answers
  }
  const links = proxy.opened;
  await until(() => proxy.opened >= links + 2, { what: 'both links are made anew' });
  await node.untilReady();

  for (const room of ROOMS) {
    for (const sender of [ann, bob]) {
      const message = `${sender.user} in ${room}`;
      await until(() => sender.emit('sendMessage', { room, message }));
      for (const client of [ann, bob]) await client.next('chatMessage', having({ message }));
    }
  }
  const before = await metric(node, 'sluice_log_reads_total');
  await sleep(300);
  const reads = (await metric(node, 'sluice_log_reads_total')) - before;
  assert.ok(reads < 20, `${reads} reads in 0.3 s`);
  await node.stop();
  proxy.close();
});
