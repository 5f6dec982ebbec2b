// leave: the membership ends, for all of the user's connections.
import assert from 'node:assert/strict';
import { cluster, inRoom, login, test, until } from '../lib/harness.mjs';
import { logged, refused, roster } from '../lib/frames.mjs';
import { count, fence } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

// Two devices of user `a`, and one of user `b`, on two nodes, all in the room.
const three = (room, a, b) => inRoom([nodes[0], nodes[1], nodes[1]], room, a, a, b);

test('the others hear of it, and a roster without the one who left', async () => {
  const [ann, , bob] = await three('tea', 'ann', 'bob');
  await bob.next('onlineUsers', roster('ann', 'bob'));
  assert.deepEqual(await ann.emit('leave', { room: 'tea' }), {});
  const left = await bob.next('userLeft');
  assert.deepEqual(left.data, { room: 'tea', userId: 'ann' });
  assert.equal(left.channel, 'room:tea');
  await bob.next('onlineUsers', roster('bob'));
  await fence(redis, [ann, bob]);
  assert.equal(count(bob, 'userLeft'), 1);
  assert.equal(count(bob, 'user_offline', 'ann'), 0, 'ann is still online');
});

test('no device of the user gets the room any more, and none may speak there', async () => {
  const [phone, desk, bob] = await three('out', 'cat', 'dan');
  await phone.emit('leave', { room: 'out' });
  await bob.next('userLeft');
  await fence(redis, [phone, desk]);
  // The other node asks Redis before it takes its device out.
  await until(async () => {
    const before = logged(desk, 'room:out').length;
    await bob.emit('sendMessage', { room: 'out', message: 'probe' });
    await fence(redis, [desk, bob]);
    return logged(desk, 'room:out').length === before;
  });
  const before = [phone, desk].map((client) => client.frames.length);
  await bob.emit('sendMessage', { room: 'out', message: 'secret' });
  await bob.next('chatMessage', { match: ({ data }) => data.message === 'secret' });
  await fence(redis, [phone, desk]);
  for (const [i, client] of [phone, desk].entries()) {
    const got = client.frames.slice(before[i]).filter((frame) => frame.channel === 'room:out');
    assert.deepEqual(got, [], 'nothing of the room');
    await refused(client.emit('sendMessage', { room: 'out', message: 'x' }), 'not_a_member');
    await refused(client.emit('history', { room: 'out' }), 'not_a_member');
    await refused(client.emit('all_member', { room: 'out' }), 'not_a_member');
    await refused(client.emit('typing', { room: 'out' }), 'not_a_member');
    await refused(client.emit('read', { room: 'out', seq: 1 }), 'not_a_member');
  }
});

test("the user's other devices are told, the one that left is not", async () => {
  const [phone, desk, bob] = await three('told', 'kim', 'lee');
  await phone.emit('leave', { room: 'told' });
  const frame = await desk.next('userLeft');
  assert.equal(frame.text, '{"event":"userLeft","data":{"room":"told","userId":"kim"}}');
  await fence(redis, [phone, desk, bob]);
  assert.deepEqual([phone, desk, bob].map((client) => count(client, 'userLeft')), [0, 1, 1]);
});

test('one who comes back gets the room again, on that connection', async () => {
  const [phone, desk, bob] = await three('back', 'eve', 'fay');
  await phone.emit('leave', { room: 'back' });
  await bob.next('userLeft');
  await bob.emit('sendMessage', { room: 'back', message: 'missed' });
  const ack = await phone.emit('join', { room: 'back' });
  assert.equal(ack.seq, 1);
  await bob.next('userJoined', { match: ({ data }) => data.userId === 'eve' });
  await bob.emit('sendMessage', { room: 'back', message: 'hello again' });
  const frame = await phone.next('chatMessage');
  assert.equal(frame.data.message, 'hello again');
  await fence(redis, [phone, desk]);
  assert.equal(logged(phone, 'room:back').length, 1);
});

test('the room left out is the one entered last, else the lobby', async () => {
  const gil = await login(nodes[0], 'gil', { csId: 'g' });
  const hal = await login(nodes[1], 'hal', { csId: 'g' });
  await gil.emit('leave');
  assert.deepEqual((await hal.next('userLeft')).data, { room: 'room-g', userId: 'gil' });

  await gil.emit('join');
  await hal.emit('join', {});
  await gil.next('userJoined', { match: ({ data }) => data.userId === 'hal' });
  await gil.emit('leave', {});
  assert.deepEqual((await hal.next('userLeft')).data, { room: 'lobby', userId: 'gil' });
});

test('leaving one room leaves the others', async () => {
  const [ivy, , jim] = await three('one', 'ivy', 'jim');
  await ivy.emit('join', { room: 'two' });
  await jim.emit('join', { room: 'two' });
  await ivy.emit('leave', { room: 'one' });
  await jim.emit('sendMessage', { room: 'two', message: 'here' });
  assert.equal((await ivy.next('chatMessage')).data.room, 'two');
  const list = await jim.emit('all_member', { room: 'one' });
  assert.deepEqual(list.map(({ id }) => id), ['jim']);
});
