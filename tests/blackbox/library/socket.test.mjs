// sluice.js against a scripted server: its connection, from the first login to close().
import assert from 'node:assert/strict';
import { sleep, test, until } from '../lib/harness.mjs';
import { again, fails, online, sent, start, texts, unavailable } from '../lib/library.mjs';
import { scripted } from '../lib/scripted.mjs';
import { Sluice, SluiceError } from '../../../gateway/web/sluice.js';

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
