// --linger: a page reload is not seen by anyone; who stays away is announced after it.
import assert from 'node:assert/strict';
import { cluster, login, startNode, test } from './lib/harness.mjs';
import { count, fence, hash } from './lib/registry.mjs';

const LINGER = 2000;
const { redis, nodes } = await cluster({ nodes: 2, args: ['--linger', `${LINGER}ms`] });
const of = (user) => ({ timeout: 10000, match: (frame) => frame.data === user });

test('a reload, on the same node or another, is absorbed; staying away is not', async () => {
  const ann = await login(nodes[0], 'ann');
  let eve = await login(nodes[0], 'eve');
  for (const client of [ann, eve]) await client.emit('join', { room: 'r' });
  for (const node of [nodes[1], nodes[1], nodes[0]]) {
    eve.terminate();
    eve = await login(node, 'eve', { resume: eve.positions });
    assert.equal(eve.ack.recovered, true);
  }
  await eve.close();
  const gone = Date.now();
  await ann.next('user_offline', of('eve'));
  assert.ok(Date.now() - gone >= LINGER * 0.9, 'stays in presence for the linger time');
  await fence(redis, [ann]);
  assert.equal(count(ann, 'user_offline', 'eve'), 1);
  assert.equal(count(ann, 'user_online', 'eve'), 0);
  assert.deepEqual(await hash(redis, 'sluice:{user:eve}:conns'), {});
});

test('a node that ends does not wait for those who linger', async () => {
  const going = await startNode({ redis, args: ['--linger', '10m', '--drain', '100ms'] });
  const ann = await login(nodes[0], 'ann-end');
  const eve = await login(going, 'eve-end');
  for (const client of [ann, eve]) await client.emit('join', { room: 'end' });
  await eve.close();
  await fence(redis, [ann]);
  assert.equal(count(ann, 'user_offline', 'eve-end'), 0);
  assert.equal((await going.stop('SIGTERM')).code, 0);
  await ann.next('user_offline', of('eve-end'));
});
