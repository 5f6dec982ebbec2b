// A managed Cluster: every script declares its keys, those of the steps between partitions too.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { startCluster } from '../lib/cluster.mjs';
import { chatTexts, range } from '../lib/frames.mjs';
import { login, only, startNode, test, until } from '../lib/harness.mjs';
import { startManaged } from '../lib/managed.mjs';
import { tagOfName } from '../lib/partitions.mjs';

only('single', 'it starts its own servers');
const servers = await startCluster({ replicas: 0 });
const service = await startManaged(servers);
const start = () => startNode({ redis: service.url, args: ['--lease-interval', '200ms', '--linger', '0'] });
const nodes = [await start(), await start()];
after(() => assert.deepEqual(service.refused, [], 'nothing that a node sent was refused'));

test('rooms are told of a user, and told again', async () => {
  const [ann, bob] = [await login(nodes[0], 'ann'), await login(nodes[1], 'bob')];
  const told = (user) => servers.cli('ZCARD', `sluice:{${tagOfName(`user:${user}`)}}told`);
  for (const n of range(1, 9)) {
    for (const client of [ann, bob]) await client.emit('join', { room: `r${n}` });
  }
  await until(async () => (await told('ann')) !== '0');
  await start(); // it has all rooms told again that heard something lately
  for (const user of ['ann', 'bob']) await until(async () => (await told(user)) === '0');
  ann.terminate();
  await bob.next('user_offline');
  const again = await login(nodes[1], 'ann');
  await bob.next('user_online');
  for (const n of range(1, 9)) await again.emit('sendMessage', { room: `r${n}`, message: n });
  await until(() => chatTexts(bob).length === 9);
  const members = await bob.emit('all_member', { room: 'r9' });
  assert.deepEqual(members.map(({ id }) => id).sort(), ['ann', 'bob']);
});

test('private messages go through both partitions', async () => {
  const [cat, dan] = [await login(nodes[0], 'cat'), await login(nodes[1], 'dan')];
  const sent = range(1, 20).map((content) => cat.emit('private_message', { receiverId: 'dan', content }));
  await Promise.all(sent);
  await dan.next('new_private_message', { match: ({ data }) => data.content === 20 });
  await dan.emit('read', { peer: 'cat', seq: 20 });
  await cat.next('message_read');
});
