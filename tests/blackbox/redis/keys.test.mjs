// What is in Redis is what deploy/docs/redis.md says: names, types, forms; and nothing lives for
// ever.
import assert from 'node:assert/strict';
import { cluster, connect, login, test, until } from '../lib/harness.mjs';
import { hash, keys, log, members, scores } from '../lib/registry.mjs';

const single = { single: 'it compares the incarnations of one Redis' };
const told = { unmanaged: 'the server tells its run_id, and nodes that come begin no epoch' };

const { redis, nodes } = await cluster({ nodes: 2 });
const near = (ms) => Math.abs(ms - Date.now()) < 60000;

const ann = await connect(nodes[0]);
ann.ack = await ann.emit('login', { userId: 'ann', csId: '9', username: 'Ann A.', role: 'agent' });
const bob = await login(nodes[1], 'bob');
for (const client of [ann, bob]) await client.emit('join', { room: 'lobby' });
await ann.emit('sendMessage', { room: 'lobby', message: 'one', clientMessageId: 'id-1' });
await bob.emit('sendMessage', { room: 'lobby', message: { two: 2.0 } });
await ann.emit('private_message', { receiverId: 'bob', content: 'psst', clientMessageId: 'id-2' });
await ann.emit('private_message', { receiverId: 'zoe', content: 'for later' });
await bob.emit('read', { room: 'lobby', seq: 1 });
await bob.emit('subscribe', { channel: 'topic:news' });
await ann.emit('publish', { channel: 'topic:news', data: [1], clientMessageId: 3 });

test('the types of all keys', async () => {
  const expected = {
    'sluice:online': 'zset',
    'sluice:clock': 'string',
    'sluice:nodes': 'zset',
    'sluice:{room:lobby}:log': 'stream',
    'sluice:{room:lobby}:meta': 'hash',
    'sluice:{room:lobby}:members': 'zset',
    'sluice:{room:lobby}:here': 'zset',
    'sluice:{room:lobby}:read': 'hash',
    'sluice:{room:room-9}:members': 'zset',
    'sluice:{user:ann}:conns': 'hash',
    'sluice:{user:ann}:rooms': 'set',
    'sluice:{user:ann}:profile': 'hash',
    'sluice:{user:ann}:log': 'stream',
    'sluice:{user:ann}:meta': 'hash',
    'sluice:{user:bob}:unread': 'hash',
    'sluice:{user:zoe}:unread': 'hash',
    'sluice:{user:zoe}:log': 'stream',
    'sluice:{dm:ann:bob}:log': 'stream',
    'sluice:{dm:ann:bob}:meta': 'hash',
    'sluice:{topic:news}:log': 'stream',
    'sluice:{topic:news}:meta': 'hash',
  };
  for (const [key, type] of Object.entries(expected)) {
    assert.equal(await redis.cli('TYPE', key), type, key);
  }
  for (const key of await keys(redis)) assert.ok(key.startsWith('sluice:'), key);
});

test('a log: ids <seq>-0 and the frames that clients get', async () => {
  const entries = await log(redis, 'room:lobby');
  assert.deepEqual(
    entries.map(({ id }) => id),
    ['1-0', '2-0'],
  );
  const frame = await bob.next('chatMessage');
  const raw = await redis.cli('XRANGE', 'sluice:{room:lobby}:log', '1-0', '1-0');
  assert.ok(raw.includes(frame.text), `${frame.text} is in ${raw}`);
  assert.deepEqual(Object.keys(entries[0].frame), [
    'channel',
    'epoch',
    'seq',
    'time',
    'event',
    'data',
  ]);
  assert.deepEqual(Object.keys(entries[0].frame.data), [
    'room',
    'userId',
    'message',
    'timestamp',
    'seq',
  ]);
  assert.ok(entries[1].frame.time >= entries[0].frame.time);
  assert.ok(near(entries[0].frame.time / 1000));
  const [dm] = await log(redis, 'dm:ann:bob');
  assert.equal(dm.frame.data.content, 'psst');
});

test('meta: seq, epoch, run', told, async () => {
  const info = await redis.cli('INFO', 'server');
  const run = info.match(/run_id:(\w+)/)[1];
  const meta = await hash(redis, 'sluice:{room:lobby}:meta');
  assert.equal(meta.seq, '2');
  assert.equal(meta.run, run);
  const [{ frame }] = await log(redis, 'room:lobby');
  assert.equal(meta.epoch, frame.epoch);
  const fresh = await hash(redis, 'sluice:{room:room-9}:meta');
  assert.equal(fresh.seq, '0', 'entering a room makes its meta');
  assert.ok(fresh.epoch.length > 0);
});

