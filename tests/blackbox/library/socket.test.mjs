// sluice.js against a scripted server: the order of things that no real server can be made to keep.
import assert from 'node:assert/strict';
import { sleep, test, until } from '../lib/harness.mjs';
import { scripted } from '../lib/scripted.mjs';
import { Sluice, SluiceError } from '../../../gateway/web/sluice.js';

const FAST = { reconnect: { least: 1, most: 5 } };

function start(t, { options, user = {}, ...script } = {}) {
  const WebSocket = scripted(script);
  const given = { userId: 'ann', ...user };
  const sluice = new Sluice('ws://host/ws', given, { ...FAST, ...options, WebSocket });
  t.after(() => sluice.close(0));
  const states = [];
  sluice.on('state', (change) => states.push(change));
  return { sluice, WebSocket, socket: WebSocket.last, states };
}

const online = async (t, how) => {
  const all = start(t, how);
  await all.socket.enter(how?.ack);
  return all;
};
const again = async ({ WebSocket, socket }, ack) => {
  const count = WebSocket.sockets.length + 1;
  socket.drop(1006);
  return (await WebSocket.next(count)).enter(ack);
};
const fails = (promise, code) =>
  assert.rejects(promise, (error) => error instanceof SluiceError && error.code === code);
const chat = (seq, epoch = 'e', channel = 'room:r') => ({
  ...{ channel, epoch, seq, time: 1, event: 'chatMessage' },
  data: { room: 'r', userId: 'bob', message: `m${seq}` },
});
const sent = (socket, event) =>
  socket.sent.filter((frame) => frame.event === event).map(({ data }) => data);
const texts = (socket) => sent(socket, 'sendMessage').map(({ message }) => message);
const unavailable = { error: { code: 'unavailable', message: 'no', outcome: 'refused' } };

test('a logged frame is passed on once; a foreign epoch is the word of the server', async (t) => {
  const { sluice, socket } = await online(t);
  const heard = [];
  sluice.on('chatMessage', ({ message }, { epoch, seq }) =>
    heard.push(`${epoch}${seq} ${message}`),
  );
  for (const frame of [chat(1), chat(2), chat(2), chat(1), chat(4), chat(3, 'f'), chat(3, 'f')])
    socket.say(frame);
  assert.deepEqual(heard, ['e1 m1', 'e2 m2', 'e4 m4', 'f3 m3']);
  assert.deepEqual(sluice.positions['room:r'], { epoch: 'f', seq: 3 });
  for (let i = 0; i < 2; i++) socket.say({ event: 'typing', channel: 'room:r', seq: 0, data: i });
  let typing = 0;
  sluice.on('typing', () => typing++);
  for (let i = 0; i < 2; i++) socket.say({ event: 'typing', channel: 'room:r', seq: 0, data: i });
  assert.equal(typing, 2, 'what has no number is passed on as it comes');
});

test('baselines count where there is none, or where the channel was lost', async (t) => {
  const resume = { 'room:a': { epoch: 'e', seq: 5 }, 'topic:b': { epoch: 'e', seq: 6 } };
  const all = start(t, { options: { resume } });
  const lost = [];
  all.sluice.on('lost', (what) => lost.push(what));
  const now = { 'room:a': { epoch: 'e', seq: 9 }, 'topic:b': { epoch: 'x', seq: 1 } };
  await all.socket.enter({ resume: now, lost: ['topic:b'], recovered: false });
  assert.deepEqual(sent(all.socket, 'login')[0].resume, resume);
  assert.deepEqual(all.sluice.positions['room:a'], { epoch: 'e', seq: 5 }, 'what it has');
  assert.deepEqual(all.sluice.positions['topic:b'], { epoch: 'x', seq: 1 }, 'a new beginning');
  assert.deepEqual(lost, [{ channel: 'topic:b' }]);
  assert.equal(all.states[0].recovered, false);
  // What was lost is entered again.
  assert.deepEqual(await all.socket.heard('subscribe').then(({ data }) => data), {
    channel: 'topic:b',
  });
  // A late ack does not throw back what came since.
  const joined = all.sluice.emit('join', { room: 'r' });
  await all.socket.heard('join');
  all.socket.say(chat(8));
  all.socket.answer('join', { room: 'r', epoch: 'e', seq: 7 });
  await joined;
  assert.equal(all.sluice.positions['room:r'].seq, 8);
  const left = all.sluice.emit('leave', { room: 'r' });
  await all.socket.heard('leave');
  all.socket.answer('leave', {});
  await left;
  assert.equal(all.sluice.positions['room:r'], undefined);
});

