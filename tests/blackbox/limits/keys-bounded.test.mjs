// Nothing in Redis grows by what strangers ask for: each key is bounded by what a user owns, and ends.
import assert from 'node:assert/strict';
import { cluster, connect, login, test, until } from '../lib/harness.mjs';
import { range, refused } from '../lib/frames.mjs';
import { claim } from '../lib/recovery.mjs';
import { count, fence, hash, keys, members, scores } from '../lib/registry.mjs';

const ROOMS = 10;
const CHANNELS = 30;
const HOUR = 3600;
const DAY = 24 * HOUR;
const ARGS = ['--score-interval', '1s', '--lease-interval', '200ms', '--lease-timeout', '2s'];
const { redis, nodes } = await cluster({
  nodes: 2,
  args: [...ARGS, '--max-rooms', ROOMS, '--max-subscriptions', CHANNELS].map(String),
});
const life = async (key) => Number(await redis.cli('TTL', key));
// Of every key: name, seconds to live, and the field seq of a hash.
const TTLS = `local out = {}
  for i, key in ipairs(redis.call('KEYS', '*')) do
    local hash = redis.call('TYPE', key).ok == 'hash'
    out[i] = cjson.encode({key, redis.call('TTL', key), hash and redis.call('HGET', key, 'seq') or ''})
  end
  return out`;
const lives = async () => (await redis.cli('EVAL', TTLS, 0)).split('\n').map((line) => JSON.parse(line));
const ignore = (promise) => promise.catch((error) => assert.ok(error.code, error));

