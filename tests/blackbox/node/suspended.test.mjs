// A node that stands still for longer than the lease timeout is reaped; when it wakes, its users
// come back under a new incarnation.
import assert from 'node:assert/strict';
import { ofUser } from '../lib/frames.mjs';
import { cluster, inRoom, test, until } from '../lib/harness.mjs';
import { connections, count, fence, hash, scores } from '../lib/registry.mjs';

test('a stopped node is reaped, and comes back whole', async () => {
  const args = ['--lease-timeout', '1s', '--lease-interval', '200ms'];
  const { redis, nodes, stop } = await cluster({ nodes: 2, args });
  const { incarnation } = await nodes[1].health();
  const [ann, eve] = await inRoom(nodes, 'r', 'ann', 'eve');
  const [first] = await connections(redis, 'eve');

  nodes[1].suspend();
  await ann.next('user_offline', ofUser('eve', { timeout: 10000 }));
  await until(async () => !(incarnation in (await scores(redis, 'sluice:nodes'))));
  assert.deepEqual(await hash(redis, 'sluice:{user:eve}:conns'), {});
  await ann.emit('sendMessage', { room: 'r', message: 'are you there?' });

  nodes[1].resume();
  await ann.next('user_online', ofUser('eve'));
  const { incarnation: second } = await nodes[1].health();
  assert.notEqual(second, incarnation);
  assert.ok(second in (await scores(redis, 'sluice:nodes')));
  const [conn] = await connections(redis, 'eve');
  assert.ok(conn.incarnation.startsWith(`${nodes[1].id}.`));
  assert.notEqual(conn.incarnation, first.incarnation);
  await until(async () => 'eve' in (await scores(redis, 'sluice:{room:r}:here')));
  assert.ok('eve' in (await scores(redis, 'sluice:online')));

  // The socket never noticed, and nothing was lost.
  assert.equal((await eve.next('chatMessage')).data.message, 'are you there?');
  await eve.emit('sendMessage', { room: 'r', message: 'yes' });
  await ann.next('chatMessage', { match: (frame) => frame.data.message === 'yes' });
  await fence(redis, [ann, eve]);
  assert.equal(count(ann, 'user_offline', 'eve'), 1);
  assert.equal(count(ann, 'user_online', 'eve'), 1);
  await stop();
});

test('a short stop is not a death', async () => {
  const args = ['--lease-timeout', '5s', '--lease-interval', '200ms'];
  const { redis, nodes, stop } = await cluster({ nodes: 2, args });
  const { incarnation } = await nodes[1].health();
  const [ann, eve] = await inRoom(nodes, 'r', 'ann', 'eve');
  nodes[1].suspend();
  await ann.emit('sendMessage', { room: 'r', message: '1' });
  const before = (await scores(redis, 'sluice:nodes'))[(await nodes[0].health()).incarnation];
  await until(async () => {
    const now = (await scores(redis, 'sluice:nodes'))[(await nodes[0].health()).incarnation];
    return now > before + 1000;
  });
  nodes[1].resume();
  await eve.next('chatMessage');
  await fence(redis, [ann, eve]);
  assert.equal((await nodes[1].health()).incarnation, incarnation);
  assert.equal(count(ann, 'user_offline', 'eve'), 0);
  await stop();
});
