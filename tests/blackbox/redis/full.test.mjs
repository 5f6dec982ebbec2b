// Redis out of memory: sends are refused, leases go on, and all is well when there is room again.
import assert from 'node:assert/strict';
import { chats, ofUser } from '../lib/frames.mjs';
import { cluster, connect, inRoom, login, test, until } from '../lib/harness.mjs';
import { count, fence, scores } from '../lib/registry.mjs';

test('a full Redis refuses messages but nobody is declared dead', async (t) => {
  const args = ['--lease-timeout', '1s', '--lease-interval', '200ms'];
  const { redis, nodes, stop } = await cluster({ nodes: 2, args });
  t.after(stop);
  const at = [nodes[0], nodes[1], nodes[1]];
  const [ann, bob, cat] = await inRoom(at, 'r', 'ann', 'bob', 'cat');
  const dan = await login(nodes[0], 'dan');
  await ann.emit('sendMessage', { room: 'r', message: 'before' });
  const leases = await scores(redis, 'sluice:nodes');
  assert.equal(Object.keys(leases).length, 2);

  await redis.cli('CONFIG', 'SET', 'maxmemory', '1mb'); // less than it uses
  const used = Number((await redis.cli('INFO', 'memory')).match(/used_memory:(\d+)/)[1]);
  if (used <= 1 << 20) await redis.cli('CONFIG', 'SET', 'maxmemory', '1');
  for (const [event, data] of [
    ['sendMessage', { room: 'r', message: 'full' }],
    ['private_message', { receiverId: 'bob', content: 'full' }],
    ['publish', { channel: 'topic:t', data: 'full' }],
  ]) {
    await assert.rejects(ann.emit(event, data), { code: 'unavailable', outcome: 'refused' }, event);
  }
  const late = await connect(nodes[1]);
  await assert.rejects(late.emit('login', { userId: 'late' }), { code: 'unavailable' });
  await cat.close();
  await bob.emit('heartbeat', {});

  // Through several lease timeouts the leases move on.
  for (let i = 0; i < 4; i++) {
    const before = await scores(redis, 'sluice:nodes');
    await until(async () => {
      const now = await scores(redis, 'sluice:nodes');
      return Object.keys(leases).every((name) => now[name] > before[name] + 700);
    });
  }
  assert.deepEqual(
    Object.keys(await scores(redis, 'sluice:nodes')).sort(),
    Object.keys(leases).sort(),
  );
  await fence(redis, [ann, dan]);
  for (const user of ['ann', 'bob', 'dan']) assert.equal(count(ann, 'user_offline', user), 0, user);
  assert.ok(ann.isOpen && bob.isOpen && dan.isOpen);

  await redis.cli('CONFIG', 'SET', 'maxmemory', '0');
  await ann.emit('sendMessage', { room: 'r', message: 'after' });
  for (const client of [ann, bob]) {
    await client.next('chatMessage', { match: ({ data }) => data.message === 'after' });
    const got = chats(client);
    assert.deepEqual(
      got.map(({ data }) => data.message),
      ['before', 'after'],
    );
  }
  await late.emit('login', { userId: 'late' });
  // Who left meanwhile is gone by now, announced once.
  await ann.next('user_offline', ofUser('cat', { timeout: 10000 }));
  await until(async () => {
    const online = Object.keys(await scores(redis, 'sluice:online')).sort();
    return online.join() === 'ann,bob,dan,late';
  });
  await fence(redis, [ann]);
  assert.equal(count(ann, 'user_offline', 'cat'), 1);
});
