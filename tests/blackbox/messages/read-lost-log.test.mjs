// Read marks and unread counts when what they speak of is gone: a log that was deleted or expired, or
// that lost its end in a failover. A mark of what is gone must not count for what comes after.
import assert from 'node:assert/strict';
import { cluster, inRoom, test } from '../lib/harness.mjs';
import { hash } from '../lib/registry.mjs';

// Two users on two nodes who share a room.
async function pair(nodes, name) {
  const room = `room-${name}`;
  const dm = `dm:r-${name}:w-${name}`;
  const [writer, reader] = await inRoom(nodes, room, `w-${name}`, `r-${name}`);
  const write = async (n, from = writer, to = reader) => {
    for (let i = 0; i < n; i++) {
      await from.emit('private_message', { receiverId: to.user, content: i });
      await from.emit('sendMessage', { room, message: i });
    }
  };
  const unread = async (of = reader, from = writer) => {
    const list = await of.emit('all_member', { room });
    return list.find(({ id }) => id === from.user).message_count;
  };
  const read = async (seq) => {
    await reader.emit('read', { peer: writer.user, seq });
    await reader.emit('read', { room, seq });
  };
  const marks = async () => {
    const peer = await writer.emit('history', { peer: reader.user, marks: true });
    const own = await reader.emit('history', { room, marks: true });
    return [peer.read[reader.user], own.read[reader.user]];
  };
  return { room, dm, writer, reader, write, unread, read, marks };
}

test('logs and metas are deleted', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 2 });
  t.after(stop);
  const drop = ({ room, dm }, ...parts) =>
    redis.cli(
      'DEL',
      ...[dm, `room:${room}`].flatMap((name) => parts.map((part) => `sluice:{${name}}:${part}`)),
    );

  const a = await pair(nodes, 'a');
  await a.write(5);
  await a.read(5);
  assert.deepEqual(await a.marks(), [5, 5]);
  await drop(a, 'log', 'meta');
  assert.deepEqual(await a.marks(), [0, 0], 'at once');
  await a.write(2);
  assert.deepEqual(await a.marks(), [0, 0]);
  assert.equal(await a.unread(), 2);
  await a.read(1);
  assert.deepEqual(await a.marks(), [1, 1]);
  assert.equal(await a.unread(), 1);
  const heard = await a.writer.next('message_read', { match: ({ data }) => data.seq === 1 });
  assert.equal(heard.data.userId, a.reader.user);
  await a.read(9);
  assert.deepEqual(await a.marks(), [2, 2]);
  assert.equal(await a.unread(), 0);

  // What nobody has read is gone, too; of both.
  const b = await pair(nodes, 'b');
  await b.write(3);
  await b.write(4, b.reader, b.writer);
  assert.deepEqual([await b.unread(), await b.unread(b.writer, b.reader)], [3, 4]);
  await drop(b, 'log', 'meta');
  assert.deepEqual([await b.unread(), await b.unread(b.writer, b.reader)], [0, 0]);
  await b.write(1);
  assert.deepEqual([await b.unread(), await b.unread(b.writer, b.reader)], [1, 0]);
  await b.write(1, b.reader, b.writer);
  assert.deepEqual([await b.unread(), await b.unread(b.writer, b.reader)], [1, 1]);
  await b.read(2);
  assert.equal(await b.unread(), 0);

  // Nothing comes after it: any reading clears the count, and makes nothing.
  const c = await pair(nodes, 'c');
  await c.write(3);
  await drop(c, 'log', 'meta');
  await c.reader.emit('read', { peer: c.writer.user, seq: 3 });
  assert.deepEqual(await hash(redis, `sluice:{user:${c.reader.user}}:unread`), {});
  assert.equal(await redis.cli('EXISTS', `sluice:{${c.dm}}:meta`), '0');

  // Only the log, as when it has expired: meta remembers it.
  const d = await pair(nodes, 'd');
  await d.write(3);
  await d.read(1);
  await drop(d, 'log');
  assert.equal(await d.unread(), 0, 'there is nothing to read');
  await d.write(2);
  assert.equal(await d.unread(), 2);
  assert.deepEqual(await d.marks(), [1, 1]);
  await d.read(4);
  assert.equal(await d.unread(), 1);
  assert.deepEqual(await d.marks(), [4, 4]);

  // Only meta: the log tells how many each has sent, and marks are good.
  const e = await pair(nodes, 'e');
  await e.write(4);
  await e.write(1, e.reader, e.writer);
  await e.read(2);
  await drop(e, 'meta');
  assert.deepEqual(await e.marks(), [2, 2]);
  await e.write(2);
  assert.equal(await e.unread(), 4);
  await e.read(6);
  assert.equal(await e.unread(), 1);
  assert.deepEqual(await e.marks(), [6, 6]);
});

test('marks from before they knew an epoch are read', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 2 });
  t.after(stop);
  const a = await pair(nodes, 'old');
  await a.write(5);
  await a.read(1);
  for (const name of [a.dm, `room:${a.room}`]) {
    await redis.cli('HSET', `sluice:{${name}}:read`, a.reader.user, 3);
    await redis.cli('HDEL', `sluice:{${name}}:meta`, 'read');
  }
  assert.deepEqual(await a.marks(), [3, 3]);
  await a.read(2);
  assert.deepEqual(await a.marks(), [3, 3], 'it never falls');
  await a.read(4);
  assert.deepEqual(await a.marks(), [4, 4]);
  assert.equal(await a.unread(), 1);
});

test('a failover without the last messages', async (t) => {
  const config = { appendonly: 'no' };
  const { redis, nodes, stop } = await cluster({ nodes: 2, redis: { config } });
  t.after(stop);
  const a = await pair(nodes, 'tail');
  const names = [a.dm, `room:${a.room}`];
  // As if a mark of what was lost was not lost: in the form that tells its epoch, or without.
  const failover = async (seq, isPlain) => {
    const metas = await Promise.all(names.map((name) => hash(redis, `sluice:{${name}}:meta`)));
    await redis.cli('SAVE');
    await redis.kill();
    for (const node of nodes) await node.untilNotReady();
    await redis.restart();
    for (const node of nodes) await node.untilReady();
    for (const [i, name] of names.entries()) {
      // Who wrote marks without an epoch did not know whose they are.
      if (isPlain) await redis.cli('HDEL', `sluice:{${name}}:meta`, 'read');
      const mark = isPlain ? seq : `${seq} ${metas[i].epoch}`;
      await redis.cli('HSET', `sluice:{${name}}:read`, a.reader.user, mark);
    }
  };
  await a.write(4);
  await a.read(2);
  await failover(7, true);
  await a.write(5);
  assert.deepEqual(await a.marks(), [4, 4], 'it counts up to where its epoch was over');
  await a.read(1);
  assert.equal(await a.unread(), 5);
  await a.read(5);
  assert.deepEqual(await a.marks(), [5, 5]);
  assert.equal(await a.unread(), 4);
  await failover(12, false);
  await a.write(4);
  assert.deepEqual(await a.marks(), [9, 9]);
  await a.read(8);
  assert.deepEqual(await a.marks(), [9, 9]);
  assert.equal(await a.unread(), 4);
  await a.read(13);
  assert.deepEqual(await a.marks(), [13, 13]);
  assert.equal(await a.unread(), 0);
  const { epoch } = await hash(redis, `sluice:{${a.dm}}:meta`);
  assert.deepEqual(await hash(redis, `sluice:{${a.dm}}:read`), { [a.reader.user]: `13 ${epoch}` });
});
