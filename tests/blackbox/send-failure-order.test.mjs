// When a message fails with `unavailable`, those that wait behind it fail too: order survives.
import assert from 'node:assert/strict';
import { cluster, login, test, until } from './lib/harness.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

test('a message that Redis refuses takes those behind it along', async () => {
  const ann = await login(nodes[0], 'ann');
  const bob = await login(nodes[1], 'bob');
  for (const client of [ann, bob]) await client.emit('join', { room: 'good' });
  await ann.emit('join', { room: 'bad' });
  await redis.cli('SET', 'sluice:{room:bad}:log', 'no stream'); // appends to it fail, others work
  const send = (room, message) =>
    ann.emit('sendMessage', { room, message, clientMessageId: message });

  // In one segment, so that all of them are there while the first is on its way.
  ann.socket._socket.cork();
  const all = [send('bad', 'one'), send('good', 'two'), send('good', 'three')];
  all.push(ann.emit('private_message', { receiverId: 'bob', content: 'four' }));
  all.push(ann.emit('history', { room: 'good' }));
  ann.socket._socket.uncork();
  const results = await Promise.allSettled(all);
  const codes = results.map(({ status, reason }) => reason?.code ?? status);
  const four = Array(4).fill('unavailable');
  assert.deepEqual(codes, [...four, 'fulfilled'], 'what appends nothing goes on');
  for (const { reason } of results.slice(1, 4)) assert.equal(reason.outcome, 'refused');

  // None of them was sent; resent, they come in order.
  for (const message of ['one', 'two', 'three', 'five']) await send('good', message);
  await bob.next('chatMessage', { match: ({ data }) => data.message === 'five' });
  const got = bob.frames.filter(({ event }) => event === 'chatMessage');
  assert.deepEqual(
    got.map(({ data }) => data.message),
    ['one', 'two', 'three', 'five'],
  );
  await bob.none('new_private_message');
});

test('so do messages that were on their way when it failed', async () => {
  const cat = await login(nodes[0], 'cat');
  const dan = await login(nodes[1], 'dan');
  for (const client of [cat, dan]) await client.emit('join', { room: 'late' });
  await cat.emit('join', { room: 'bad' });
  const send = (room, message, id = message) =>
    cat.emit('sendMessage', { room, message, clientMessageId: id });
  const refused = { code: 'unavailable', outcome: 'refused' };

  await assert.rejects(send('bad', 'one'), { code: 'unavailable' });
  await assert.rejects(send('late', 'two'), refused); // as if sent before the answer came
  await assert.rejects(cat.emit('private_message', { receiverId: 'dan', content: 'x' }), refused);
  for (const message of ['one', 'two']) await send('late', message);

  // A client that gives a message up is not held for long.
  await assert.rejects(send('bad', 'three'), { code: 'unavailable' });
  const begin = Date.now();
  await until(() => send('late', 'four'));
  assert.ok(Date.now() - begin > 1000, 'it was held');
  await dan.next('chatMessage', { match: ({ data }) => data.message === 'four' });
  const got = dan.frames.filter(({ event }) => event === 'chatMessage');
  assert.deepEqual(
    got.map(({ data }) => data.message),
    ['one', 'two', 'four'],
  );
  await dan.none('new_private_message');
});
