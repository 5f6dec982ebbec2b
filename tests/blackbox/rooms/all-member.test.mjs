// all_member: the members of a room, online or not, as the caller sees them.
import assert from 'node:assert/strict';
import { cluster, inRoom, login, test } from '../lib/harness.mjs';
import { refused } from '../lib/frames.mjs';
import { count, fence } from '../lib/registry.mjs';

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