test('an own private message raises the position and never comes as an event', async (t) => {
  const all = await online(t);
  const heard = [];
  all.sluice.on('new_private_message', ({ content }) => heard.push(content));
  const ack = all.sluice.emit('private_message', { receiverId: 'bob', content: 'hi' });
  await all.socket.heard('private_message');
  const position = { 'user:ann': { epoch: 'e', seq: 3 } };
  all.socket.answer('private_message', { seq: 1, timestamp: 1, delivered: true, resume: position });
  assert.equal((await ack).delivered, true);
  assert.deepEqual(all.sluice.positions, position);
  const frame = (seq, origin) => ({
    ...{ channel: 'user:ann', epoch: 'e', seq, time: 1, event: 'new_private_message', origin },
    data: { senderId: 'ann', receiverId: 'bob', content: origin },
  });
  const next = await again(all);
  next.say(frame(3, 'c-0')); // before the position
  next.say(frame(4, 'c-0')); // its ack was lost with the first connection
  next.say(frame(5, 'elsewhere'));
  assert.deepEqual(heard, ['elsewhere']);
  assert.equal(all.sluice.positions['user:ann'].seq, 5);
});

test('channel_reset is told, and what follows is taken', async (t) => {
  const { sluice, socket } = await online(t);
  const lost = [];
  const heard = [];
  sluice.on('lost', (what) => lost.push(what));
  sluice.on('chatMessage', ({ message }) => heard.push(message));
  socket.say(chat(1));
  const data = { channel: 'room:r', from: 2, to: 4 };
  socket.say({ event: 'channel_reset', data });
  socket.say(chat(5));
  assert.deepEqual([lost, heard], [[data], ['m1', 'm5']]);
});

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

