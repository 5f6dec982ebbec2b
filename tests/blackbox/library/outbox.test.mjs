// sluice.js against a scripted server: what it sends, in which order, how much at once, and what
// it sends again.
import assert from 'node:assert/strict';
import { sleep, test, until } from '../lib/harness.mjs';
import { again, fails, online, sent, start, texts, unavailable } from '../lib/library.mjs';

test('what failed leaves again in order, when all that was sent is answered', async (t) => {
  const { sluice, socket } = await online(t, { options: { window: 8 } });
  const all = ['a', 'b', 'c'].map((message) => sluice.emit('sendMessage', { room: 'r', message }));
  await until(() => texts(socket).length === 3);
  const ids = sent(socket, 'sendMessage').map(({ clientMessageId }) => clientMessageId);
  assert.equal(new Set(ids).size, 3);
  socket.answer('sendMessage', unavailable);
  await sleep(50); // b and c are on their way still: a must not overtake their answers
  assert.deepEqual(texts(socket), ['a', 'b', 'c']);
  socket.answer('sendMessage', unavailable);
  socket.answer('sendMessage', unavailable);
  for (const [seq, text] of ['a', 'b', 'c'].entries()) {
    await socket.heard('sendMessage');
    assert.equal(texts(socket).at(-1 - (socket.unanswered().length - 1)), text);
    socket.answer('sendMessage', { seq: seq + 1, timestamp: 1 });
  }
  assert.deepEqual(
    (await Promise.all(all)).map(({ seq }) => seq),
    [1, 2, 3],
  );
  const repeated = sent(socket, 'sendMessage').map(({ clientMessageId }) => clientMessageId);
  assert.deepEqual(repeated, [...ids, ...ids]);
  assert.equal(sluice.pending, 0);
});

test('a message that can never succeed is refused alone', async (t) => {
  const { sluice, socket } = await online(t, { options: { window: 8 } });
  const [bad, good] = ['bad', 'good'].map((message) =>
    sluice.emit('sendMessage', { room: 'r', message, clientMessageId: message }),
  );
  await until(() => texts(socket).length === 2);
  socket.answer('sendMessage', { error: { code: 'bad_field', message: 'no', field: 'message' } });
  socket.answer('sendMessage', { seq: 1, timestamp: 1 });
  await assert.rejects(bad, { name: 'SluiceError', code: 'bad_field', field: 'message' });
  assert.equal((await good).seq, 1);
  assert.deepEqual(
    sent(socket, 'sendMessage').map(({ clientMessageId }) => clientMessageId),
    ['bad', 'good'],
    "the caller's own ids",
  );
});

test('not a member of a room that it had joined: joins again, then sends', async (t) => {
  const answering = { join: ({ room }) => ({ room, epoch: 'e', seq: 0 }) };
  const { sluice, socket } = await online(t, { answering, options: { window: 8 } });
  await sluice.emit('join', { room: 'r' });
  const all = ['a', 'b'].map((message) => sluice.emit('sendMessage', message));
  await until(() => texts(socket).length === 2);
  const refusal = { error: { code: 'not_a_member', message: 'no' } };
  for (let i = 0; i < 2; i++) socket.answer('sendMessage', refusal);
  await until(() => texts(socket).length === 4);
  assert.equal(sent(socket, 'join').length, 2);
  socket.answer('sendMessage', { seq: 1, timestamp: 1 });
  socket.answer('sendMessage', { seq: 2, timestamp: 1 });
  assert.deepEqual(
    (await Promise.all(all)).map(({ seq }) => seq),
    [1, 2],
  );
  assert.deepEqual(texts(socket), ['a', 'b', 'a', 'b']);
  const ofCsId = await online(t, { answering, user: { csId: 7 } });
  const third = ofCsId.sluice.emit('sendMessage', 'c');
  await ofCsId.socket.heard('sendMessage');
  ofCsId.socket.answer('sendMessage', refusal);
  await ofCsId.socket.heard('sendMessage');
  ofCsId.socket.answer('sendMessage', { seq: 3 });
  await third;
  assert.deepEqual(sent(ofCsId.socket, 'join'), [{ room: 'room-7' }]);
  const stranger = sluice.emit('sendMessage', { room: 'other', message: 'x' });
  await socket.heard('sendMessage');
  socket.answer('sendMessage', refusal);
  await fails(stranger, 'not_a_member');
  // It does not go on for ever.
  const never = sluice.emit('sendMessage', { room: 'r', message: 'never' });
  for (let i = 0; i < 4; i++) {
    await socket.heard('sendMessage');
    socket.answer('sendMessage', refusal);
  }
  await fails(never, 'not_a_member');
});

