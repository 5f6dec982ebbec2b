// message_chunk: one event in pieces.
import assert from 'node:assert/strict';
import { cluster, connect, login, sleep, test, until } from '../lib/harness.mjs';
import { range, refused } from '../lib/frames.mjs';
import { fence, metrics } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

const gone = ['bad_field', 'id']; // how a piece of no unfinished message is refused

async function pair(name) {
  return [await login(nodes[0], `${name}1`), await login(nodes[1], `${name}2`)];
}

// The pieces of a text, `total` of them; the first has the head.
function pieces(id, text, total, head) {
  const length = Math.ceil(text.length / total);
  return range(0, total - 1).map((index) => ({
    id, index, total, data: text.slice(index * length, (index + 1) * length),
    ...(index === 0 && head),
  }));
}

test('in order: the last piece gets the ack of the event', async () => {
  const [ann, bob] = await pair('a');
  const text = 'The quick brown fox';
  const head = { event: 'private_message', receiverId: 'a2', clientMessageId: 'c1' };
  const all = pieces('m', text, 4, head);
  for (const piece of all.slice(0, 3)) assert.deepEqual(await ann.emit('message_chunk', piece), {});
  await bob.none('new_private_message');
  const ack = await ann.emit('message_chunk', all[3]);
  assert.equal(ack.seq, 1);
  assert.equal(ack.delivered, true);
  assert.deepEqual(Object.keys(ack.resume), ['user:a1']);
  const { data } = await bob.next('new_private_message');
  const { timestamp } = ack;
  assert.deepEqual(data, { senderId: 'a1', receiverId: 'a2', content: text, timestamp, seq: 1 });
  // The head's clientMessageId counts.
  const again = await ann.emit('private_message', { ...head, content: 'again' });
  assert.deepEqual([again.seq, again.timestamp], [1, timestamp]);
});

test('after its first, out of order, and several ids interleaved', async () => {
  const [ann, bob] = await pair('b');
  for (const client of [ann, bob]) await client.emit('join', { room: 'b' });
  await bob.emit('subscribe', { channel: 'topic:b' });
  const heads = [
    { event: 'sendMessage', room: 'b' },
    { event: 'publish', channel: 'topic:b' },
    { event: 'private_message', receiverId: 'b2' },
  ];
  const texts = heads.map((head, i) => `${i}:`.padEnd(3000, 'abcdefghij'));
  const all = heads.map((head, i) => pieces(i === 0 ? 7 : `id${i}`, texts[i], 10, head));
  const order = [0, 3, 9, 1, 8, 2, 7, 4, 6, 5];
  for (const index of order.slice(0, 9)) {
    for (const one of all) assert.deepEqual(await ann.emit('message_chunk', one[index]), {});
  }
  for (const one of all) assert.equal((await ann.emit('message_chunk', one[5])).seq, 1);
  assert.equal((await bob.next('chatMessage')).data.message, texts[0]);
  assert.equal((await bob.next('message')).data, texts[1]);
  assert.equal((await bob.next('new_private_message')).data.content, texts[2]);
});

test('pipelined without waiting', async () => {
  const [ann, bob] = await pair('c');
  const text = 'x'.repeat(4096);
  const all = pieces('big', text, 4096, { event: 'private_message', receiverId: 'c2' });
  const acks = await Promise.all(all.map((piece) => ann.emit('message_chunk', piece)));
  assert.equal(acks[4095].seq, 1);
  assert.deepEqual(acks[4094], {});
  assert.equal((await bob.next('new_private_message')).data.content, text);
});

test('what is longer than a frame may be', async () => {
  const [ann, bob] = await pair('d');
  const text = 'ab\u00e9\u65e5😀"\\\n'.repeat(220000); // 2.9 MB of UTF-8
  const all = pieces('long', text, 5, { event: 'private_message', receiverId: 'd2' });
  for (const at of [0, 4, 3, 2, 1]) await ann.emit('message_chunk', all[at]);
  const { data } = await bob.next('new_private_message');
  assert.ok(data.content === text, `${data.content.length} of ${text.length} characters`);
});

test('escapes may be parted between pieces', async () => {
  const [ann, bob] = await pair('e');
  const head = '"event":"private_message","receiverId":"e2"';
  await ann.emitText('message_chunk', `{"id":"s","index":0,"total":3,"data":"a\\ud83d",${head}}`);
  await ann.emitText('message_chunk', '{"id":"s","index":1,"total":3,"data":"\\ude00\\u0041"}');
  await ann.emitText('message_chunk', '{"id":"s","index":2,"total":3,"data":""}');
  assert.equal((await bob.next('new_private_message')).data.content, 'a😀A');
});

