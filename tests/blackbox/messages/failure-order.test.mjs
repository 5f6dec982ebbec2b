// When a message fails with `unavailable`, those that wait behind it fail too: order survives.
import assert from 'node:assert/strict';
import { chats } from '../lib/frames.mjs';
import { cluster, connect, inRoom, login, sleep, test, until } from '../lib/harness.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

test('a message that Redis refuses takes those behind it along', async () => {
  const [ann, bob] = await inRoom(nodes, 'good', 'ann', 'bob');
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
  const got = chats(bob);
  assert.deepEqual(
    got.map(({ data }) => data.message),
    ['one', 'two', 'three', 'five'],
  );
  await bob.none('new_private_message');
});

test('so do messages that were on their way when it failed', async () => {
  const [cat, dan] = await inRoom(nodes, 'late', 'cat', 'dan');
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
  const got = chats(dan);
  assert.deepEqual(
    got.map(({ data }) => data.message),
    ['one', 'two', 'four'],
  );
  await dan.none('new_private_message');
});

test('a message that names the one before it fails with it, however late it comes', async () => {
  const [eve, fay] = await inRoom(nodes, 'named', 'eve', 'fay');
  await eve.emit('join', { room: 'bad' });
  const send = (room, message, after) =>
    eve.emit('sendMessage', { room, message, clientMessageId: message, after });
  const refused = { code: 'unavailable', outcome: 'refused' };
  await send('named', 'zero');
  await assert.rejects(send('bad', 'one', 'zero'), { code: 'unavailable' });
  await sleep(2100); // over a slow line
  await assert.rejects(send('named', 'two', 'one'), refused);
  await assert.rejects(send('named', 'three', 'two'), refused);
  await send('named', 'one', undefined);
  for (const [message, after] of [['two', 'one'], ['three', 'two'], ['four', 'three']])
    await send('named', message, after);
  await fay.next('chatMessage', { match: ({ data }) => data.message === 'four' });
  const got = chats(fay);
  assert.deepEqual(
    got.map(({ data }) => data.message),
    ['zero', 'one', 'two', 'three', 'four'],
  );
  // Behind one that no repeat can help it goes on; so it does behind one that is not known.
  await assert.rejects(eve.emit('sendMessage', { room: 5, message: 'x', clientMessageId: 'x' }));
  await send('named', 'five', 'x');
  await send('named', 'six', 'nobody');
  // But one that is not a member may join and send it again.
  await assert.rejects(send('other', 'seven'), { code: 'not_a_member' });
  await assert.rejects(send('named', 'eight', 'seven'), refused);
  await send('named', 'nine');
});

test('over the rate in the middle: those that come after it fail, too', async (t) => {
  const own = await cluster({ redis, nodes: 1, args: ['--rate-limit', '10'] });
  t.after(own.stop);
  const gil = await login(own.nodes[0], 'gil');
  const hal = await login(nodes[1], 'hal');
  await hal.emit('subscribe', { channel: 'topic:rate' });
  const send = (i) =>
    gil.emit('publish', { channel: 'topic:rate', data: i, clientMessageId: `m${i}` });
  let waiting = Array.from({ length: 40 }, (_, i) => i);
  let rounds = 0;
  while (waiting.length && rounds < 100) {
    rounds++;
    // One every 10 ms: between two that pass, some are over the rate.
    const sent = [];
    for (const i of waiting) {
      sent.push(send(i).then(() => null, ({ code }) => (assert.equal(code, 'rate_limited'), i)));
      await sleep(10);
    }
    waiting = (await Promise.all(sent)).filter((i) => i !== null);
    // A refused message counts, too: at 100 a second the first one rarely finds that it may pass.
    await sleep(100);
  }
  assert.ok(rounds > 1);
  await hal.next('message', { match: ({ data }) => data === 39 });
  const got = hal.frames.filter(({ event }) => event === 'message').map(({ data }) => data);
  assert.deepEqual(got, Array.from({ length: 40 }, (_, i) => i));
});

const whole = { single: 'a Cluster comes back in parts, and it is told after each' };

test('available: told once Redis is back, to those that asked and were refused', whole, async (t) => {
  const own = await cluster({ nodes: 1, args: ['--redis-timeout', '1s'] });
  t.after(own.stop);
  const asks = await connect(own.nodes[0]);
  await asks.emit('login', { userId: 'asks', available: true });
  const idle = await connect(own.nodes[0]);
  await idle.emit('login', { userId: 'idle', available: true });
  const plain = await login(own.nodes[0], 'plain');
  await own.redis.stop();
  const early = await connect(own.nodes[0]);
  const refused = { code: 'unavailable' };
  await until(() =>
    plain.emit('publish', { channel: 'topic:a', data: 1 }).then(() => false, () => true),
  );
  await assert.rejects(asks.emit('publish', { channel: 'topic:a', data: 1 }), refused);
  await assert.rejects(early.emit('login', { userId: 'early', available: true }), refused);
  await own.redis.restart();
  await asks.next('available');
  await early.next('available');
  await asks.emit('publish', { channel: 'topic:a', data: 2 });
  await early.emit('login', { userId: 'early' });
  for (const client of [asks, idle, plain, early]) await client.emit('heartbeat', {});
  const told = ({ frames }) => frames.filter(({ event }) => event === 'available').length;
  assert.deepEqual([asks, idle, plain, early].map(told), [1, 0, 0, 1]);
});
