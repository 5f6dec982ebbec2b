// all_member: the members of a room, online or not, as the caller sees them.
import assert from 'node:assert/strict';
import { cluster, inRoom, login, test } from '../lib/harness.mjs';
import { range, refused } from '../lib/frames.mjs';
import { count, fence } from '../lib/registry.mjs';
import { watchScripts } from '../lib/scripts.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });
const byId = (list) => [...list].sort((a, b) => (a.id < b.id ? -1 : 1));

test('the list tells id, role, username, online and message_count', async () => {
  const ann = await login(nodes[0], 'ann', { username: 'Ann', role: 'agent' });
  const bob = await login(nodes[1], 'bob');
  const cat = await login(nodes[1], 'cat', { username: 'Cat "c"' });
  for (const client of [ann, bob, cat]) await client.emit('join', { room: 'tea' });
  await bob.emit('private_message', { receiverId: 'ann', content: 1 });
  await bob.emit('private_message', { receiverId: 'ann', content: 2 });
  await cat.close();
  await ann.next('user_offline');

  const list = await ann.emit('all_member', { room: 'tea' });
  const of = (id, role, username, online, n) => ({ id, role, username, online, message_count: n });
  assert.deepEqual(byId(list), [
    of('ann', 'agent', 'Ann', true, 0),
    of('bob', 'user', 'bob', true, 2),
    of('cat', 'user', 'Cat "c"', false, 0),
  ]);
  const theirs = await bob.emit('all_member', { room: 'tea' });
  assert.ok(theirs.every((member) => member.message_count === 0));
});

test('myUsersList is the same array, to the caller alone', async () => {
  const [dan, desk, eve] = await inRoom([nodes[0], nodes[0], nodes[1]], 'mine', 'dan', 'dan', 'eve');
  const list = await dan.emit('all_member'); // the room entered last
  const frame = await dan.next('myUsersList');
  assert.deepEqual(frame.data, list);
  assert.deepEqual(Object.keys(frame), ['event', 'data', 'text']);
  assert.deepEqual(byId(list).map(({ id }) => id), ['dan', 'eve']);
  await fence(redis, [dan, desk, eve]);
  for (const client of [desk, eve]) assert.equal(count(client, 'myUsersList'), 0);
});

test('without an ack the event comes all the same', async () => {
  const fay = await login(nodes[0], 'fay', { csId: 'f' });
  fay.send('all_member');
  const { data } = await fay.next('myUsersList');
  assert.deepEqual(data.map(({ id }) => id), ['fay']);
});

test('one who is not a member is refused', async () => {
  const gil = await login(nodes[1], 'gil');
  await refused(gil.emit('all_member', { room: 'tea' }), 'not_a_member');
  await gil.none('myUsersList');
});

const CROWD = 600;
const BIG = `for i = 1, tonumber(ARGV[1]) do
  local id = 'm' .. string.format('%04d', i)
  redis.call('ZADD', 'sluice:{room:big}:members', (redis.call('TIME')[1] - i) .. '000', id)
  if i % 2 == 0 then redis.call('HSET', 'sluice:{user:' .. id .. '}:profile', 'username', 'Member ' .. i, 'role', 'agent') end
end`;

test('a big room: 250 members without being asked for pages, all of them by pages', async () => {
  await redis.cli('EVAL', BIG, 0, CROWD);
  const hal = await login(nodes[0], 'hal');
  await hal.emit('join', { room: 'big' });
  const first = await hal.emit('all_member', { room: 'big' });
  assert.equal(first.length, 250);
  assert.equal(first[0].id, 'hal', 'who was seen last comes first');
  assert.deepEqual((await hal.next('myUsersList')).data, first);

  const all = [];
  let page = { cursor: undefined };
  do {
    page = await hal.emit('all_member', { room: 'big', limit: 100, cursor: page.cursor });
    assert.equal(page.total, CROWD + 1);
    assert.ok(page.members.length <= 100);
    all.push(...page.members);
  } while (page.cursor);
  assert.deepEqual(all.slice(0, 250), first);
  assert.equal(new Set(all.map(({ id }) => id)).size, CROWD + 1);
  const of = (id) => all.find((member) => member.id === id);
  assert.deepEqual(of('m0598'), { id: 'm0598', role: 'agent', username: 'Member 598', online: false, message_count: 0 });
  assert.deepEqual(of('m0599'), { id: 'm0599', role: 'user', username: 'm0599', online: false, message_count: 0 });
  await hal.none('myUsersList');
});

test('a page goes on although the member of its cursor has left or was seen again', async () => {
  const ida = await login(nodes[1], 'ida');
  await ida.emit('join', { room: 'big' });
  const page = await ida.emit('all_member', { room: 'big', limit: 10 });
  const at = page.members.at(-1).id;
  const next = await ida.emit('all_member', { room: 'big', limit: 10, cursor: page.cursor });
  await redis.cli('ZREM', 'sluice:{room:big}:members', at);
  assert.deepEqual((await ida.emit('all_member', { room: 'big', limit: 10, cursor: page.cursor })).members, next.members);
  const again = await login(nodes[0], at);
  await again.emit('join', { room: 'big' });
  assert.deepEqual((await ida.emit('all_member', { room: 'big', limit: 10, cursor: page.cursor })).members, next.members);
  await again.close();
});

test('many who ask at once share what is read', async () => {
  const some = await Promise.all(range(1, 20).map((i) => login(nodes[0], `at-once-${i}`)));
  for (const client of some) await client.emit('join', { room: 'big' });
  const watch = await watchScripts(redis);
  const before = await watch.calls('zrevrange');
  const lists = await Promise.all(some.map((client) => client.emit('all_member', { room: 'big' })));
  const reads = (await watch.calls('zrevrange')) - before;
  watch.stop();
  assert.ok(reads < 15, `${reads} reads for 20`);
  for (const list of lists) assert.deepEqual(byId(list).map(({ id }) => id), byId(lists[0]).map(({ id }) => id));
});

test('a page of a wrong form is refused', async () => {
  const jim = await login(nodes[0], 'jim');
  await jim.emit('join', { room: 'tea' });
  for (const limit of [0, 251, 'x', 1.5]) await refused(jim.emit('all_member', { limit }), 'bad_field', 'limit');
  for (const cursor of ['', 'x', '12', '12 ', 7, '99999999999999999 a', `1 ${'a'.repeat(200)}`]) {
    await refused(jim.emit('all_member', { cursor }), 'bad_field', 'cursor');
  }
  assert.equal((await jim.emit('all_member', { cursor: '1 nobody' })).members.length, 0);
  const gil = await login(nodes[1], 'gil-2');
  await refused(gil.emit('all_member', { room: 'big', limit: 10 }), 'not_a_member');
});
