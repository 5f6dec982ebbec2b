// Failures that pass: not acknowledged to clients of Socket.IO, so that their retries go on.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, login, test, until } from '../lib/harness.mjs';
import { emit, enter, front, next, once } from '../lib/socketio.mjs';

const { redis, nodes, stop } = await cluster({ nodes: 2, args: ['--rate-limit', '20'] });
after(stop);

const ready = () => Promise.all(nodes.map((node) => node.untilReady({ timeout: 20000 })));
const notReady = () => Promise.all(nodes.map((node) => node.untilNotReady({ timeout: 20000 })));

// Nobody is in the room any more after Redis was away: it remembers; but the log is the judge.
async function logged(user, room) {
  const json = await login(nodes[1], user);
  await json.emit('join', { room });
  const { messages } = await json.emit('history', { room });
  await json.close();
  return messages.map(({ message }) => message);
}

test('three messages with retries while Redis is away arrive once each', async () => {
  const ann = await enter(nodes[0], 'ann', {}, { retries: 100, ackTimeout: 400 });
  await emit(ann, 'join', { room: 'r' });
  await redis.stop();
  await notReady();
  const acks = ['one', 'two', 'three'].map(
    (message, n) =>
      new Promise((resolve) => {
        ann.emit('sendMessage', { room: 'r', message, clientMessageId: `m${n}` }, (error, ack) => resolve(error ?? ack.seq));
      }),
  );
  const told = await next(ann, 'error', { match: ({ event }) => event === 'sendMessage' });
  assert.deepEqual([told.code, told.outcome, told.clientMessageId], ['unavailable', 'refused', 'm0']);
  await redis.restart();
  await ready();
  assert.deepEqual(await Promise.all(acks), [1, 2, 3]);
  assert.deepEqual(await logged('judge1', 'r'), ['one', 'two', 'three']);
  ann.end();
});

test('the same of a callback with a time limit; auth.errors gives it to the callback', async () => {
  const ann = await enter(nodes[0], 'ann2');
  const asked = await enter(nodes[0], 'asked', {}, { auth: { errors: 'ack' } });
  const atConnect = await front(nodes[0], { auth: { userId: 'ann3', errors: 'event' } });
  await redis.stop();
  await notReady();
  await assert.rejects(ann.timeout(500).emitWithAck('join', { room: 'q' }), /timed out/);
  assert.equal((await next(ann, 'error')).event, 'join');
  const refused = { code: 'unavailable', outcome: 'refused' };
  await assert.rejects(emit(asked, 'join', { room: 'q' }), refused);
  await assert.rejects(atConnect.timeout(500).emitWithAck('history', { room: 'q' }), /timed out/);
  assert.equal((await next(atConnect, 'error')).event, 'history');
  // What is the client's own fault is acknowledged, whatever Redis does.
  await assert.rejects(emit(ann, 'private_message', {}), { code: 'missing_field' });
  await redis.restart();
  await ready();
  for (const s of [ann, asked, atConnect]) s.end();
});

test('over the rate: told by the event, and the retry succeeds', async () => {
  const ann = await enter(nodes[0], 'quick', {}, { retries: 50, ackTimeout: 300, transports: ['websocket'] });
  await emit(ann, 'join', { room: 'rate' });
  const told = [];
  ann.on('error', (one) => one.event === 'sendMessage' && told.push(one));
  // On a slow machine a unit may be there again by the time the message is read.
  let id = 0;
  let data;
  while (told.length === 0 && id < 30) {
    id++;
    for (let i = 0; i < 60; i++) ann.io.engine.write('2["heartbeat",{}]');
    data = await new Promise((resolve) => {
      ann.emit('sendMessage', { room: 'rate', message: 'x', clientMessageId: id }, (error, sent) => resolve(error ?? sent));
    });
  }
  assert.deepEqual([told[0]?.code, told[0]?.clientMessageId], ['rate_limited', id]);
  assert.equal(data.seq, id);
  const asked = await enter(nodes[0], 'asked2', {}, { auth: { errors: 'ack' } });
  const codes = await Promise.all(
    Array.from({ length: 60 }, () => emit(asked, 'heartbeat', {}).then(() => 'ok', ({ code }) => code)),
  );
  assert.ok(codes.includes('rate_limited'));
  for (const s of [ann, asked]) s.end();
});

test('what was buffered is told as unavailable when the login is', async () => {
  const ann = await front(nodes[0], { wait: false, autoConnect: false });
  const told = [];
  ann.on('error', ({ event, code, outcome, clientMessageId }) => told.push([event, code, outcome, clientMessageId]));
  await redis.stop();
  await notReady();
  ann.on('connect', () => ann.emit('login', { userId: 'ann4' }, () => told.push('acked')));
  ann.emit('sendMessage', { message: 'x', clientMessageId: 'b' }, () => told.push('acked'));
  ann.connect();
  await once(ann, 'connect');
  await until(() => told.length === 2);
  assert.deepEqual(told, [
    ['login', 'unavailable', 'refused', undefined],
    ['sendMessage', 'unavailable', 'refused', 'b'],
  ]);
  await redis.restart();
  await ready();
  ann.end();
});