test('a room is named, whichever connection the event leaves on', async (t) => {
  const answering = { join: ({ room }) => ({ room, epoch: 'e', seq: 0 }), leave: () => ({}) };
  const options = { window: 8 };
  const all = await online(t, { answering, options, user: { csId: 7 } });
  const { sluice } = all;
  const rooms = (socket) => sent(socket, 'sendMessage').map(({ room }) => room);
  sluice.emit('sendMessage', 'first').catch(() => {});
  sluice.emit('join', { room: 'r' });
  sluice.emit('sendMessage', 'second').catch(() => {});
  await until(() => rooms(all.socket).length === 2);
  assert.deepEqual(rooms(all.socket), ['room-7', 'r']);
  const next = await again(all);
  await until(() => rooms(next).length === 2);
  assert.deepEqual(rooms(next), ['room-7', 'r']);
  await sluice.emit('leave').catch(() => {});
  assert.deepEqual(sent(next, 'leave'), [{ room: 'r' }]);
  sluice.emit('typing');
  await until(() => sent(next, 'typing').length);
  assert.deepEqual(sent(next, 'typing'), [{ room: 'lobby' }]);
});

test('an answer without a seq is no success of a message', async (t) => {
  const { sluice, socket } = await online(t, { options: { chunk: 1024 } });
  const short = sluice.emit('sendMessage', { room: 'r', message: 'x' });
  for (const answer of [{}, { seq: 3 }]) {
    await socket.heard('sendMessage');
    socket.answer('sendMessage', answer);
  }
  assert.equal((await short).seq, 3);
  const ids = sent(socket, 'sendMessage').map(({ clientMessageId }) => clientMessageId);
  assert.equal(ids[0], ids[1]);

  const long = sluice.emit('publish', { channel: 'topic:t', data: 'x'.repeat(2000) });
  const gone = { error: { code: 'bad_field', message: 'begin again', field: 'id' } };
  for (const last of [{}, gone, { seq: 4 }]) {
    for (const answer of [{}, last]) {
      await socket.heard('message_chunk');
      socket.answer('message_chunk', answer);
    }
  }
  assert.equal((await long).seq, 4);
  const pieces = sent(socket, 'message_chunk');
  assert.equal(new Set(pieces.map(({ id }) => id)).size, 3, 'from its beginning');
  const heads = pieces.filter((one) => one.event);
  assert.equal(new Set(heads.map((one) => one.clientMessageId)).size, 1);

  const never = sluice.emit('sendMessage', { room: 'r', message: 'x' });
  const failed = assert.rejects(never, { code: 'internal', outcome: 'unknown' });
  for (let i = 0; i < 4; i++) {
    await socket.heard('sendMessage');
    socket.answer('sendMessage', {});
  }
  await failed;
});

test('the outbox is bounded, online too', async (t) => {
  const { sluice, socket } = await online(t, { options: { outbox: 3 } });
  const all = ['a', 'b', 'c'].map((message) => sluice.emit('sendMessage', { room: 'r', message }));
  await fails(sluice.emit('sendMessage', { room: 'r', message: 'd' }), 'too_many');
  await fails(sluice.emit('history', { room: 'r' }), 'too_many');
  // What is sent now or never must not pile up on a slow line either.
  await until(() => texts(socket).length === 3);
  await fails(sluice.emit('typing', { room: 'r' }), 'too_many');
  await socket.heard('sendMessage');
  socket.answer('sendMessage', { seq: 1 });
  await all[0];
  all.push(sluice.emit('sendMessage', { room: 'r', message: 'e' }));
  for (let i = 0; i < 3; i++) {
    await socket.heard('sendMessage');
    socket.answer('sendMessage', { seq: 2 });
  }
  await Promise.all(all);
  assert.deepEqual(texts(socket), ['a', 'b', 'c', 'e']);
});

