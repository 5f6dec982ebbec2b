// sendMessage: to every member on every node, the sender included.
import assert from 'node:assert/strict';
import { cluster, inRoom, login, test } from '../lib/harness.mjs';
import { logged, range, refused, seqs } from '../lib/frames.mjs';
import { fence } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

test('every member gets it once, the sender included', async () => {
  const all = await inRoom(nodes, 'tea', 'ann', 'bob', 'cat');
  const stranger = await login(nodes[1], 'stranger');
  const { seq, timestamp, ...rest } = await all[0].emit('sendMessage', { room: 'tea', message: 'hi' });
  assert.deepEqual(rest, {});
  for (const client of all) {
    const frame = await client.next('chatMessage');
    assert.deepEqual(frame.data, { room: 'tea', userId: 'ann', message: 'hi', timestamp, seq });
    assert.equal(frame.channel, 'room:tea');
    assert.equal(frame.seq, seq);
  }
  await fence(redis, [...all, stranger]);
  for (const client of all) assert.equal(logged(client, 'room:tea').length, 1);
  assert.equal(logged(stranger, 'room:tea').length, 0);
});

test('the members of the frame have their order', async () => {
  const [, bob] = await inRoom(nodes, 'order', 'ann1', 'bob1');
  await bob.emit('sendMessage', { room: 'order', message: 'x' });
  const { text } = await bob.next('chatMessage');
  assert.match(
    text,
    /^\{"channel":"room:order","epoch":"[^"]+","seq":1,"time":\d{16},"event":"chatMessage","data":\{.*\}\}$/,
  );
});

test('time never falls, seq has no holes, whoever sends', async () => {
  const clients = await inRoom(nodes, 'times', 'ann2', 'bob2', 'cat2');
  const each = range(1, 20);
  await Promise.all(
    clients.flatMap((client) => each.map((i) => client.emit('sendMessage', { message: i }))),
  );
  for (const client of clients) {
    const frames = [];
    while (frames.length < 60) frames.push(await client.next('chatMessage'));
    assert.deepEqual(seqs(frames), range(1, 60));
    for (let i = 1; i < 60; i++) assert.ok(frames[i].time >= frames[i - 1].time);
  }
});

test('the string form goes to the room entered last', async () => {
  const dan = await login(nodes[0], 'dan', { csId: 'd' });
  const eve = await login(nodes[1], 'eve', { csId: 'd' });
  await dan.emit('sendMessage', 'to the desk');
  const frame = await eve.next('chatMessage');
  assert.equal(frame.data.room, 'room-d');
  assert.equal(frame.data.message, 'to the desk');
  await eve.emit('join', { room: 'second' });
  await dan.emit('join', { room: 'second' });
  await dan.emit('sendMessage', 'to the second');
  await dan.emit('sendMessage', { message: { also: 1 } });
  await dan.emit('sendMessage', { room: 'room-d', message: 'back' });
  const get = async () => (await eve.next('chatMessage')).data;
  assert.deepEqual([(await get()).room, (await get()).message], ['second', { also: 1 }]);
  assert.deepEqual((await get()).room, 'room-d');
});

test('who entered no room speaks to the lobby', async () => {
  const [, gil] = await inRoom(nodes, 'lobby', 'fay', 'gil');
  const again = await login(nodes[0], 'fay'); // fay is a member by her other connection
  await again.emit('sendMessage', 'from nowhere');
  assert.equal((await gil.next('chatMessage')).data.room, 'lobby');
});

test('one who is not a member is refused, and nothing is sent', async () => {
  const [hal] = await inRoom(nodes, 'closed', 'hal');
  const ivy = await login(nodes[1], 'ivy');
  await refused(ivy.emit('sendMessage', { room: 'closed', message: 'x' }), 'not_a_member');
  await refused(ivy.emit('sendMessage', 'x'), 'not_a_member');
  await refused(ivy.emit('sendMessage', { room: 'no-such', message: 'x' }), 'not_a_member');
  await hal.emit('sendMessage', { room: 'closed', message: 'mine' });
  const frame = await hal.next('chatMessage');
  assert.equal(frame.seq, 1);
  assert.equal(frame.data.message, 'mine');
});
