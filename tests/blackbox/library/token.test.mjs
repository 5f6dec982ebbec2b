// sluice.js and tokens: a string, or a function that is asked for one.
import assert from 'node:assert/strict';
import { sleep, test, until } from '../lib/harness.mjs';
import { fails, sent, start, unavailable } from '../lib/library.mjs';

const EXPIRING = { event: 'token_expiring', data: { expiresIn: 3000 } };
const refused = (code, message = 'no', field = 'token') => ({ error: { code, message, field } });

// A function that gives t1, t2, …, or fails at the calls that are listed.
function tokens({ failing = [] } = {}) {
  const ask = async () => {
    const count = ++ask.count;
    if (failing.includes(count)) throw new Error(`no token ${count}`);
    return `t${count}`;
  };
  ask.count = 0;
  return ask;
}
const noUser = (token) => ({ user: { userId: undefined, token } });
const logins = (socket) => sent(socket, 'login').map(({ token }) => token);
const refreshes = (socket) => sent(socket, 'refresh').map(({ token }) => token);

test('a string is given at each login, and says who it is', async (t) => {
  const all = start(t, noUser('abc'));
  assert.equal(all.sluice.userId, '');
  await all.socket.enter();
  const [login] = sent(all.socket, 'login');
  assert.equal(login.token, 'abc');
  assert.ok(!('userId' in login));
  assert.equal(all.sluice.userId, 'ann');
  all.socket.drop(1006);
  const next = await (await all.WebSocket.next(2)).enter();
  assert.deepEqual(logins(next), ['abc']);
  assert.deepEqual(Object.keys(sent(next, 'login')[0].resume), ['user:ann'], 'the inbox goes on');
});

test('a function is asked at each login; a promise or not', async (t) => {
  let count = 0;
  for (const token of [tokens(), () => `t${++count}`]) {
    const all = start(t, noUser(token));
    await all.socket.enter();
    all.socket.drop(1012);
    const next = await (await all.WebSocket.next(2)).enter();
    assert.deepEqual([logins(all.socket), logins(next)], [['t1'], ['t2']]);
  }
});

test('positions of an earlier page: those of the inbox go into the first login', async (t) => {
  const resume = { 'room:r': { epoch: 'e', seq: 3 }, 'user:ann': { epoch: 'e', seq: 7 } };
  const all = start(t, { ...noUser('abc'), options: { resume } });
  await all.socket.enter();
  assert.deepEqual(Object.keys(sent(all.socket, 'login')[0].resume), ['user:ann', 'room:r']);
});

test('positions of another user are dropped, once the server says so', async (t) => {
  const resume = { 'user:eve': { epoch: 'e', seq: 7 }, 'room:r': { epoch: 'e', seq: 3 } };
  const all = start(t, { ...noUser('abc'), options: { resume } });
  all.socket.open();
  await all.socket.heard('login');
  all.socket.answer('login', refused('forbidden', 'not yours', 'resume'));
  await all.socket.enter();
  assert.deepEqual(Object.keys(sent(all.socket, 'login')[1].resume), ['room:r']);
  await all.sluice.ready();
});

test('a string that is refused ends it, with what the server says', async (t) => {
  for (const token of ['abc', undefined]) {
    const all = start(t, { user: { token } });
    const waiting = all.sluice.emit('join', { room: 'r' });
    all.socket.open();
    await all.socket.heard('login');
    all.socket.answer('login', refused('unauthorized', 'exp is past'));
    await fails(waiting, 'unauthorized');
    const { state, error } = all.states.at(-1);
    assert.deepEqual([state, error.code, error.field, error.message], ['closed', 'unauthorized', 'token', 'exp is past']);
    await sleep(50);
    assert.equal(all.WebSocket.sockets.length, 1);
  }
});

test('a function whose token is refused is asked again, with pauses', async (t) => {
  const token = tokens({ failing: [3] });
  const all = start(t, { ...noUser(token), options: { reconnect: { least: 20, most: 40 } } });
  const waiting = all.sluice.emit('join', { room: 'r' });
  for (const count of [1, 2]) {
    const socket = await all.WebSocket.next(count);
    socket.open();
    await socket.heard('login');
    socket.answer('login', refused('unauthorized', `no t${count}`));
    const last = all.states.at(-1);
    assert.deepEqual([last.state, last.reason, last.attempt], ['away', `no t${count}`, count - 1]);
    assert.ok(last.delay <= 40);
    assert.match(last.hint, /token/);
  }
  (await all.WebSocket.next(3)).open(); // the function fails
  const socket = await (await all.WebSocket.next(4)).enter();
  assert.deepEqual(logins(socket), ['t4']);
  await socket.heard('join');
  socket.answer('join', { room: 'r', epoch: 'e', seq: 0 });
  await waiting;
});

test('token_expiring: a function is asked, and refresh is sent; the application hears of it', async (t) => {
  const token = tokens();
  const all = start(t, noUser(token));
  const heard = [];
  all.sluice.on('token_expiring', (data) => heard.push(data));
  await all.socket.enter();
  all.socket.say(EXPIRING);
  await all.socket.heard('refresh');
  assert.deepEqual(refreshes(all.socket), ['t2']);
  all.socket.answer('refresh', { expiresAt: Date.now() + 60000 });
  assert.deepEqual(heard, [{ expiresIn: 3000 }]);
  await sleep(30);
  assert.deepEqual([token.count, all.sluice.state], [2, 'online']);
});