test('the outbox keeps what is emitted before and between, and is bounded', async (t) => {
  const all = start(t, { options: { outbox: 3 }, answering: { sendMessage: () => ({ seq: 1 }) } });
  const { sluice } = all;
  const data = { room: 'r', message: 'x' };
  const kept = [sluice.emit('sendMessage', data), sluice.emit('history', { room: 'r' })];
  data.message = 'changed since';
  kept.push(sluice.emit('sendMessage', { room: 'r', message: 'y' }));
  await fails(sluice.emit('sendMessage', { room: 'r', message: 'z' }), 'too_many');
  await fails(sluice.emit('typing', { room: 'r' }), 'gone');
  assert.equal(sluice.pending, 3);
  await all.socket.enter();
  await all.socket.heard('history');
  all.socket.answer('history', unavailable);
  const next = await again(all);
  await next.heard('history');
  next.answer('history', { messages: [], more: false });
  assert.deepEqual((await Promise.all(kept))[1], { messages: [], more: false });
  assert.deepEqual(texts(all.socket), ['x', 'y']);
  assert.deepEqual(texts(next), [], 'what was answered does not leave again');
});

test('16 messages are on their way, each names the one before it', async (t) => {
  const { sluice, socket } = await online(t, { answering: { history: () => ({}) } });
  for (let i = 0; i < 10; i++) await sluice.emit('history', { room: 'r' }); // it works
  const send = (message) => sluice.emit('sendMessage', { room: 'r', message });
  const all = Array.from({ length: 20 }, (_, i) => send(`m${i}`));
  await until(() => socket.unanswered().length === 16);
  const ids = sent(socket, 'sendMessage').map(({ clientMessageId }) => clientMessageId);
  const after = sent(socket, 'sendMessage').map((data) => data.after);
  assert.deepEqual(after, [undefined, ...ids.slice(0, 15)]);
  assert.ok(socket.sent.at(-1).text.startsWith('{"event":"sendMessage","data":{"after":"'));
  for (let i = 0; i < 20; i++) {
    await socket.heard('sendMessage');
    socket.answer('sendMessage', { seq: i });
  }
  await Promise.all(all);
  const alone = send('alone');
  await socket.heard('sendMessage');
  assert.equal(sent(socket, 'sendMessage').at(-1).after, undefined);
  socket.answer('sendMessage', { seq: 20 });
  await alone;
});

test('not more than a window is on its way', async (t) => {
  const { sluice, socket } = await online(t, { options: { window: 1 } });
  const all = ['a', 'b'].map((message) => sluice.emit('sendMessage', { room: 'r', message }));
  await socket.heard('sendMessage');
  assert.deepEqual(texts(socket), ['a']);
  socket.answer('sendMessage', { seq: 1 });
  await socket.heard('sendMessage');
  assert.deepEqual(texts(socket), ['a', 'b']);
  socket.answer('sendMessage', { seq: 2 });
  await Promise.all(all);
  // Questions need not wait for each other, but behind a message they do.
  const asked = Array.from({ length: 4 }, () => sluice.emit('history', { room: 'r' }));
  await until(() => socket.unanswered().length === 4);
  const last = [sluice.emit('sendMessage', 'c'), sluice.emit('history', { room: 'r' })];
  await socket.heard('sendMessage');
  for (let i = 0; i < 4; i++) socket.answer('history', { messages: [], more: false });
  await Promise.all(asked);
  assert.deepEqual(socket.unanswered(), ['sendMessage']);
  socket.answer('sendMessage', { seq: 3 });
  await socket.heard('history');
  socket.answer('history', { messages: [], more: false });
  await Promise.all(last);

  const more = await online(t, { options: { window: 8 } });
  const long = 'x'.repeat(100000);
  const many = Array.from({ length: 20 }, () => more.sluice.emit('sendMessage', long));
  for (const one of many) {
    await more.socket.heard('sendMessage');
    assert.ok(more.socket.unanswered().length <= 2, 'bytes are bounded');
    more.socket.answer('sendMessage', { seq: 3 });
    await one;
  }
});

