// Events take effect in the order sent, without waiting for acks; acks come in that order.
import assert from 'node:assert/strict';
import { cluster, connect, inRoom, login, test } from '../lib/harness.mjs';
import { logged, range, seqs } from '../lib/frames.mjs';

const { nodes } = await cluster({ nodes: 2 });

const acks = (client) => client.frames.filter((f) => 'ack' in f).map(({ ack }) => ack);
const inOrder = (numbers) => numbers.every((n, i) => i === 0 || n > numbers[i - 1]);

test('100 messages of several kinds arrive in order', async () => {
  const ann = await login(nodes[0], 'ann');
  const bob = await login(nodes[1], 'bob');
  for (const client of [ann, bob]) {
    await client.emit('join', { room: 'mix' });
    await client.emit('subscribe', { channel: 'topic:mix' });
  }
  const kinds = [
    (n) => ann.emit('private_message', { receiverId: 'bob', content: n }),
    (n) => ann.emit('sendMessage', { room: 'mix', message: n }),
    (n) => ann.emit('publish', { channel: 'topic:mix', data: n }),
  ];
  await Promise.all(range(1, 100).map((n) => kinds[(n * 7) % 3](n)));
  const got = [];
  while (got.length < 100) {
    got.length = 0;
    await bob.emit('heartbeat');
    for (const { event, data } of bob.frames) {
      if (event === 'new_private_message') got.push(data.content);
      else if (event === 'chatMessage') got.push(data.message);
      else if (event === 'message') got.push(data);
    }
  }
  assert.deepEqual(got, range(1, 100));
  assert.ok(inOrder(acks(ann)), acks(ann).join(' '));
});

test('a whole session sent at once', async () => {
  const eve = await login(nodes[1], 'eve');
  await eve.emit('join', { room: 'burst' });
  const cat = await connect(nodes[0]);
  const results = await Promise.allSettled([
    cat.emit('sendMessage', { room: 'burst', message: 'too early' }),
    cat.emit('login', { userId: 'cat' }),
    cat.emit('sendMessage', { room: 'burst', message: 'no member yet' }),
    cat.emit('join', { room: 'burst' }),
    cat.emit('sendMessage', 'one'),
    cat.emit('private_message', { receiverId: 'eve', content: 'two' }),
    cat.emit('history', { room: 'burst' }),
    cat.emit('leave'),
    cat.emit('sendMessage', { room: 'burst', message: 'too late' }),
    cat.emit('heartbeat'),
  ]);
  const codes = results.map(({ reason }) => reason?.code ?? 'ok');
  assert.deepEqual(codes, [
    'not_logged_in', 'ok', 'not_a_member', 'ok', 'ok', 'ok', 'ok', 'ok', 'not_a_member', 'ok',
  ]);
  assert.deepEqual(results[6].value.messages.map(({ message }) => message), ['one']);
  assert.ok(inOrder(acks(cat)));
  assert.equal((await eve.next('chatMessage')).data.message, 'one');
  assert.equal((await eve.next('new_private_message')).data.content, 'two');
  await eve.next('userLeft');
  assert.equal(logged(eve, 'room:burst').length, 1);
});

test('an error in the middle disturbs neither order nor what follows', async () => {
  const dan = await login(nodes[0], 'dan');
  const fay = await login(nodes[1], 'fay');
  const results = await Promise.allSettled(
    range(1, 30).map((n) =>
      n % 3
        ? dan.emit('private_message', { receiverId: 'fay', content: n })
        : dan.emit('private_message', { receiverId: 'f a y', content: n }),
    ),
  );
  assert.deepEqual(
    results.map(({ status }) => status === 'fulfilled'),
    range(1, 30).map((n) => n % 3 !== 0),
  );
  assert.ok(inOrder(acks(dan)), acks(dan).join(' '));
  const wanted = range(1, 30).filter((n) => n % 3);
  const got = [];
  while (got.length < wanted.length) got.push((await fay.next('new_private_message')).data.content);
  assert.deepEqual(got, wanted);
});

test('more events than may wait: none is lost', async () => {
  const COUNT = 3000;
  const [gil, hal] = await inRoom(nodes, 'flood', 'gil', 'hal');
  const done = Promise.all(
    range(1, COUNT).map((message) =>
      gil.emit('sendMessage', { room: 'flood', message }, { timeout: 30000 }),
    ),
  );
  assert.deepEqual((await done).map(({ seq }) => seq), range(1, COUNT));
  await hal.next('chatMessage', { match: ({ seq }) => seq === COUNT, timeout: 20000 });
  const frames = logged(hal, 'room:flood');
  assert.deepEqual(seqs(frames), range(1, COUNT));
  assert.deepEqual(frames.map(({ data }) => data.message), range(1, COUNT));
  assert.ok(inOrder(acks(gil)));
});