test('one piece, and an id used again', async () => {
  const [ann, bob] = await pair('f');
  for (const text of ['first', 'second']) {
    const [piece] = pieces('same', text, 1, { event: 'private_message', receiverId: 'f2' });
    await ann.emit('message_chunk', piece);
    assert.equal((await bob.next('new_private_message')).data.content, text);
  }
});

test('ids belong to a connection', async () => {
  const [ann, bob] = await pair('g');
  const head = (receiverId) => ({ event: 'private_message', receiverId });
  const mine = pieces('same', 'from ann', 2, head('g2'));
  const theirs = pieces('same', 'from bob', 2, head('g1'));
  await ann.emit('message_chunk', mine[0]);
  await bob.emit('message_chunk', theirs[0]);
  await ann.emit('message_chunk', mine[1]);
  await bob.emit('message_chunk', theirs[1]);
  assert.equal((await bob.next('new_private_message')).data.content, 'from ann');
  assert.equal((await ann.next('new_private_message')).data.content, 'from bob');
});

test("the completing piece gets the event's own error", async () => {
  const [ann] = await pair('h');
  const send = async (head, code, field) => {
    const all = pieces('bad', 'text', 2, head);
    await ann.emit('message_chunk', all[0]);
    await refused(ann.emit('message_chunk', all[1]), code, field);
  };
  await send({ event: 'private_message' }, 'missing_field', 'receiverId');
  await send({ event: 'private_message', receiverId: 'a b' }, 'bad_field', 'receiverId');
  await send({ event: 'sendMessage', room: 'not-mine' }, 'not_a_member');
  await send({ event: 'private_message', receiverId: 'h2', senderId: 'x' }, 'forbidden');
});

test('before login every piece is refused', async () => {
  const nobody = await connect(nodes[0]);
  const all = pieces('early', 'text', 2, { event: 'private_message', receiverId: 'x' });
  for (const piece of all) {
    await refused(nobody.emit('message_chunk', piece), 'not_logged_in');
  }
});

test('wrong fields', async () => {
  const [ann, bob] = await pair('i');
  const good = { id: 'x', index: 1, total: 3, data: 'y' };
  await ann.emit('message_chunk', { ...good, index: 0, event: 'publish', channel: 'topic:i' });
  const table = [
    [{ id: undefined }, 'missing_field', 'id'],
    [{ index: undefined }, 'missing_field', 'index'],
    [{ total: undefined }, 'missing_field', 'total'],
    [{ data: undefined }, 'missing_field', 'data'],
    [{ total: 0 }, 'bad_field', 'total'],
    [{ total: 4097 }, 'bad_field', 'total'],
    [{ total: 1.5 }, 'bad_field', 'total'],
    [{ total: '3' }, 'bad_field', 'total'],
    [{ index: 3 }, 'bad_field', 'index'],
    [{ index: -1 }, 'bad_field', 'index'],
    [{ index: '0' }, 'bad_field', 'index'],
    [{ data: 5 }, 'bad_field', 'data'],
    [{ data: {} }, 'bad_field', 'data'],
    [{ id: {} }, 'bad_field', 'id'],
    [{ id: 'y', index: 0 }, 'missing_field', 'event'],
    [{ id: 'y', index: 0, event: 'login' }, 'bad_field', 'event'],
    [{ id: 'y', index: 0, event: 'message_chunk' }, 'bad_field', 'event'],
    [{ id: 'y', index: 0, event: 5 }, 'bad_field', 'event'],
  ];
  for (const [change, code, field] of table) {
    await refused(ann.emit('message_chunk', { ...good, ...change }), code, field);
  }
  const [whole] = pieces('ok', 'still works', 1, { event: 'private_message', receiverId: 'i2' });
  await ann.emit('message_chunk', whole);
  assert.equal((await bob.next('new_private_message')).data.content, 'still works');
});

test('at most 8 unfinished ids', async () => {
  const [ann, bob] = await pair('j');
  const head = { event: 'private_message', receiverId: 'j2' };
  const all = range(1, 9).map((i) => pieces(`u${i}`, `text ${i}`, 2, head));
  for (const one of all.slice(0, 8)) await ann.emit('message_chunk', one[0]);
  await refused(ann.emit('message_chunk', all[8][0]), 'too_many');
  await ann.emit('message_chunk', all[0][1]); // one is done now
  await ann.emit('message_chunk', all[8][0]);
  for (const one of all.slice(1)) await ann.emit('message_chunk', one[1]);
  for (const i of range(1, 9)) {
    assert.equal((await bob.next('new_private_message')).data.content, `text ${i}`);
  }
});

