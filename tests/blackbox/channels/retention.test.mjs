// Retention: old heads are trimmed by appends, logs are bounded, and what is gone is said.
import assert from 'node:assert/strict';
import { chats } from '../lib/frames.mjs';
import { cluster, inRoom, login, sleep, test, until } from '../lib/harness.mjs';
import { log } from '../lib/registry.mjs';

test('an append trims what is older than the retention', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 2, args: ['--room-retention', '2s'] });
  t.after(stop);
  const [ann, bob] = await inRoom(nodes, 'r', 'ann', 'bob');
  let sent = 0;
  const send = () => ann.emit('sendMessage', { room: 'r', message: ++sent });
  const old = await send();
  const early = structuredClone((await bob.next('chatMessage')) && bob.positions);
  const begun = Date.now();
  while (Date.now() - begun < 4500) {
    await send();
    await sleep(50);
  }
  const entries = await log(redis, 'room:r');
  const now = entries.at(-1).frame.time / 1000;
  assert.ok(entries.length > 10, 'what is young stays');
  // Trimming need not be exact, but the log must not reach back twice as far.
  assert.ok(entries[0].frame.time / 1000 > now - 4000, 'old heads are gone');
  assert.ok(entries[0].frame.seq > old.seq);
  assert.deepEqual(
    entries.map(({ frame }) => frame.seq),
    Array.from(entries, (_, i) => entries[0].frame.seq + i),
  );

  // Live sockets got all of it; a position from before is lost, and that is said.
  await bob.next('chatMessage', { match: ({ data }) => data.message === sent });
  assert.equal(chats(bob).length, sent);
  await bob.none('channel_reset');
  const back = await login(nodes[0], 'bob', { resume: { 'room:r': early['room:r'] } });
  assert.equal(back.ack.recovered, false);
  assert.deepEqual(back.ack.lost, ['room:r']);
  assert.equal(back.ack.resume['room:r'].seq, sent);
  const { messages } = await back.emit('history', { room: 'r', limit: 100 });
  assert.ok(messages.length > 0 && messages[0].message > 1);
});

test('history-max bounds a log', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 2, args: ['--history-max', '10'] });
  t.after(stop);
  const ann = await login(nodes[0], 'ann');
  const bob = await login(nodes[1], 'bob');
  for (const client of [ann, bob]) {
    await client.emit('join', { room: 'r' });
    await client.emit('subscribe', { channel: 'topic:t' });
  }
  for (let i = 1; i <= 30; i++) {
    await ann.emit('sendMessage', { room: 'r', message: i });
    await ann.emit('publish', { channel: 'topic:t', data: i });
    await ann.emit('private_message', { receiverId: 'bob', content: i });
  }
  for (const channel of ['room:r', 'topic:t', 'dm:ann:bob', 'user:bob', 'user:ann']) {
    const entries = await log(redis, channel);
    assert.deepEqual(
      entries.map(({ id }) => id),
      Array.from({ length: 10 }, (_, i) => `${i + 21}-0`),
      channel,
    );
  }
  await bob.next('new_private_message', { match: ({ data }) => data.content === 30 });
  assert.equal(chats(bob).length, 30);

  const epoch = bob.positions['room:r'].epoch;
  const resume = (seq) => login(nodes[0], 'bob', { resume: { 'room:r': { epoch, seq } } });
  const good = await resume(20);
  assert.equal(good.ack.recovered, true);
  await good.next('chatMessage', { match: ({ seq }) => seq === 30 });
  assert.equal(chats(good).length, 10);
  const lost = await resume(19);
  assert.equal(lost.ack.recovered, false);
  assert.equal(lost.ack.resume['room:r'].seq, 30);
});

test('meta outlives its log: seqs go on, a member who comes back is told', async (t) => {
  const args = ['--room-retention', '1s', '--inbox-retention', '1s'];
  const { redis, nodes, stop } = await cluster({ nodes: 2, args });
  t.after(stop);
  const [ann, bob] = await inRoom(nodes, 'r', 'ann', 'bob');
  await ann.emit('sendMessage', { room: 'r', message: 1 });
  await bob.next('chatMessage');
  const positions = structuredClone(bob.positions);
  await bob.close();
  await ann.emit('sendMessage', { room: 'r', message: 2 });
  await ann.next('chatMessage', { match: ({ seq }) => seq === 2 });
  await ann.close();
  await until(async () => (await redis.cli('EXISTS', 'sluice:{room:r}:log')) === '0');
  assert.equal(await redis.cli('HGET', 'sluice:{room:r}:meta', 'seq'), '2');

  const back = await login(nodes[0], 'bob', { resume: { 'room:r': positions['room:r'] } });
  assert.equal(back.ack.recovered, false);
  assert.deepEqual(back.ack.lost, ['room:r']);
  assert.equal(back.ack.resume['room:r'].epoch, positions['room:r'].epoch);
  const ack = await back.emit('sendMessage', { room: 'r', message: 3 });
  assert.equal(ack.seq, 3);
});
