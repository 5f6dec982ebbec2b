// history: pages of a room or a conversation, oldest first, the bytes that were delivered.
import assert from 'node:assert/strict';
import { cluster, inRoom, login, test } from '../lib/harness.mjs';
import { dataText, range, refused, seqs } from '../lib/frames.mjs';

const { nodes } = await cluster({ nodes: 2 });

const page = (answer) => [...seqs(answer.messages)];

// ann and bob in a room on two nodes, with `count` messages, 1 to count.
async function filled(room, count) {
  const [ann, bob] = await inRoom(nodes, room, `ann-${room}`, `bob-${room}`);
  await Promise.all(range(1, count).map((message) => ann.emit('sendMessage', { room, message })));
  const get = (fields) => bob.emit('history', { room, ...fields });
  return { ann, bob, get };
}

test('without after: the latest below before, oldest first', async () => {
  const { get } = await filled('pages', 120);
  const latest = await get({});
  assert.deepEqual(page(latest), range(71, 120));
  assert.equal(latest.more, true);
  assert.deepEqual(page(await get({ limit: 3 })), [118, 119, 120]);
  const hundred = await get({ limit: 100 });
  assert.deepEqual([page(hundred), hundred.more], [range(21, 120), true]);
  const rest = await get({ limit: 100, before: 21 });
  assert.deepEqual([page(rest), rest.more], [range(1, 20), false]);
  const exact = await get({ limit: 20, before: 21 });
  assert.deepEqual([page(exact), exact.more], [range(1, 20), false]);
  const middle = await get({ limit: 5, before: 50 });
  assert.deepEqual([page(middle), middle.more], [range(45, 49), true]);
  assert.deepEqual(await get({ before: 1 }), { messages: [], more: false });
  assert.deepEqual(page(await get({ before: 1000000, limit: 1 })), [120]);
});

test('with after: the first above it, and below before', async () => {
  const { get } = await filled('after', 60);
  const first = await get({ after: 0, limit: 10 });
  assert.deepEqual([page(first), first.more], [range(1, 10), true]);
  const next = await get({ after: 10 });
  assert.deepEqual([page(next), next.more], [range(11, 60), false]);
  assert.deepEqual(page(await get({ after: 10, limit: 5 })), range(11, 15));
  assert.deepEqual(page(await get({ after: 10, before: 14 })), range(11, 13));
  assert.deepEqual(await get({ after: 60 }), { messages: [], more: false });
  assert.deepEqual(page(await get({ after: 14, before: 15 })), []);
});

test("messages are the events' data, byte for byte", async () => {
  const { ann, bob } = await filled('bytes', 0);
  const values = ['1.0', '"\\u0041\\ud83d\\ude00"', '{"b":1, "a":[ 1e400 ,-0]}', '"plain"'];
  const delivered = [];
  for (const value of values) {
    await ann.emitText('sendMessage', `{"room":"bytes","message":${value}}`);
    delivered.push(dataText(await bob.next('chatMessage')));
  }
  await bob.emit('history', { room: 'bytes' });
  const ack = bob.frames.at(-1);
  assert.equal(dataText(ack), `{"messages":[${delivered.join(',')}],"more":false}`);
});

test('a conversation is the same from both sides, and from nobody else', async () => {
  const cat = await login(nodes[0], 'cat');
  const dan = await login(nodes[1], 'dan');
  const eve = await login(nodes[1], 'eve');
  for (let i = 1; i <= 4; i++) {
    const [from, to] = i % 2 ? [cat, 'dan'] : [dan, 'cat'];
    await from.emit('private_message', { receiverId: to, content: `m${i}` });
    await from.emit('private_message', { receiverId: 'eve', content: 'for eve' });
  }
  const mine = await cat.emit('history', { peer: 'dan' });
  const text = dataText(cat.frames.at(-1));
  assert.deepEqual(mine.messages.map(({ content }) => content), ['m1', 'm2', 'm3', 'm4']);
  assert.deepEqual(page(mine), range(1, 4));
  assert.equal(mine.messages[1].senderId, 'dan');
  assert.equal(mine.more, false);
  await dan.emit('history', { peer: 'cat' });
  assert.equal(dataText(dan.frames.at(-1)), text);
  const frame = await dan.next('new_private_message');
  assert.equal(text.startsWith(`{"messages":[${dataText(frame)},`), true, 'as delivered');
  const last = await dan.emit('history', { peer: 'cat', before: 4, limit: 2 });
  assert.deepEqual([page(last), last.more], [[2, 3], true]);
  const other = await eve.emit('history', { peer: 'dan' });
  assert.ok(other.messages.every(({ receiverId }) => receiverId === 'eve'));
  assert.equal(other.messages.length, 2);
});

test('where nothing was said it is empty', async () => {
  const fay = await login(nodes[0], 'fay');
  assert.deepEqual(await fay.emit('history', { peer: 'nobody' }), { messages: [], more: false });
  await fay.emit('join', { room: 'silent' });
  assert.deepEqual(await fay.emit('history', { room: 'silent' }), { messages: [], more: false });
});

test("a room's history needs membership, not a connection that entered it", async () => {
  const { get } = await filled('members', 3);
  const again = await login(nodes[0], 'bob-members');
  const answer = await again.emit('history', { room: 'members' });
  assert.deepEqual(answer, await get({}));
  const gil = await login(nodes[1], 'gil');
  await refused(gil.emit('history', { room: 'members' }), 'not_a_member');
  await refused(gil.emit('history', { room: 'no-such-room' }), 'not_a_member');
});

test('the room left out is the one entered last', async () => {
  const { bob } = await filled('last', 2);
  assert.deepEqual(page(await bob.emit('history')), [1, 2]);
});

test('a page is bounded in bytes too, and more says so', async () => {
  const { bob, get } = await filled('heavy', 0);
  const text = 'x'.repeat(300000);
  for (let i = 0; i < 6; i++) await bob.emit('sendMessage', { room: 'heavy', message: text });
  const found = [];
  for (let before; !found.includes(1); before = found[0]) {
    const answer = await get({ limit: 100, ...(before && { before }) });
    assert.ok(answer.messages.length >= 1 && answer.messages.length <= 4, 'about 1 MiB');
    found.unshift(...page(answer));
    assert.equal(answer.more, found[0] !== 1);
  }
  assert.deepEqual(found, range(1, 6));
  const forward = await get({ limit: 100, after: 0 });
  assert.deepEqual(page(forward), range(1, forward.messages.length));
  assert.equal(forward.more, true);
});
