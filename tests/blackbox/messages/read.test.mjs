// read and the unread counts of all_member; message_read to the peer.
import assert from 'node:assert/strict';
import { cluster, inRoom, login, test } from '../lib/harness.mjs';
import { range } from '../lib/frames.mjs';
import { count, fence } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

// Two users on two nodes who share a room; unread(): what `reader` has not read of `writer`.
async function pair(name) {
  const room = `room-of-${name}`;
  const [writer, reader] = await inRoom(nodes, room, `w-${name}`, `r-${name}`);
  const write = async (n) => {
    let ack;
    for (let i = 0; i < n; i++) {
      ack = await writer.emit('private_message', { receiverId: reader.user, content: i });
    }
    return ack.seq;
  };
  const unread = async () => {
    const list = await reader.emit('all_member', { room });
    return list.find(({ id }) => id === writer.user).message_count;
  };
  const read = (seq) => reader.emit('read', { peer: writer.user, seq });
  return { room, writer, reader, write, unread, read };
}

test('private messages count until they are read', async () => {
  const { write, unread, read } = await pair('a');
  assert.equal(await unread(), 0);
  assert.equal(await write(5), 5);
  assert.equal(await unread(), 5);
  assert.deepEqual(await read(3), {});
  assert.equal(await unread(), 2);
  await read(1);
  assert.equal(await unread(), 2, 'it never rises');
  await read(5);
  assert.equal(await unread(), 0);
  await write(2);
  assert.equal(await unread(), 2);
  await read(5);
  assert.equal(await unread(), 2);
  await read(7);
  assert.equal(await unread(), 0);
});

test("one's own messages in between do not count", async () => {
  const { writer, reader, write, unread, read } = await pair('b');
  await write(2); // 1 2
  for (let i = 0; i < 3; i++) {
    await reader.emit('private_message', { receiverId: writer.user, content: i }); // 3 4 5
  }
  await write(2); // 6 7
  assert.equal(await unread(), 4);
  await read(4);
  assert.equal(await unread(), 2);
  await read(6);
  assert.equal(await unread(), 1);
  const list = await writer.emit('all_member');
  assert.equal(list.find(({ id }) => id === reader.user).message_count, 3);
});

test('the counts of two peers are apart', async () => {
  const { room, reader, write, unread, read } = await pair('c');
  const third = await login(nodes[0], 'third-c');
  await third.emit('join', { room });
  await write(2);
  await third.emit('private_message', { receiverId: reader.user, content: 'x' });
  await read(2);
  assert.equal(await unread(), 0);
  const list = await reader.emit('all_member', { room });
  assert.equal(list.find(({ id }) => id === 'third-c').message_count, 1);
});

test('the peer gets message_read on every device, ephemeral', async () => {
  const { writer, reader, write, read } = await pair('d');
  const desk = await login(nodes[1], writer.user);
  await write(3);
  await read(2);
  for (const client of [writer, desk]) {
    const frame = await client.next('message_read');
    assert.deepEqual(frame.data, { userId: reader.user, peer: writer.user, seq: 2 });
    assert.equal(frame.channel, `user:${writer.user}`);
    assert.equal(frame.seq, 0);
    assert.ok(!('epoch' in frame));
  }
  await fence(redis, [writer, desk, reader]);
  assert.equal(count(writer, 'message_read'), 1);
  assert.equal(count(desk, 'message_read'), 1);
  assert.equal(count(reader, 'message_read'), 0);
});

test('a reading on one device counts on the other, and for ever', async () => {
  const { room, reader, writer, write, read, unread } = await pair('e');
  await write(4);
  const phone = await login(nodes[0], reader.user);
  await phone.emit('read', { peer: writer.user, seq: 4 });
  assert.equal(await unread(), 0);
  await write(1);
  await Promise.all([phone.close(), reader.close()]);
  const back = await login(nodes[0], reader.user);
  const list = await back.emit('all_member', { room });
  assert.equal(list.find(({ id }) => id === writer.user).message_count, 1);
  await assert.rejects(read(5)); // closed
});

test('messages that came while away count', async () => {
  const { room, reader, writer, write } = await pair('f');
  await reader.close();
  await write(3);
  const back = await login(nodes[1], reader.user);
  const list = await back.emit('all_member', { room });
  assert.equal(list.find(({ id }) => id === writer.user).message_count, 3);
});

test('a repeat with the same clientMessageId counts once', async () => {
  const { writer, reader, unread } = await pair('g');
  for (let i = 0; i < 3; i++) {
    const message = { receiverId: reader.user, content: 'x', clientMessageId: 'same' };
    await writer.emit('private_message', message);
  }
  assert.equal(await unread(), 1);
});

test('unread falls with many readings at once, and ends at none', async () => {
  const { write, read, unread } = await pair('h');
  await write(20);
  await Promise.all(range(1, 20).reverse().map(read));
  assert.equal(await unread(), 0);
});

test('read of a room is acknowledged to its member', async () => {
  const { room, writer, reader } = await pair('i');
  await writer.emit('sendMessage', { room, message: 'x' });
  assert.deepEqual(await reader.emit('read', { room, seq: 1 }), {});
  assert.deepEqual(await reader.emit('read', { room, seq: 1 }), {});
});

test('history tells on demand how far each has read', async () => {
  const { room, writer, reader, write, read } = await pair('j');
  await write(3);
  const marks = async (client, asked) =>
    (await client.emit('history', { ...asked, marks: true })).read;
  assert.deepEqual(await marks(writer, { peer: reader.user }), { [writer.user]: 0, [reader.user]: 0 });
  await read(2);
  assert.deepEqual(await marks(writer, { peer: reader.user }), { [writer.user]: 0, [reader.user]: 2 });
  assert.deepEqual(await marks(reader, { peer: writer.user, before: 1 }), {
    [writer.user]: 0,
    [reader.user]: 2,
  });
  assert.deepEqual(await marks(reader, { peer: reader.user }), { [reader.user]: 0 });
  await writer.emit('sendMessage', { room, message: 'x' });
  await reader.emit('read', { room, seq: 1 });
  await writer.emit('read', { room, seq: 1 });
  assert.deepEqual(await marks(reader, { room }), { [reader.user]: 1 });
  assert.deepEqual(Object.keys(await reader.emit('history', { room })), ['messages', 'more']);
  await assert.rejects(reader.emit('history', { room, marks: 'yes' }), {
    code: 'bad_field',
    field: 'marks',
  });
});
