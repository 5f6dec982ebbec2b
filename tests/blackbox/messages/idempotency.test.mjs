// clientMessageId: a repeat answers the first seq and timestamp, and nothing is sent twice.
import assert from 'node:assert/strict';
import { cluster, login, test } from '../lib/harness.mjs';
import { logged, range } from '../lib/frames.mjs';
import { fence } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

const receiver = (name) => ({
  private_message: [{ receiverId: `${name}-b` }, 'content', `user:${name}-b`],
  sendMessage: [{ room: `room-${name}` }, 'message', `room:room-${name}`],
  publish: [{ channel: `topic:${name}` }, 'data', `topic:${name}`],
});

// a on both nodes and b on the second, in a room and a topic.
async function setUp(name) {
  const [phone, desk, b] = await Promise.all([
    login(nodes[0], `${name}-a`), login(nodes[1], `${name}-a`), login(nodes[1], `${name}-b`),
  ]);
  for (const client of [phone, b]) {
    await client.emit('join', { room: `room-${name}` });
    await client.emit('subscribe', { channel: `topic:${name}` });
  }
  return { phone, desk, b };
}

for (const event of ['private_message', 'sendMessage', 'publish']) {
  test(`${event}: a repeat from any connection is the first`, async () => {
    const { phone, desk, b } = await setUp(event);
    const [fields, payload, channel] = receiver(event)[event];
    const send = (client, id, value) =>
      client.emit(event, { ...fields, [payload]: value, clientMessageId: id });
    const first = await send(phone, 'id-1', 'one');
    for (const client of [phone, desk]) {
      const { seq, timestamp } = await send(client, 'id-1', 'one again');
      assert.deepEqual([seq, timestamp], [first.seq, first.timestamp]);
    }
    const second = await send(phone, 'id-2', 'two');
    assert.equal(second.seq, first.seq + 1);
    const third = await send(phone, 7, 'three');
    assert.equal(third.seq, first.seq + 2);
    assert.equal((await send(desk, 7, 'three again')).seq, third.seq);
    await fence(redis, [phone, desk, b]);
    const got = logged(b, channel).map(({ data }) => (event === 'publish' ? data : data[payload]));
    assert.deepEqual(got, ['one', 'two', 'three']);
  });

  test(`${event}: many repeats at once, from two nodes`, async () => {
    const { phone, desk, b } = await setUp(`many-${event}`);
    const [fields, payload, channel] = receiver(`many-${event}`)[event];
    const message = { ...fields, [payload]: 'once', clientMessageId: 'x'.repeat(128) };
    const acks = await Promise.all(
      range(1, 20).map((i) => (i % 2 ? phone : desk).emit(event, message)),
    );
    assert.equal(new Set(acks.map(({ seq, timestamp }) => `${seq} ${timestamp}`)).size, 1);
    await fence(redis, [phone, desk, b]);
    assert.equal(logged(b, channel).length, 1);
  });

  test(`${event}: the same id of another sender is another message`, async () => {
    const { phone, b } = await setUp(`two-${event}`);
    const [fields, payload] = receiver(`two-${event}`)[event];
    const message = { ...fields, [payload]: 'mine', clientMessageId: 'same' };
    const one = await phone.emit(event, message);
    const to = event === 'private_message' ? { receiverId: `two-${event}-a` } : {};
    const two = await b.emit(event, { ...message, ...to });
    assert.equal(two.seq, one.seq + 1);
  });
}

test('without an id nothing is a repeat', async () => {
  const { phone } = await setUp('none');
  const one = await phone.emit('sendMessage', { message: 'x' });
  const two = await phone.emit('sendMessage', { message: 'x' });
  assert.equal(two.seq, one.seq + 1);
});

test('a resend after a reconnect is harmless', async () => {
  const { phone, b } = await setUp('resend');
  const all = range(1, 30).map((i) => ({ message: i, room: 'room-resend', clientMessageId: `m${i}` }));
  for (const one of all) phone.send('sendMessage', one);
  await b.next('chatMessage');
  phone.terminate(); // not one ack was heard
  const again = await login(nodes[1], 'resend-a', { resume: phone.positions });
  const acks = [];
  for (const one of all) acks.push(await again.emit('sendMessage', one));
  assert.deepEqual(acks.map(({ seq }) => seq), range(1, 30));
  await fence(redis, [b]);
  assert.deepEqual(logged(b, 'room:room-resend').map(({ data }) => data.message), range(1, 30));
});

test('while Redis\'s clock is behind the times it gave, since it was set back', async () => {
  const { phone } = await setUp('clock');
  await redis.cli('SET', 'sluice:clock', String((Date.now() + 3600000) * 1000));
  for (const event of ['private_message', 'sendMessage', 'publish']) {
    const [fields, payload] = receiver('clock')[event];
    const send = () =>
      phone.emit(event, { ...fields, [payload]: 'x', clientMessageId: 'id-1' });
    const first = await send();
    const { seq, timestamp } = await send();
    assert.deepEqual([seq, timestamp], [first.seq, first.timestamp], event);
  }
});
