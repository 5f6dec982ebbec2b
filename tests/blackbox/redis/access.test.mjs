// Ways to reach Redis: password, ACL user, database, unix socket; and what is refused.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { login, ROOT, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { startReplica } from '../lib/servers.mjs';
import { fence, keys, publish } from '../lib/registry.mjs';
import { enter, next, once } from '../lib/socketio.mjs';

const single = { single: 'cluster/access is about a Cluster' };

// Two nodes on this URL: a message crosses.
async function works(url, args = []) {
  const nodes = await Promise.all(
    [1, 2].map(() => startNode({ redis: url, args: ['--drain', '0', ...args] })),
  );
  const ann = await login(nodes[0], 'ann', { csId: '1' });
  const bob = await login(nodes[1], 'bob', { csId: '1' });
  await ann.emit('sendMessage', 'hello');
  assert.equal((await bob.next('chatMessage')).data.message, 'hello');
  return { nodes, ann, bob };
}

async function notReady(url, { word, secret }) {
  const nodes = await Promise.all([1, 2].map(() => startNode({ redis: url, ready: false })));
  for (const node of nodes) {
    await until(() => word.test(node.log()), { what: `${word} in the log`, timeout: 10000 });
    assert.equal((await node.get('/healthz')).status, 200);
    assert.equal(await node.readyz(), 503);
    if (secret) assert.ok(!node.log().includes(secret), 'the log has no password');
    await node.stop();
    if (secret) assert.ok(!node.log().includes(secret), 'the log has no password');
  }
}

const end = (nodes) => Promise.all(nodes.map((node) => node.stop()));

test('requirepass', async () => {
  const redis = await startRedis({ requirepass: 'hush-hush' });
  const { nodes } = await works(redis.url);
  for (const node of nodes) assert.ok(!node.log().includes('hush-hush'));
  await end(nodes);
  await notReady(redis.url.replace('hush-hush', 'wrong-secret'), {
    word: /redis.*(password|WRONGPASS|invalid)/i,
    secret: 'wrong-secret',
  });
  await notReady(`redis://127.0.0.1:${redis.port}/0`, { word: /NOAUTH|authenti|password/i });
  await redis.stop();
});

test('an ACL user, with characters that a URL must escape', async () => {
  const password = 'p@ss:w/rd%';
  const redis = await startRedis({ aclUser: { name: 'sluice', password } });
  const url = redis.url.replace(password, encodeURIComponent(password));
  const { nodes } = await works(url);
  for (const node of nodes) {
    assert.ok(!node.log().includes(password));
    assert.ok(!node.log().includes(encodeURIComponent(password)));
  }
  await end(nodes);
  await redis.stop();
});

test('the rules that OPERATIONS.md gives the nodes are enough for every event', single, async () => {
  const text = fs.readFileSync(path.join(ROOT, 'deploy/OPERATIONS.md'), 'utf8');
  const [, rules] = text.match(/ACL SETUSER sluice on >SECRET (resetkeys .*)/);
  const redis = await startRedis({ aclUser: { name: 'sluice', password: 'secret', rules } });
  const { nodes, ann } = await works(redis.url, ['--channels', 'events:rw', '--admin-token', 'token-token-token']);
  const room = { room: 'room-1' };
  await ann.emit('private_message', { receiverId: 'bob', content: 1, clientMessageId: 'a' });
  await ann.emit('history', { peer: 'bob' });
  await ann.emit('read', { ...room, seq: 1 });
  await ann.emit('read', { peer: 'bob', seq: 1 });
  await ann.emit('typing', room);
  await ann.emit('all_member', room);
  await ann.emit('subscribe', { channel: 'topic:t' });
  await ann.emit('publish', { channel: 'topic:t', data: 1 });
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
  for (const path of ['cluster', 'online', 'users/ann']) {
    const headers = { authorization: 'Bearer token-token-token' };
    assert.equal((await nodes[0].get(`/api/v1/${path}`, { headers })).status, 200, path);
  }
  await end(nodes);
  for (const node of nodes) assert.doesNotMatch(node.log(), /NOPERM|redis_error/);
  await redis.stop();
});

test('database 3 has the prefix sluice3: and hears nothing of database 0', single, async () => {
  const redis = await startRedis();
  const zero = await works(redis.url);
  const three = await works(redis.url.replace(/\/0$/, '/3'));
  const inThree = (await redis.cli('-n', 3, 'KEYS', '*')).split('\n');
  assert.ok(inThree.includes('sluice3:{room:room-1}:log'));
  assert.ok(
    inThree.every((key) => key.startsWith('sluice3:')),
    inThree.join(),
  );
  const inZero = await keys(redis);
  assert.ok(
    inZero.every((key) => key.startsWith('sluice:')),
    inZero.join(),
  );

  await zero.ann.emit('sendMessage', 'for zero');
  await publish(redis, 'sluice3:{all}', 'for three');
  assert.equal((await three.bob.next('message')).data, 'for three');
  await zero.bob.next('chatMessage', { match: ({ data }) => data.message === 'for zero' });
  await fence(redis, [zero.bob]);
  await zero.bob.none('message');
  await three.bob.none('chatMessage', 0, { match: ({ data }) => data.message === 'for zero' });
  await end([...zero.nodes, ...three.nodes]);
  await redis.stop();
});

test("a prefix of one's own", async () => {
  const redis = await startRedis();
  const { nodes } = await works(redis.url, ['--prefix', 'shop:']);
  assert.ok((await keys(redis)).every((key) => key.startsWith('shop:')));
  await end(nodes);
  await redis.stop();
});

test('a unix socket, with a database and a password', single, async () => {
  const redis = await startRedis({ unixsocket: true, requirepass: 'hush' });
  const { nodes } = await works(`unix://:hush@${redis.socket}?db=2`);
  const all = (await redis.cli('-n', 2, 'KEYS', '*')).split('\n');
  assert.ok(all.includes('sluice2:{room:room-1}:log'));
  await end(nodes);
  await redis.stop();
});

test('a replica is not ready until it is made a master', single, async () => {
  const master = await startRedis();
  const replica = await startReplica(master);
  await notReady(replica.url, { word: /not a master/i });

  // A master that is demoted under a running node: not ready; promoted again: ready.
  const other = await startRedis();
  const { nodes, ann, bob } = await works(other.url, ['--redis-timeout', '500ms']);
  await other.cli('REPLICAOF', '127.0.0.1', master.port);
  for (const node of nodes) await node.untilNotReady();
  await assert.rejects(ann.emit('sendMessage', 'to a replica'), { code: 'unavailable' });
  await other.cli('REPLICAOF', 'NO', 'ONE');
  for (const node of nodes) await node.untilReady();
  await until(() => ann.emit('sendMessage', 'to a master'));
  await bob.next('chatMessage', { match: ({ data }) => data.message === 'to a master' });
  await end(nodes);
  for (const redis of [other, replica, master]) await redis.stop();
});
