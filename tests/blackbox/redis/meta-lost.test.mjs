// A room's log and meta are deleted under running nodes: who enters then is live all the same, and
// the node does not read the log again and again.
import assert from 'node:assert/strict';
import { cluster, login, sleep, test } from '../lib/harness.mjs';
import { having } from '../lib/frames.mjs';
import { metric } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

test('a newcomer gets ephemeral events and messages, reading comes to an end', async () => {
  const [node] = nodes;
  const ann = await login(node, 'ann');
  await ann.emit('join', { room: 'r' });
  await ann.emit('sendMessage', { room: 'r', message: '1' });
  await ann.next('chatMessage');
  await redis.cli('DEL', 'sluice:{room:r}:meta', 'sluice:{room:r}:log');

  const bob = await login(node, 'bob');
  await bob.emit('join', { room: 'r' });
  await ann.emit('typing', { room: 'r' });
  assert.equal((await bob.next('typing')).data.userId, 'ann');
  const before = await metric(node, 'sluice_log_reads_total');
  await sleep(500);
  const reads = (await metric(node, 'sluice_log_reads_total')) - before;
  assert.ok(reads < 20, `${reads} reads in 0.5 s`);

  await ann.emit('sendMessage', { room: 'r', message: '2' });
  for (const client of [ann, bob]) await client.next('chatMessage', having({ message: '2' }));
});