test('rooms: members, here, read', told, async () => {
  const all = await scores(redis, 'sluice:{room:lobby}:members');
  assert.deepEqual(Object.keys(all).sort(), ['ann', 'bob']);
  assert.ok(Object.values(all).every(near), 'last seen, in ms');
  assert.deepEqual(Object.keys(await scores(redis, 'sluice:{room:lobby}:here')).sort(), [
    'ann',
    'bob',
  ]);
  assert.deepEqual(await hash(redis, 'sluice:{room:lobby}:read'), { bob: '1' });
  assert.deepEqual(await members(redis, 'sluice:{user:ann}:rooms'), ['lobby', 'room-9']);
});

test('users: conns, profile, unread, online', single, async () => {
  const { incarnation } = await nodes[0].health();
  const conns = await hash(redis, 'sluice:{user:ann}:conns');
  assert.deepEqual(Object.keys(conns), [ann.ack.connectionId]);
  const [node, since, address, door] = conns[ann.ack.connectionId].split(' ');
  assert.equal(node, incarnation);
  assert.ok(near(Number(since)));
  assert.equal(address, `127.0.0.1:${ann.socket._socket.localPort}`);
  assert.ok(door.length > 0);

  const profile = await hash(redis, 'sluice:{user:ann}:profile');
  assert.equal(profile.username, 'Ann A.');
  assert.equal(profile.role, 'agent');
  assert.ok(near(Number(profile.seen)));
  const plain = await hash(redis, 'sluice:{user:bob}:profile');
  assert.equal(plain.username, 'bob');
  assert.equal(plain.role, 'user');

  assert.deepEqual(await hash(redis, 'sluice:{user:bob}:unread'), { ann: '1' });
  const online = await scores(redis, 'sluice:online');
  assert.deepEqual(Object.keys(online).sort(), ['ann', 'bob']);
  assert.ok(Object.values(online).every(near), 'last heartbeat, in ms');
});

test('nodes: a lease each, and whom a survivor would reap', single, async () => {
  const leases = await scores(redis, 'sluice:nodes');
  const names = await Promise.all(nodes.map(async (node) => (await node.health()).incarnation));
  assert.deepEqual(Object.keys(leases).sort(), names.sort());
  assert.ok(Object.values(leases).every(near));
  for (const [i, user] of ['ann', 'bob'].entries()) {
    const { incarnation } = await nodes[i].health();
    assert.ok(incarnation.startsWith(`${nodes[i].id}.`));
    assert.deepEqual(await members(redis, `sluice:{node:${incarnation}}:users`), [user]);
  }
});

test('everything but the two indexes expires some day', async () => {
  const eternal = ['sluice:nodes', 'sluice:online'];
  const forever = async () => {
    const out = [];
    for (const key of await keys(redis)) {
      if (Number(await redis.cli('TTL', key)) === -1) out.push(key);
    }
    return out;
  };
  assert.deepEqual(await forever(), eternal);

  const days = async (key) => Number(await redis.cli('TTL', key)) / 86400;
  for (const [key, least, most] of [
    ['sluice:{room:lobby}:log', 6.9, 7],
    ['sluice:{dm:ann:bob}:log', 6.9, 7],
    ['sluice:{user:bob}:log', 0.9, 1],
    ['sluice:{topic:news}:log', 0.9, 1],
    ['sluice:{user:ann}:profile', 29.9, 30],
    ['sluice:{user:ann}:rooms', 29.9, 30],
    ['sluice:{user:zoe}:unread', 29.9, 30],
    ['sluice:{room:lobby}:members', 29.9, 30],
    ['sluice:{room:lobby}:meta', 8, 60], // outlives its log
    ['sluice:{user:bob}:meta', 2, 60],
  ]) {
    const ttl = await days(key);
    assert.ok(ttl >= least && ttl <= most, `${key} lives ${ttl} days`);
  }

  // Also after people are gone.
  await ann.emit('leave', { room: 'lobby' });
  await Promise.all([ann.close(), bob.close()]);
  await until(async () => !(await keys(redis)).some((key) => key.endsWith(':conns')));
  assert.deepEqual(
    (await forever()).filter((key) => !eternal.includes(key)),
    [],
  );
});

test('a name with quotes and other letters', async () => {
  const user = 'zoë"\\';
  const odd = await login(nodes[0], user);
  await odd.emit('join', { room: 'ré"s\\\u{1f40b}' });
  await odd.emit('sendMessage', { message: 'x' });
  const frame = await odd.next('chatMessage');
  assert.equal(frame.channel, 'room:ré"s\\\u{1f40b}');
  assert.equal(frame.data.userId, user);
  assert.equal(await redis.cli('EXISTS', 'sluice:{room:ré"s\\\u{1f40b}}:log'), '1');
});
