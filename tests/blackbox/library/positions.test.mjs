// sluice.js against a scripted server: its position in each channel, what it resumes after a cut,
// and which rooms it enters again.
import assert from 'node:assert/strict';
import { test } from '../lib/harness.mjs';
import { again, fails, online, sent, start, unavailable } from '../lib/library.mjs';

const chat = (seq, epoch = 'e', channel = 'room:r') => ({
  ...{ channel, epoch, seq, time: 1, event: 'chatMessage' },
  data: { room: 'r', userId: 'bob', message: `m${seq}` },
});

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

test('a back end makes members, and ends memberships', async (t) => {
  const all = await online(t);
  const told = [];
  all.sluice.on('joined', ({ room }) => told.push(room));
  const joined = (seq, room, at) => ({
    ...{ channel: 'user:ann', epoch: 'e', seq, time: 1, event: 'joined' },
    data: { room, epoch: 'e', seq: at },
  });
  all.socket.say(joined(4, 'r', 2));
  all.socket.say(chat(3));
  all.socket.say(joined(5, 'r', 1));
  assert.deepEqual(all.sluice.positions['room:r'], { epoch: 'e', seq: 3 }, 'it is in already');
  all.socket.say({ event: 'joined', data: { room: 'r', epoch: 'f', seq: 1 } });
  assert.deepEqual(all.sluice.positions['room:r'], { epoch: 'f', seq: 1 }, 'a correction');
  all.socket.say(joined(6, 'other', 7));
  assert.deepEqual(told, ['r', 'r', 'r', 'other']);

  const now = { 'room:other': undefined };
  const next = await again(all, { resume: now, lost: ['room:other'], recovered: false });
  assert.deepEqual(sent(next, 'login')[0].resume['room:other'], { epoch: 'e', seq: 7 });
  await all.sluice.ready();
  const read = all.sluice.emit('history', { room: 'r' });
  await next.heard('history');
  next.answer('history', { messages: [], more: false });
  await read;
  assert.equal(sent(next, 'join').length, 0, 'a room that it was not let into is not joined again');
  assert.equal(all.sluice.positions['room:other'], undefined);
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

test('a room of csId that was left is not entered again', async (t) => {
  const all = await online(t, { answering: { leave: () => ({}) }, user: { csId: 7 } });
  assert.equal(sent(all.socket, 'login')[0].csId, 7);
  await all.sluice.emit('leave');
  assert.equal(sent(await again(all), 'login')[0].csId, undefined);
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
