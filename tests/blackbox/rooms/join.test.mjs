// join: logs in, enters a room, and tells the room.
import assert from 'node:assert/strict';
import { cluster, connect, login, test } from '../lib/harness.mjs';
import { logged, refused, roster } from '../lib/frames.mjs';
import { count, fence } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

test('join tells the others userJoined and all onlineUsers', async () => {
  const ann = await login(nodes[0], 'ann');
  const ack = await ann.emit('join', { room: 'tea' });
  assert.equal(ack.room, 'tea');
  assert.equal(ack.seq, 0);
  assert.match(ack.epoch, /^.+$/);
  const first = await ann.next('onlineUsers');
  assert.deepEqual(first.data, ['ann']);

  const bob = await login(nodes[1], 'bob');
  await bob.emit('join', { room: 'tea' });
  const joined = await ann.next('userJoined');
  assert.deepEqual(joined.data, { room: 'tea', userId: 'bob' });
  assert.equal(joined.channel, 'room:tea');
  assert.equal(joined.seq, 0);
  assert.ok(!('epoch' in joined));
  await ann.next('onlineUsers', roster('ann', 'bob'));
  await bob.next('onlineUsers', roster('ann', 'bob'));
  await fence(redis, [ann, bob]);
  assert.equal(count(ann, 'userJoined'), 1);
  assert.equal(count(bob, 'userJoined'), 0, 'the newcomer does not get its own');
});

test('join alone logs in as id', async () => {
  const cat = await connect(nodes[0]);
  const ack = await cat.emit('join', { id: 'cat', room: 'solo' });
  assert.equal(ack.room, 'solo');
  const dan = await connect(nodes[1]);
  await dan.emit('join', { id: 7, room: 'solo', username: 'Dan', role: 'guest' });
  assert.deepEqual((await cat.next('userJoined')).data, { room: 'solo', userId: '7' });
  const sent = await dan.emit('private_message', { receiverId: 'cat', content: 'hi' });
  assert.equal(sent.delivered, true);
  assert.equal((await cat.next('new_private_message')).data.senderId, '7');
  const list = await cat.emit('all_member', { room: 'solo' });
  const { username, role } = list.find(({ id }) => id === '7');
  assert.deepEqual({ username, role }, { username: 'Dan', role: 'guest' });
  // The same id again is fine, and login too.
  await dan.emit('join', { id: '7', room: 'solo' });
  await dan.emit('login', { userId: 7 });
});

test('join without id and login is refused', async () => {
  const nobody = await connect(nodes[0]);
  await assert.rejects(nobody.emit('join', { room: 'solo' }), { code: /missing_field|not_logged_in/ });
  await refused(nobody.emit('sendMessage', { room: 'solo', message: 'x' }), 'not_logged_in');
});

test('without a room it is the lobby, whatever was entered before', async () => {
  const eve = await login(nodes[0], 'eve', { csId: 'e' });
  assert.equal((await eve.emit('join')).room, 'lobby');
  await eve.emit('join', { room: 'elsewhere' });
  assert.equal((await eve.emit('join', {})).room, 'lobby');
});

test("the ack's position is the end of the log: what came before is not sent", async () => {
  const fay = await login(nodes[0], 'fay');
  await fay.emit('join', { room: 'old' });
  for (let i = 1; i <= 3; i++) await fay.emit('sendMessage', { room: 'old', message: i });
  const gil = await login(nodes[1], 'gil');
  const ack = await gil.emit('join', { room: 'old' });
  assert.equal(ack.seq, 3);
  assert.equal(ack.epoch, fay.positions['room:old'].epoch);
  await fay.emit('sendMessage', { room: 'old', message: 4 });
  const frame = await gil.next('chatMessage');
  assert.equal(frame.seq, 4);
  assert.equal(frame.data.message, 4);
});

test('a connection gets only the rooms that it entered itself', async () => {
  const phone = await login(nodes[0], 'hal');
  const desk = await login(nodes[1], 'hal');
  const ivy = await login(nodes[1], 'ivy');
  await ivy.emit('join', { room: 'own' });
  await phone.emit('join', { room: 'own' });
  await ivy.emit('sendMessage', { room: 'own', message: 'x' });
  await phone.next('chatMessage');
  // It belongs to the user all the same: the other one may speak there.
  await desk.emit('sendMessage', { room: 'own', message: 'from the desk' });
  await phone.next('chatMessage');
  await ivy.next('chatMessage', { match: ({ data }) => data.userId === 'hal' });
  await fence(redis, [desk]);
  assert.equal(logged(desk, 'room:own').length, 0);
});