test('at most 4 MiB together', async () => {
  const [ann, bob] = await pair('k');
  const chunkBytes = async () => (await metrics(nodes[0]))('sluice_held_bytes', { what: 'chunks' });
  const before = await chunkBytes();
  const half = 'x'.repeat(1000000);
  const head = { event: 'private_message', receiverId: 'k2', index: 0, total: 2 };
  for (let i = 1; i <= 4; i++) {
    await ann.emit('message_chunk', { ...head, id: `u${i}`, data: half });
  }
  const over = ann.emit('message_chunk', { ...head, id: 'u5', data: half });
  await refused(over, 'too_large', 'data');
  // The rest of what was dropped begins nothing.
  await refused(ann.emit('message_chunk', { id: 'u5', index: 1, total: 2, data: 'x' }), ...gone);
  assert.ok((await chunkBytes()) > 4000000 + before);
  await ann.emit('private_message', { receiverId: 'k2', content: 'still works' });
  await bob.next('new_private_message');
  await fence(redis, [ann, bob]);
  await ann.close();
  await until(async () => (await chunkBytes()) === before);
});

test('the room for many pieces counts too', async (t) => {
  const own = await cluster({ redis, nodes: 1, args: ['--max-chunked', '70000'] });
  t.after(own.stop);
  const ann = await login(own.nodes[0], 'n1');
  const one = (id) => ({
    id, index: 0, total: 4096, event: 'private_message', receiverId: 'x', data: '',
  });
  await ann.emit('message_chunk', one('a'));
  assert.ok((await metrics(own.nodes[0]))('sluice_held_bytes', { what: 'chunks' }) >= 65536);
  await refused(ann.emit('message_chunk', one('b')), 'too_large', 'total');
  // So do pieces, however small.
  const rest = range(1, 400).map((index) => ({ id: 'a', index, total: 4096, data: '' }));
  const codes = await Promise.all(
    rest.map((piece) => ann.emit('message_chunk', piece).then(() => 'ok', ({ code }) => code)),
  );
  assert.ok(codes.indexOf('too_large') > 100);
  assert.deepEqual([...new Set(codes)], ['ok', 'too_large', 'bad_field']);
  assert.equal((await metrics(own.nodes[0]))('sluice_held_bytes', { what: 'chunks' }), 0);
});

test('a piece that does not fit its message changes nothing; one of none is refused', async () => {
  const [ann, bob] = await pair('l');
  const all = pieces('m', 'some text', 3, { event: 'private_message', receiverId: 'l2' });
  await refused(ann.emit('message_chunk', all[1]), ...gone);
  await refused(ann.emit('message_chunk', all[2]), ...gone);
  await ann.emit('message_chunk', all[0]);
  for (const piece of [all[0], { ...all[0], data: 'other' }])
    await refused(ann.emit('message_chunk', piece), 'bad_field', 'index');
  await ann.emit('message_chunk', all[2]);
  await refused(ann.emit('message_chunk', all[2]), 'bad_field', 'index');
  await refused(ann.emit('message_chunk', { ...all[1], total: 4 }), 'bad_field', 'total');
  await refused(ann.emit('message_chunk', { ...all[1], id: 'n' }), ...gone);
  assert.equal((await ann.emit('message_chunk', all[1])).seq, 1);
  assert.equal((await bob.next('new_private_message')).data.content, 'some text');
  await refused(ann.emit('message_chunk', all[1]), ...gone); // it is done
  // What could not be stored must begin again, too.
  const bad = pieces('o', 'text', 2, { event: 'sendMessage', room: 'not-mine' });
  await ann.emit('message_chunk', bad[0]);
  await refused(ann.emit('message_chunk', bad[1]), 'not_a_member');
  await refused(ann.emit('message_chunk', bad[1]), ...gone);
});

test('slow, but never for long without a piece; then it is dropped', async (t) => {
  const own = await cluster({ redis, nodes: 1, args: ['--chunk-timeout', '2s'] });
  t.after(own.stop);
  const ann = await login(own.nodes[0], 'm1');
  const bob = await login(nodes[1], 'm2');
  const all = pieces('m', 'a text that goes up slowly', 6, {
    event: 'private_message', receiverId: 'm2',
  });
  await ann.emit('message_chunk', all[0]);
  for (const piece of all.slice(1, 5)) {
    await sleep(600); // 2.4 s in all
    assert.deepEqual(await ann.emit('message_chunk', piece), {});
  }
  assert.equal((await ann.emit('message_chunk', all[5])).seq, 1);
  assert.equal((await bob.next('new_private_message')).data.content, 'a text that goes up slowly');

  await ann.emit('message_chunk', all[0]);
  await sleep(2100);
  for (const piece of all.slice(1)) await refused(ann.emit('message_chunk', piece), ...gone);
  await bob.none('new_private_message');
});
