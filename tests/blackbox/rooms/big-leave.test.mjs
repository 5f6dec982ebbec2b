// In a big room, too, `leave` ends the room for all connections of the user.
import assert from 'node:assert/strict';
import { cluster, login, test } from '../lib/harness.mjs';
import { count, fence } from '../lib/registry.mjs';

const args = ['--big-room', '2', '--big-room-until', '1'];
const { redis, nodes } = await cluster({ nodes: 2, args });

test("the user's connection on another node gets nothing of it any more", async () => {
  const clients = {};
  for (const user of ['ann', 'bob', 'cat', 'dan']) {
    clients[user] = await login(nodes[0], user);
    await clients[user].emit('join', { room: 'r' });
  }
  const desk = await login(nodes[1], 'dan');
  await desk.emit('join', { room: 'r' });
  await clients.ann.emit('sendMessage', { room: 'r', message: 'before' });
  await desk.next('chatMessage');

  await clients.dan.emit('leave', { room: 'r' });
  await fence(redis, [clients.ann, clients.dan, desk]);
  await clients.ann.emit('sendMessage', { room: 'r', message: 'after' });
  await clients.bob.next('chatMessage', { match: ({ data }) => data.message === 'after' });
  await fence(redis, [clients.dan, desk]);
  for (const client of [clients.dan, desk]) {
    await client.none('chatMessage', 0, { match: ({ data }) => data.message === 'after' });
  }
  assert.equal(count(clients.ann, 'userLeft'), 0, 'counts stand in place of it');
  await assert.rejects(desk.emit('sendMessage', { room: 'r', message: 'x' }), {
    code: 'not_a_member',
  });
});