test('1009: the biggest of what was on its way is given up, the others leave again', async (t) => {
  const all = await online(t, { options: { window: 8 } });
  const send = (message) => all.sluice.emit('sendMessage', { room: 'r', message });
  const [small, big, late] = [send('small'), send('b'.repeat(5000)), send('late')];
  await until(() => texts(all.socket).length === 3);
  const count = all.WebSocket.sockets.length + 1;
  all.socket.drop(1009, 'message too big');
  await fails(big, 'too_large');
  const next = await (await all.WebSocket.next(count)).enter();
  await until(() => texts(next).length === 2);
  assert.deepEqual(texts(next), ['small', 'late']);
  for (let i = 0; i < 2; i++) next.answer('sendMessage', { seq: i });
  await Promise.all([small, late]);
  // What no frame can hold is not tried.
  await fails(send({ text: 'x'.repeat(1048576) }), 'too_large');
  assert.equal(texts(next).length, 2);
  const { sluice } = start(t, { options: { chunk: 1024 } });
  await fails(sluice.emit('publish', { channel: 'topic:t', data: 'x'.repeat(5e6) }), 'too_large');
});

test('a long text goes up in pieces, alone, and anew on another connection', async (t) => {
  const all = await online(t, { options: { chunk: 4096 } });
  const text = 'ab\u00e9\u65e5😀"\\\n\u0001\ud800'.repeat(1000);
  const done = [];
  const progress = (n, of) => done.push([n, of]);
  const before = all.sluice.emit('sendMessage', { room: 'r', message: 'before' });
  const data = { channel: 'topic:t', data: text };
  const big = all.sluice.emit('publish', data, { progress });
  const behind = all.sluice.emit('sendMessage', { room: 'r', message: 'behind' });
  await all.socket.heard('sendMessage');
  assert.deepEqual(sent(all.socket, 'message_chunk'), []);
  all.socket.answer('sendMessage', { seq: 1 });
  await before;

  await all.socket.heard('message_chunk');
  all.socket.answer('message_chunk', {});
  await all.socket.heard('message_chunk');
  all.socket.answer('message_chunk', unavailable); // that piece again
  await all.socket.heard('message_chunk');
  const [one, two, three] = sent(all.socket, 'message_chunk');
  assert.deepEqual([one.index, two.index, three.index], [0, 1, 1]);
  assert.deepEqual([one.event, one.channel, two.event], ['publish', 'topic:t', undefined]);
  assert.equal(typeof one.clientMessageId, 'string');

  const next = await again(all);
  const pieces = [];
  for (let index = 0; index < one.total; index++) {
    const { data: piece } = await next.heard('message_chunk');
    assert.equal(piece.index, index);
    assert.ok(Buffer.byteLength(JSON.stringify(piece.data)) <= 4096 + 2);
    pieces.push(piece);
    next.answer('message_chunk', index === one.total - 1 ? { seq: 9 } : {});
  }
  assert.equal((await big).seq, 9);
  assert.notEqual(pieces[0].id, one.id);
  assert.equal(pieces[0].clientMessageId, one.clientMessageId);
  assert.equal(pieces.map((piece) => piece.data).join(''), text);
  assert.ok(pieces.every((piece) => !/[\ud800-\udbff]$/.test(piece.data.replace(/\ud800$/, ''))));
  assert.deepEqual(done, [[1, one.total], ...pieces.map((_, i) => [i + 1, one.total])]);
  await next.heard('sendMessage');
  assert.deepEqual([texts(all.socket), texts(next)], [['before'], ['behind']]);
  next.answer('sendMessage', { seq: 10 });
  await behind;
});

test('pieces: cut between characters; a whole that failed at its end goes up anew', async (t) => {
  const { sluice, socket } = await online(t, { options: { chunk: 4096 } });
  const data = `x${'😀'.repeat(1500)}`;
  const ack = sluice.emit('publish', { channel: 'topic:t', data });
  const rounds = [];
  for (const last of [unavailable, { error: { code: 'rate_limited' } }, { seq: 1 }]) {
    let piece;
    do {
      ({ data: piece } = await socket.heard('message_chunk'));
      const isLast = piece.index === piece.total - 1;
      socket.answer('message_chunk', isLast ? last : {});
      rounds.push([piece.id, piece.index]);
      assert.doesNotMatch(piece.data, /[\ud800-\udbff]$/);
    } while (piece.index < piece.total - 1);
  }
  await ack;
  const [first, second] = [rounds[0][0], rounds[2][0]];
  assert.notEqual(first, second);
  // What was over the rate was not taken: that piece alone leaves again.
  assert.deepEqual(rounds, [
    [first, 0],
    [first, 1],
    [second, 0],
    [second, 1],
    [second, 1],
  ]);
});