test('to ask about what is not there makes nothing', async () => {
  const ann = await login(nodes[0], 'ann');
  await ann.emit('join', { room: 'hers' });
  const known = async () => (await keys(redis)).filter((key) => /\{(user|room|dm|topic)/.test(key));
  const before = await known();
  for (const i of range(1, 20)) {
    const [room, peer] = [`nowhere-${i}`, `nobody-${i}`];
    await ann.emit('history', { peer, marks: true });
    await ann.emit('history', { peer });
    await ann.emit('read', { peer, seq: i });
    await ann.emit('typing', { receiverId: peer });
    await refused(ann.emit('history', { room, marks: true }), 'not_a_member');
    await refused(ann.emit('read', { room, seq: 1 }), 'not_a_member');
    await refused(ann.emit('all_member', { room }), 'not_a_member');
    await refused(ann.emit('typing', { room }), 'not_a_member');
    await refused(ann.emit('sendMessage', { room, message: 'x' }), 'not_a_member');
    await ann.emit('leave', { room });
    await ann.emit('unsubscribe', { channel: `topic:${room}` });
  }
  await ann.emit('read', { room: 'hers', seq: 5 });
  assert.deepEqual(await known(), before);
  assert.equal(await redis.cli('EXISTS', 'sluice:{user:ann}:left'), '0', 'it left none');

  // An offset names what its client likes.
  const raw = await claim(nodes[0]);
  await raw.emit('login', { userId: 'ann' });
  raw.terminate();
  await ann.emit('sendMessage', { room: 'hers', message: 'x' });
  const [now] = (await redis.cli('GET', 'sluice:clock')).split(' ');
  const time = BigInt(now).toString(16);
  const offset = `${time}.1.abc.topic:made-up`;
  const back = await claim(nodes[1], { pid: raw.pid, offset });
  assert.notEqual(back.pid, raw.pid);
  assert.equal(await redis.cli('EXISTS', 'sluice:{topic:made-up}:meta'), '0');
  back.terminate();
});

test('channels that nobody writes to: so many a connection, for an hour', async () => {
  const bob = await login(nodes[0], 'bob');
  await bob.emit('subscribe', { channel: 'topic:kept' });
  let made = 0;
  for (const i of range(1, 3 * CHANNELS)) {
    const channel = `topic:empty-${i}`;
    const good = await bob.emit('subscribe', { channel }).then(
      () => true,
      (error) => error.code !== 'too_many' && Promise.reject(error),
    );
    if (good) await bob.emit('unsubscribe', { channel });
    made += good;
  }
  assert.ok(made >= CHANNELS - 3 && made <= CHANNELS + 1, `${made} were made`);
  await refused(bob.emit('join', { room: 'empty' }), 'too_many', 'room');
  const resume = { 'topic:more': { epoch: 'x', seq: 0 } };
  await refused(bob.emit('login', { userId: 'bob', resume }), 'too_many', 'resume');
  const metas = await keys(redis, 'sluice:{topic:empty-*}:meta');
  assert.equal(metas.length, made);
  for (const key of metas) {
    const left = await life(key);
    assert.ok(left > 0 && left <= HOUR, `${key}: ${left} s`);
  }
  // What it is in is not touched by that; and a message lets it live.
  await bob.emit('publish', { channel: 'topic:kept', data: 1 });
  await bob.next('message');
  assert.ok((await life('sluice:{topic:kept}:meta')) > DAY);
  assert.ok((await life('sluice:{user:bob}:meta')) <= DAY + HOUR);

  // Rooms, entered and left again.
  const cat = await login(nodes[1], 'cat');
  for (const i of range(1, 2 * CHANNELS)) {
    const room = `empty-${i}`;
    await ignore(cat.emit('join', { room }));
    await cat.emit('leave', { room });
  }
  const rooms = await keys(redis, 'sluice:{room:empty-*');
  assert.ok(rooms.every((key) => key.endsWith(':meta')), rooms.join());
  assert.ok(rooms.length <= CHANNELS + 1, `${rooms.length} rooms`);
  for (const key of rooms) assert.ok((await life(key)) <= HOUR, key);
  assert.equal(Object.keys(await scores(redis, 'sluice:{user:cat}:left')).length, ROOMS);
});

test('unread of one who is never there: at most 1,000 peers, prolonged by nobody', async () => {
  const unread = 'sluice:{user:never}:unread';
  const dan = await login(nodes[0], 'dan');
  const write = (client) =>
    client.emit('private_message', { receiverId: 'never', content: 'are you there?' });
  await write(dan);
  assert.ok((await life(unread)) > 29 * DAY);
  await redis.cli('EXPIRE', unread, HOUR);
  for (const name of ['eve', 'fay']) await write(await login(nodes[1], name));
  assert.ok((await life(unread)) <= HOUR);
  const others = range(1, 1000 - 3).flatMap((i) => [`stranger-${i}`, 1]);
  await redis.cli('HSET', unread, ...others);
  await write(await login(nodes[1], 'gus'));
  await write(dan);
  const all = await hash(redis, unread);
  assert.deepEqual([Object.keys(all).length, parseInt(all.dan, 10), all.gus], [1000, 2, undefined]);
  assert.ok((await life(unread)) <= HOUR);
  await login(nodes[1], 'never');
  assert.ok((await life(unread)) > 29 * DAY, 'the user prolongs it');
});

test("a room's read marks are those of its members", async () => {
  const [hal, ivy, jim] = await Promise.all(['hal', 'ivy', 'jim'].map((id) => login(nodes[0], id)));
  for (const client of [hal, ivy, jim]) await client.emit('join', { room: 'marks' });
  await hal.emit('sendMessage', { room: 'marks', message: 'x' });
  for (const client of [hal, ivy, jim]) await client.emit('read', { room: 'marks', seq: 1 });
  await ivy.emit('leave', { room: 'marks' });
  const marks = () => hash(redis, 'sluice:{room:marks}:read');
  assert.deepEqual(Object.keys(await marks()).sort(), ['hal', 'jim']);
  // Jim goes, and was not seen for 31 days; then somebody comes.
  await jim.close();
  await until(async () => !('jim' in (await scores(redis, 'sluice:{room:marks}:here'))));
  const old = Date.now() - 31 * DAY * 1000;
  await redis.cli('ZADD', 'sluice:{room:marks}:members', old, 'jim');
  await ivy.emit('join', { room: 'marks' });
  assert.deepEqual(Object.keys(await marks()), ['hal']);
  assert.deepEqual(Object.keys(await scores(redis, 'sluice:{room:marks}:members')).sort(), [
    'hal',
    'ivy',
  ]);
});

test('users of nodes that nobody knows any more go from the index', async () => {
  const kim = await login(nodes[0], 'kim');
  await kim.emit('join', { room: 'haunted' }); // to hear of those who go
  await redis.cli('HSET', 'sluice:{user:ghost}:conns', 'c-1', 'gone.00000000 1 127.0.0.1:1 json');
  for (const id of ['ghost', 'shade']) {
    await redis.cli('SADD', `sluice:{user:${id}}:rooms`, 'haunted');
    await redis.cli('ZADD', 'sluice:{room:haunted}:here', 1, id);
    await redis.cli('ZADD', 'sluice:online', Date.now() - DAY * 1000, id);
  }
  // Kim is there, although something has set the score back.
  await redis.cli('ZADD', 'sluice:online', Date.now() - DAY * 1000, 'kim');
  await until(async () => {
    const online = await scores(redis, 'sluice:online');
    return !('ghost' in online) && !('shade' in online);
  });
  // On a Cluster the room hears of it a moment later.
  const inside = async () => Object.keys(await scores(redis, 'sluice:{room:haunted}:here'));
  await until(async () => (await inside()).join() === 'kim', { what: 'kim alone is inside' });
  assert.equal(await redis.cli('EXISTS', 'sluice:{user:ghost}:conns'), '0');
  await fence(redis, [kim]);
  for (const id of ['ghost', 'shade']) assert.equal(count(kim, 'user_offline', id), 1, id);
  assert.ok('kim' in (await scores(redis, 'sluice:online')));
  assert.equal(Object.keys(await hash(redis, 'sluice:{user:kim}:conns')).length, 1);
});

test('after every event by many strangers: known keys, and each ends', async () => {
  const people = await Promise.all(
    range(1, 20).map((i) => login(nodes[i % 2], `p${i}`, { csId: i % 3 })),
  );
  const acts = async (one, i) => {
    const other = people[(i + 7) % people.length].user;
    const id = { clientMessageId: `m${i}` };
    await one.emit('join', { room: `room${i % 5}` });
    await one.emit('sendMessage', { message: 'x', ...id });
    await one.emit('private_message', { receiverId: other, content: 'x', ...id });
    await one.emit('private_message', { receiverId: `nobody${i}`, content: 'x', ...id });
    await one.emit('read', { peer: other, seq: 1 });
    await one.emit('read', { room: `room${i % 5}`, seq: 1 });
    await one.emit('history', { peer: other, marks: true });
    await one.emit('all_member', {});
    await one.emit('typing', { receiverId: other });
    await one.emit('subscribe', { channel: `topic:${i}`, since: { epoch: 'x', seq: 3 } });
    await one.emit('publish', { channel: `topic:to${i}`, data: 'x', ...id });
    await one.emit('heartbeat');
    const chunk = { id: 'x', index: 0, total: 1, event: 'publish', channel: 'topic:c', data: 'x' };
    await one.emit('message_chunk', chunk);
    if (i % 2) await one.emit('leave', { room: `room${i % 5}` });
  };
  await Promise.all(people.map(acts));
  const strangers = await Promise.all(range(1, 4).map((i) => connect(nodes[i % 2])));
  for (const one of [...people, ...strangers]) one.terminate();
  await until(async () => (await keys(redis, 'sluice:{user:p*}:conns')).length === 0);
  const parts = {
    user: 'log meta conns rooms unread counted profile left pending stamp',
    room: 'log meta members here read',
    dm: 'log meta read',
    topic: 'log meta',
    node: 'users stats',
    sio: '',
    stamp: '',
  };
  for (const [key, left, seq] of await lives()) {
    const [, kind, part] = key.match(/^sluice:\{(\w+):[^}]*\}(?::([a-z]+))?/) ?? [];
    if (!kind) assert.match(key, /^sluice:(online|nodes|rooms|clock|term|ids|outbox|pending|told|heard|partitions)$/, key);
    else if (part !== 'ids') assert.ok(parts[kind].split(' ').includes(part ?? ''), key);
    const endless = /^sluice:(online|nodes|outbox|pending|told|heard|partitions)$/.test(key); // swept, or one
    assert.ok(endless || left === -2 || left > 0, `${key} ends: ${left}`);
    if (part === 'ids') assert.ok(left <= 30 * DAY, key); // swept earlier: redis/clock.test.mjs
    if (part === 'left') assert.ok(left <= DAY, key);
    if (/:meta$/.test(key) && seq === '0') {
      assert.ok(left <= (kind === 'user' ? DAY + HOUR : HOUR), `${key}: ${left}`);
    }
  }
  assert.deepEqual(await members(redis, 'sluice:{user:p1}:rooms'), ['room-1', 'room0']);
});