test('a refresh that fails for now is tried again; one for ever is told', async (t) => {
  const token = tokens({ failing: [2] });
  const all = start(t, noUser(token));
  const errors = [];
  all.sluice.on('error', (error) => errors.push(error.code));
  await all.socket.enter();
  all.socket.say(EXPIRING);
  for (const failure of [unavailable, refused('unauthorized'), refused('rate_limited')]) {
    await all.socket.heard('refresh');
    all.socket.answer('refresh', failure);
  }
  await all.socket.heard('refresh');
  assert.deepEqual(refreshes(all.socket), ['t3', 't4', 't5', 't6']);
  assert.deepEqual(errors, []);
  all.socket.answer('refresh', refused('forbidden'));
  await until(() => errors.length);
  assert.deepEqual(errors, ['forbidden']);
  await sleep(30);
  assert.deepEqual(all.socket.unanswered(), []);
  assert.equal(all.sluice.state, 'online');
});

test('a refresh of a connection that is gone is not sent on the next one', async (t) => {
  let give;
  let count = 0;
  const token = () => (++count === 2 ? new Promise((resolve) => (give = resolve)) : `t${count}`);
  const all = start(t, noUser(token));
  await all.socket.enter();
  all.socket.say(EXPIRING);
  await until(() => give);
  all.socket.drop(1006);
  const next = await (await all.WebSocket.next(2)).enter();
  give('late');
  await sleep(30);
  assert.deepEqual([refreshes(all.socket), refreshes(next), logins(next)], [[], [], ['t3']]);
});

test('a string is not renewed; the application may do so, and the next login has it', async (t) => {
  const all = start(t, noUser('abc'));
  const heard = [];
  all.sluice.on('token_expiring', (data) => heard.push(data));
  await all.socket.enter();
  all.socket.say(EXPIRING);
  await until(() => heard.length);
  assert.deepEqual(refreshes(all.socket), []);
  const renewed = all.sluice.emit('refresh', { token: 'def' });
  await all.socket.heard('refresh');
  all.socket.answer('refresh', { expiresAt: 1 });
  assert.deepEqual(await renewed, { expiresAt: 1 });
  const bad = all.sluice.emit('refresh', { token: 'bad' });
  await all.socket.heard('refresh');
  all.socket.answer('refresh', refused('unauthorized'));
  await fails(bad, 'unauthorized');
  all.socket.drop(4401, 'token expired');
  assert.deepEqual(logins(await (await all.WebSocket.next(2)).enter()), ['def']);
});

test('4401: it comes back soon, with another token', async (t) => {
  const token = tokens();
  const all = start(t, { ...noUser(token), options: { reconnect: { least: 5000, most: 5000 } } });
  await all.socket.enter();
  all.socket.say({ event: 'error', data: { code: 'unauthorized', field: 'token', message: 'exp' } });
  all.socket.drop(4401, 'token expired');
  const { state, code, reason, delay, hint } = all.states.at(-1);
  assert.deepEqual([state, code, reason], ['away', 4401, 'token expired']);
  assert.ok(delay <= 100, `${delay}`);
  assert.match(hint, /token/);
  const next = await (await all.WebSocket.next(2)).enter();
  assert.deepEqual(logins(next), ['t2']);
});

test('4403: the end', async (t) => {
  const token = tokens();
  const all = start(t, noUser(token));
  await all.socket.enter();
  const waiting = all.sluice.emit('join', { room: 'r' });
  all.socket.drop(4403, 'revoked');
  await fails(waiting, 'revoked');
  const { state, error } = all.states.at(-1);
  assert.deepEqual([state, error.code], ['closed', 'revoked']);
  assert.match(error.message, /revoked/);
  await fails(all.sluice.ready(), 'revoked');
  await sleep(50);
  assert.deepEqual([token.count, all.WebSocket.sockets.length], [1, 1]);
});

test('4000 and 4408: it comes back, and says why it was away', async (t) => {
  for (const [code, why] of [[4000, /operator/], [4408, /late/]]) {
    const token = tokens();
    const all = start(t, noUser(token));
    await all.socket.enter();
    all.socket.drop(code);
    assert.match(all.states.at(-1).hint, why);
    const next = await (await all.WebSocket.next(2)).enter();
    assert.deepEqual(logins(next), ['t2']);
  }
});

test('revoked: a channel that the new token does not allow is not entered again', async (t) => {
  const all = start(t, noUser(tokens()));
  const heard = [];
  all.sluice.on('revoked', (data) => heard.push(data));
  await all.socket.enter();
  for (const room of ['a', 'b']) {
    const joined = all.sluice.emit('join', { room });
    await all.socket.heard('join');
    all.socket.answer('join', { room, epoch: 'e', seq: 0 });
    await joined;
  }
  all.socket.say({ event: 'revoked', data: { channel: 'room:b' } });
  await until(() => heard.length);
  assert.deepEqual(heard, [{ channel: 'room:b' }]);
  const said = all.sluice.emit('sendMessage', 'where?');
  assert.equal((await all.socket.heard('sendMessage')).data.room, 'lobby');
  all.socket.answer('sendMessage', { seq: 1 });
  await said;
  all.socket.drop(1006);
  const next = await (await all.WebSocket.next(2)).enter();
  assert.deepEqual(Object.keys(sent(next, 'login')[0].resume).sort(), ['room:a', 'user:ann']);
});

test('a token does not show in what is thrown or told', async (t) => {
  const all = start(t, noUser('secret-token'));
  all.socket.open();
  await all.socket.heard('login');
  all.socket.answer('login', refused('unauthorized', 'the signature is wrong'));
  await until(() => all.sluice.state === 'closed');
  assert.doesNotMatch(JSON.stringify(all.states), /secret-token/);
});
