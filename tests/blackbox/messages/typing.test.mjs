// typing: ephemeral, to the receiver or to the room's others.
import assert from 'node:assert/strict';
import { cluster, inRoom, login, test } from '../lib/harness.mjs';
import { refused } from '../lib/frames.mjs';
import { count, fence } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

const ephemeral = (frame, channel) => {
  assert.match(frame.text, /^\{"channel":"[^"]+","seq":0,"time":\d{16},"event":"typing","data":/);
  assert.equal(frame.channel, channel);
};

test("the receiver's devices get it", async () => {
  const ann = await login(nodes[0], 'ann');
  const bobs = [await login(nodes[0], 'bob'), await login(nodes[1], 'bob')];
  const cat = await login(nodes[1], 'cat');
  assert.deepEqual(await ann.emit('typing', { receiverId: 'bob' }), {});
  for (const bob of bobs) {
    const frame = await bob.next('typing');
    assert.deepEqual(frame.data, { senderId: 'ann', receiverId: 'bob' });
    ephemeral(frame, 'user:bob');
  }
  await fence(redis, [ann, cat, ...bobs]);
  for (const client of [ann, cat]) assert.equal(count(client, 'typing'), 0);
});

test("the room's others get it", async () => {
  const dan = await login(nodes[0], 'dan');
  const others = [await login(nodes[0], 'eve'), await login(nodes[1], 'fay')];
  for (const client of [dan, ...others]) await client.emit('join', { room: 'tea' });
  assert.deepEqual(await dan.emit('typing', { room: 'tea' }), {});
  await dan.emit('typing'); // the room entered last
  for (const client of others) {
    for (let i = 0; i < 2; i++) {
      const frame = await client.next('typing');
      assert.deepEqual(frame.data, { userId: 'dan', room: 'tea' });
      ephemeral(frame, 'room:tea');
    }
  }
  await fence(redis, [dan, ...others]);
  assert.equal(count(dan, 'typing'), 0);
});

test('it is not kept: not in history, not in a resume', async () => {
  const [gil, hal] = await inRoom(nodes, 'kept', 'gil', 'hal');
  hal.terminate();
  await gil.emit('typing', { room: 'kept' });
  await gil.emit('typing', { receiverId: 'hal' });
  await gil.emit('sendMessage', { room: 'kept', message: 'x' });
  const back = await login(nodes[0], 'hal', { resume: hal.positions });
  assert.equal(back.ack.recovered, true);
  assert.equal((await back.next('chatMessage')).seq, 1);
  assert.equal(count(back, 'typing'), 0);
  assert.equal((await gil.emit('history', { room: 'kept' })).messages.length, 1);
});

test('one who is not a member is refused', async () => {
  const ivy = await login(nodes[1], 'ivy');
  await refused(ivy.emit('typing', { room: 'tea' }), 'not_a_member');
});
