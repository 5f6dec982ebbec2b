// A user of Redis with the rules that OPERATIONS.md gives for a Cluster, and no others.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { startCluster } from '../lib/cluster.mjs';
import { login, ROOT, startNode, test, until } from '../lib/harness.mjs';
import { enter, next, once } from '../lib/socketio.mjs';

test('the rules that OPERATIONS.md gives for a Cluster are enough for every event', async () => {
  const text = fs.readFileSync(path.join(ROOT, 'deploy/OPERATIONS.md'), 'utf8');
  const [, rules] = text.match(/ACL SETUSER sluice on >SECRET (resetkeys .*\+cluster\|nodes.*)/);
  const it = await startCluster();
  for (const server of it.servers) {
    const made = await it.on(server, 'ACL', 'SETUSER', 'sluice', 'on', '>secret', ...rules.split(' '));
    assert.equal(made, 'OK');
  }
  const url = it.url.replace('://', '://sluice:secret@');
  const args = ['--channels', 'events:rw', '--admin-token', 'token-token-token', '--redis-wait', '1:5000'];
  const nodes = await Promise.all([1, 2].map(() => startNode({ redis: url, args })));
  const whole = async (node) => (await node.get('/readyz')).body === '{"ready":true}\n';
  const untilWhole = async () => {
    for (const node of nodes) await until(() => whole(node), { timeout: 30000, what: 'all masters' });
  };
  await untilWhole();
  const ann = await login(nodes[0], 'ann', { csId: '1' });
  const bob = await login(nodes[1], 'bob', { csId: '1' });
  await ann.emit('sendMessage', 'hello');
  assert.equal((await bob.next('chatMessage')).data.message, 'hello');
  const room = { room: 'room-1' };
  await ann.emit('private_message', { receiverId: 'bob', content: 1, clientMessageId: 'a' });
  await bob.next('new_private_message');
  await ann.emit('history', { peer: 'bob' });
  await ann.emit('read', { ...room, seq: 1 });
  await ann.emit('read', { peer: 'bob', seq: 1 });
  await ann.emit('typing', room);
  await ann.emit('all_member', room);
  for (let i = 0; i < 20; i++) {
    await ann.emit('subscribe', { channel: `topic:${i}` });
    await ann.emit('publish', { channel: `topic:${i}`, data: i });
    await ann.next('message', { match: ({ channel }) => channel === `topic:${i}` });
  }
  await ann.emit('join', { room: 'other' });
  await ann.emit('leave', { room: 'other' });
  const socket = await enter(nodes[0], 'cat', { csId: '1' });
  const lost = once(socket, 'disconnect');
  socket.io.engine.close();
  await lost;
  await ann.emit('sendMessage', { ...room, message: 'missed' });
  socket.connect();
  await once(socket, 'connect');
  assert.equal(socket.recovered, true);
  assert.equal((await next(socket, 'chatMessage')).message, 'missed');
  socket.end();
  for (const where of ['cluster', 'online', 'users/ann']) {
    const headers = { authorization: 'Bearer token-token-token' };
    assert.equal((await nodes[0].get(`/api/v1/${where}`, { headers })).status, 200, where);
  }
  // A failover: the node ends its own old connections, and greets the promoted replica.
  await it.failover((await it.masters())[0]);
  await untilWhole();
  for (const node of nodes) {
    await node.stop();
    assert.doesNotMatch(node.log(), /NOPERM|redis_client_kill/);
  }
  await it.stop();
});