test('a room that another connection of the user left is not entered again', async (t) => {
  const answering = { join: ({ room }) => ({ room, epoch: 'e', seq: 0 }) };
  const all = await online(t, { answering, user: { csId: 7 } });
  const { sluice, socket } = all;
  await sluice.emit('join', { room: 'r' });
  const heard = [];
  sluice.on('userLeft', ({ room, userId }) => heard.push([room, userId]));
  socket.say({ event: 'userLeft', data: { room: 'r', userId: 'bob' } });
  assert.ok(sluice.positions['room:r']);
  for (const room of ['r', 'room-7'])
    socket.say({ event: 'userLeft', data: { room, userId: 'ann' } });
  assert.deepEqual(heard.map(String), ['r,bob', 'r,ann', 'room-7,ann']);
  const refused = sluice.emit('sendMessage', { room: 'r', message: 'x' });
  await socket.heard('sendMessage');
  socket.answer('sendMessage', { error: { code: 'not_a_member', message: 'no' } });
  await fails(refused, 'not_a_member');
  const next = await again(all);
  const [login] = sent(next, 'login');
  assert.deepEqual([login.csId, Object.keys(login.resume)], [undefined, ['user:ann']]);
  assert.equal(sent(next, 'join').length, 0);
  // A join that is under way came after it.
  const back = sluice.emit('join', { room: 'r' });
  next.say({ event: 'userLeft', data: { room: 'r', userId: 'ann' } });
  await back;
  const third = await again({ ...all, socket: next });
  assert.ok(sent(third, 'login')[0].resume['room:r']);
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

test('a room of csId that was left is not entered again', async (t) => {
  const all = await online(t, { answering: { leave: () => ({}) }, user: { csId: 7 } });
  assert.equal(sent(all.socket, 'login')[0].csId, 7);
  await all.sluice.emit('leave');
  assert.equal(sent(await again(all), 'login')[0].csId, undefined);
});

test('a login that was put off lets all leave when it succeeds', async (t) => {
  const all = start(t, { answering: { sendMessage: () => ({ seq: 1 }) } });
  const kept = all.sluice.emit('sendMessage', { room: 'r', message: 'x' });
  all.socket.open();
  for (let i = 0; i < 3; i++) {
    await all.socket.heard('login');
    all.socket.answer('login', unavailable);
  }
  await all.socket.enter();
  assert.equal((await kept).seq, 1);
});

test('a node that cannot reach Redis for long is left; another may', async (t) => {
  const all = await online(t, { options: { patience: 50 } });
  const kept = all.sluice.emit('sendMessage', { room: 'r', message: 'x' });
  const left = () => all.WebSocket.sockets.length === 2;
  await until(
    () => {
      if (all.socket.unanswered().includes('sendMessage'))
        all.socket.answer('sendMessage', unavailable);
      return left();
    },
    { every: 2 },
  );
  assert.match(all.states.at(-1).hint, /Redis/);
  assert.ok(sent(all.socket, 'sendMessage').length > 1, 'it tried there first');
  const next = await all.WebSocket.last.enter();
  await next.heard('sendMessage');
  next.answer('sendMessage', { seq: 1 });
  assert.equal((await kept).seq, 1);
});

test('it sends again as soon as the node says that Redis is back', async (t) => {
  // By itself it would ask again after half an hour or so.
  const options = { reconnect: { least: 1e7, most: 1e7 }, patience: 1e9 };
  const all = start(t, { options });
  const { socket, sluice } = all;
  const available = { event: 'available', data: {} };
  const heard = [];
  sluice.on('available', () => heard.push('available'));
  socket.open();
  assert.equal((await socket.heard('login')).data.available, true, 'it asks to be told');
  socket.answer('login', unavailable);
  socket.say(available);
  await socket.enter();
  const kept = ['a', 'b'].map((message) => sluice.emit('sendMessage', { room: 'r', message }));
  await until(() => texts(socket).length === 2);
  socket.answer('sendMessage', unavailable);
  socket.say(available); // b is on its way still
  socket.answer('sendMessage', unavailable);
  for (const text of ['a', 'b']) {
    await socket.heard('sendMessage');
    assert.equal(texts(socket).at(-1), text);
    socket.answer('sendMessage', { seq: 1 });
  }
  await Promise.all(kept);
  assert.deepEqual(heard, [], 'it is between the library and the node');
});

// 400 topics with names of 100 bytes, which no login can resume at once.
const long = (i) => `topic:${String(i).padStart(100, '.')}`;
const topics = (seq) => Array.from({ length: 400 }, (_, i) => [long(i), { epoch: 'e', seq }]);
const resumed = (socket) => sent(socket, 'login').map(({ resume }) => Object.keys(resume));
const tick = (channel, seq) => ({ channel, epoch: 'e', seq, time: 1, event: 'message', data: seq });

test('what one login cannot resume, the next ones do; then it is online', async (t) => {
  const resume = { ...Object.fromEntries(topics(5)), 'user:ann': { epoch: 'e', seq: 1 } };
  const user = { username: 'Ann', csId: 7 };
  const all = start(t, { user, options: { resume, reconnect: { least: 1, most: 5 } } });
  const names = Object.keys(resume);
  const [a, b, c] = [names[0], names[1], names.at(-2)];
  const heard = [];
  all.sluice.on('lost', ({ channel }) => heard.push(['lost', channel]));
  all.sluice.on('message', (data, { channel }) => heard.push([data, channel]));
  const kept = all.sluice.emit('publish', { channel: c, data: 'x' });

  // Cut off between the logins, it begins with the first again; what was lost is not forgotten.
  await all.socket.enter({ recovered: false, lost: [a], resume: { [a]: { epoch: 'e', seq: 9 } } });
  all.socket.say(tick(b, 6));
  all.socket.say(tick(a, 10));
  await all.socket.heard('login');
  assert.equal(all.sluice.state, 'connecting');
  all.socket.drop(1006);
  const socket = await all.WebSocket.next(2);
  await socket.enter();
  socket.say(tick(b, 7));
  await socket.heard('login');
  socket.answer('login', unavailable);
  await socket.enter({ recovered: false, lost: [c] });
  assert.deepEqual(all.states.map(({ state }) => state), ['away', 'online']);
  assert.equal(all.states.at(-1).recovered, false);
  assert.deepEqual(heard, [[6, b], ['lost', a], [10, a], [7, b], ['lost', c]]);

  const [first, second, third] = resumed(socket);
  assert.equal(first[0], 'user:ann');
  assert.deepEqual(second, third, 'the login that failed is repeated');
  assert.deepEqual([...first, ...second].sort(), names.sort());
  const logins = socket.sent.filter(({ event }) => event === 'login');
  assert.ok(logins[0].text.length > 16000 && logins[0].text.length <= 16384);
  const { resume: asked, ...who } = logins[1].data;
  assert.deepEqual(who, { userId: 'ann' });
  assert.equal(logins[0].data.csId, 7);
  assert.equal(logins[0].data.resume[b].seq, 6, 'the logins of a new socket tell what came');
  assert.equal(asked[a].seq, 10);

  // Nothing left before; what was lost is entered again first.
  const other = socket.sent.map(({ event }) => event).filter((event) => event !== 'heartbeat');
  assert.deepEqual(other.slice(0, 4), ['login', 'login', 'login', 'subscribe']);
  for (let i = 0; i < 2; i++) {
    await socket.heard('subscribe');
    socket.answer('subscribe', { channel: c, epoch: 'e', seq: 9 });
  }
  await socket.heard('publish');
  socket.answer('publish', { seq: 1 });
  await kept;
  const next = await again({ WebSocket: all.WebSocket, socket });
  await next.enter();
  assert.equal(all.states.at(-1).recovered, true);
});

test('a node that takes less at a login gets less', async (t) => {
  const all = start(t, { options: { resume: Object.fromEntries(topics(5)), chunk: 20000 } });
  all.socket.open();
  await all.socket.heard('login');
  const sizes = [];
  for (let count = 1; count <= 3; count++) {
    const socket = await all.WebSocket.next(count);
    if (socket.readyState === 0) socket.open();
    const { data } = await socket.heard('login');
    sizes.push(JSON.stringify(data).length);
    socket.drop(1009, 'message too big');
  }
  assert.ok(sizes[0] > 15000 && sizes[1] < 5000 && sizes[2] < 1250, String(sizes));
});

test('too many connections or rooms at login: it comes back', async (t) => {
  const all = start(t);
  const tooMany = { error: { code: 'too_many', message: 'at most 20', field: 'userId' } };
  for (const count of [1, 2, 3]) {
    const socket = await all.WebSocket.next(count);
    socket.open();
    await socket.heard('login');
    socket.answer('login', tooMany);
    assert.equal(all.sluice.state, 'away');
    assert.match(all.states.at(-1).hint, /limit/);
    assert.equal(all.states.at(-1).reason, 'at most 20');
    assert.equal(all.states.at(-1).attempt, count - 1);
  }
  await (await all.WebSocket.next(4)).enter();
  await all.sluice.ready();
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

test('a room that cannot be entered again is told by the event error', async (t) => {
  const resume = { 'room:a': { epoch: 'e', seq: 5 } };
  const { sluice, socket } = start(t, { options: { resume } });
  const errors = [];
  sluice.on('error', (error) => errors.push(error));
  const now = { 'room:a': { epoch: 'f', seq: 0 } };
  await socket.enter({ resume: now, lost: ['room:a'], recovered: false });
  await socket.heard('join');
  socket.answer('join', { error: { code: 'too_many', message: 'no', field: 'room' } });
  assert.deepEqual(
    errors.map(({ code, field }) => [code, field]),
    [['too_many', 'room']],
  );
  assert.equal(sluice.state, 'online');
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

test('login: a refusal is the end; want of Redis or of a token is not', async (t) => {
  let asked = 0;
  const token = async () => {
    if (++asked === 1) throw new Error('no network');
    return `t${asked}`;
  };
  const all = start(t, { user: { token } });
  const { sluice, WebSocket, states } = all;
  const ready = sluice.ready();
  const waiting = sluice.emit('sendMessage', { room: 'r', message: 'x' });
  all.socket.open();
  const second = await WebSocket.next(2);
  assert.equal(states[0].state, 'away');
  assert.equal(states[0].reason, 'no network');
  assert.match(states[0].hint, /token/);
  second.open();
  assert.equal((await second.heard('login')).data.token, 't2');
  second.answer('login', unavailable);
  await second.heard('login');
  assert.equal(WebSocket.sockets.length, 2, 'the socket stays');
  second.answer('login', { error: { code: 'forbidden', message: 'you may not', field: 'userId' } });
  await fails(ready, 'forbidden');
  await fails(waiting, 'forbidden');
  await fails(sluice.ready(), 'forbidden');
  await fails(sluice.emit('sendMessage', 'x'), 'closed');
  assert.equal(sluice.state, 'closed');
  assert.equal(states.at(-1).error.code, 'forbidden');
  await sleep(50);
  assert.equal(WebSocket.sockets.length, 2, 'it does not come back');
});

test('close codes say what happened and how to come back', async (t) => {
  const reconnect = { least: 400, most: 4000 };
  const seen = {};
  for (const code of [1006, 1012, 1008, 1013, 4321]) {
    const { socket, states } = await online(t, { options: { reconnect } });
    socket.drop(code, code === 1013 ? 'slow' : '');
    seen[code] = states.at(-1);
    assert.deepEqual([seen[code].state, seen[code].previous], ['away', 'online']);
    assert.equal(seen[code].code, code);
    assert.equal(seen[code].attempt, 0);
  }
  assert.ok(seen[1006].delay <= 400);
  assert.ok(seen[1012].delay <= 100);
  assert.ok(seen[1008].delay >= 8000, 'a fault would only happen again');
  assert.equal(seen[1013].reason, 'slow');
  assert.match(seen[1012].hint, /restarts/);
  assert.match(seen[1006].hint, /network/);
  assert.match(seen[4321].hint, /4321/);
});

test('attempts wait longer and longer, with full jitter', async (t) => {
  const { WebSocket, states } = await online(t, { options: { reconnect: { least: 2, most: 16 } } });
  for (let i = 1; i <= 6; i++) {
    WebSocket.last.drop(1006);
    assert.equal(states.at(-1).attempt, i - 1);
    assert.ok(states.at(-1).delay <= Math.min(16, 2 * 2 ** (i - 1)));
    await WebSocket.next(i + 1);
  }
  assert.equal(states.length, 7, 'each failed attempt is told');
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

test('listeners: once, off, removal on the way, and faults of their own', async (t) => {
  const { sluice, socket } = await online(t);
  const heard = [];
  const faults = [];
  const old = process.listeners('uncaughtException');
  process.removeAllListeners('uncaughtException');
  process.on('uncaughtException', (error) => faults.push(error.message));
  t.after(() => {
    process.removeAllListeners('uncaughtException');
    for (const listener of old) process.on('uncaughtException', listener);
  });
  const never = () => heard.push('never');
  sluice.on('x', () => {
    sluice.off('x', never);
    heard.push('first');
    throw new Error('a fault of the page');
  });
  sluice.on('x', never);
  sluice.once('x', () => heard.push('once'));
  const stop = sluice.on('x', () => heard.push('last'));
  socket.say({ event: 'x', data: 1 });
  assert.deepEqual(heard.splice(0), ['first', 'once', 'last']);
  stop();
  socket.say({ event: 'x', data: 1 });
  assert.deepEqual(heard.splice(0), ['first']);
  sluice.off('x');
  socket.say({ event: 'x', data: 1 });
  assert.deepEqual(heard, []);
  await until(() => faults.length === 2);
  const errors = [];
  sluice.on('error', (error) => errors.push(error));
  socket.say({ event: 'error', data: { code: 'bad_json', message: 'no' } });
  assert.ok(errors[0] instanceof SluiceError);
  assert.equal(errors[0].code, 'bad_json');
  assert.throws(() => sluice.on('x', 'not a function'), TypeError);
});

test('close waits for what is pending, then refuses', async (t) => {
  const { sluice, socket, states, WebSocket } = await online(t);
  const last = sluice.emit('sendMessage', { room: 'r', message: 'last' });
  const closing = sluice.close();
  await fails(sluice.emit('sendMessage', 'late'), 'closed');
  await socket.heard('sendMessage');
  assert.equal(sluice.state, 'online');
  socket.answer('sendMessage', { seq: 1 });
  await Promise.all([last, closing, sluice.close()]);
  assert.deepEqual(socket.closed, { code: 1000 });
  assert.deepEqual([states.at(-1).state, states.at(-1).error], ['closed', undefined]);
  await fails(sluice.ready(), 'closed');
  assert.equal(WebSocket.sockets.length, 1);

  const other = await online(t);
  const never = other.sluice.emit('sendMessage', { room: 'r', message: 'x' });
  const failed = fails(never, 'closed');
  await other.sluice.close(20);
  await failed;
});

test('a server that owes an answer for too long is left; an idle one is not', async (t) => {
  const options = { heartbeat: 0, silence: 100 };
  const idle = await online(t, { options });
  const busy = await online(t, { options });
  busy.sluice.emit('history', { room: 'r' }).catch(() => {});
  await until(() => busy.states.at(-1).state === 'away');
  assert.deepEqual([busy.states.at(-1).code, busy.states.at(-1).reason], [1006, 'silent']);
  assert.equal(idle.sluice.state, 'online');
  const mute = start(t, { options }); // a handshake that does not end
  await mute.WebSocket.next(2);
  assert.match(mute.states[0].hint, /silent/);
});

test('what cannot be: a URL without a page, no WebSocket, no JSON', async (t) => {
  const WebSocket = scripted();
  assert.throws(() => new Sluice('/ws', { userId: 'a' }, { WebSocket }), TypeError);
  assert.throws(() => new Sluice('ws://h/ws', { userId: 'a' }, { WebSocket: null }), TypeError);
  assert.equal(WebSocket.sockets.length, 0);
  const { sluice, socket, states } = start(t, { user: { csId: 'x' } });
  assert.equal(socket.url, 'ws://host/ws');
  const loop = {};
  loop.loop = loop;
  await fails(sluice.emit('sendMessage', { room: 'r', message: loop }), 'bad_json');
  socket.open();
  socket.onmessage({ data: 'hello' });
  assert.match(states[0].hint, /protocol/);
});
