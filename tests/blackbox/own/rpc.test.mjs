// Own events that a back end answers: what it is told, and what it may do.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { startBackend } from '../lib/hooks.mjs';
import { cluster, login, sleep, test, until } from '../lib/harness.mjs';
import { emit, enter, next, once } from '../lib/socketio.mjs';

const answers = {};
const back = await startBackend({ answer: (body) => answers[body.event]?.(body) });
const lines = [
  `ask rpc ${back.url}/ask`,
  `order:* rpc ${back.url}/order parallel=2 timeout=5s`,
  `slow rpc ${back.url}/slow timeout=300ms`,
  'chat room',
];
const { nodes, stop } = await cluster({ nodes: 2, args: lines.flatMap((line) => ['--event', line]) });
after(stop);

const rawEmit = (socket, ...args) =>
  new Promise((resolve) => socket.emit(...args, (...all) => resolve(all)));

test('the back end is told who asks, and its ack is the callback', async () => {
  const ann = await enter(nodes[0], 'ann');
  await emit(ann, 'join', { room: 'r1' });
  answers.ask = () => ({ ack: { fine: true } });
  assert.deepEqual(await emit(ann, 'ask', 'x', { y: 1 }), { fine: true });
  const { body, path } = back.calls.at(-1);
  assert.equal(path, '/hooks/ask');
  assert.deepEqual({ ...body, id: '', time: 0 }, {
    id: '', type: 'event', time: 0, user: 'ann', identity: 'none', role: 'user', socket: ann.id,
    node: 'n1', door: 'socketio', namespace: '/', rooms: ['r1'], event: 'ask', args: ['x', { y: 1 }],
  });
  answers.ask = () => ({ ack: [1, 'two'] });
  assert.deepEqual(await rawEmit(ann, 'ask'), [1, 'two']);
  answers.ask = () => undefined;
  assert.deepEqual(await rawEmit(ann, 'ask'), []);
});

test('join, leave, emit, ack and state, in this order', async () => {
  const [ann, bob] = [await enter(nodes[0], 'bea'), await enter(nodes[1], 'bob')];
  await emit(bob, 'join', { room: 'game 1'.replace(' ', '%20') });
  answers.ask = () => ({
    join: ['game 1'],
    emit: [
      { to: 'room:game 1', event: 'started', args: [1, 2], except: ['me'] },
      { to: ['me', 'user:bob'], event: 'hello', data: 'both' },
    ],
    ack: 'joined',
    state: { level: 3 },
  });
  assert.equal(await emit(ann, 'ask'), 'joined');
  assert.equal(await next(bob, 'started'), 1);
  assert.equal(await next(bob, 'hello'), 'both');
  assert.equal(await next(ann, 'hello'), 'both');
  await emit(ann, 'chat', 'in it');
  assert.equal(await next(bob, 'chat'), 'in it');
  answers.ask = (body) => ({ leave: ['game 1'], ack: body.state });
  assert.deepEqual(await emit(ann, 'ask'), { level: 3 });
  assert.deepEqual(back.calls.at(-1).body.rooms, ['game%201']);
  await emit(bob, 'chat', 'alone');
  answers.ask = (body) => ({ ack: [body.rooms] });
  assert.deepEqual(await emit(ann, 'ask'), []);
  assert.deepEqual(ann.got.filter(({ event }) => event === 'started'), []);
});

test('errors are the back end\'s own; nonsense is unavailable', async () => {
  const ann = await login(nodes[0], 'cid');
  answers.ask = () => ({ status: 409, body: { error: { code: 'taken', message: 'no', data: [1] } } });
  await assert.rejects(ann.emit('ask', 1), { code: 'taken', message: 'no', data: [1] });
  answers.ask = () => ({ status: 400, body: { error: { code: 'unavailable' } } });
  await assert.rejects(ann.emit('ask', 1), { code: 'rejected' });
  for (const nonsense of ['{', '[]', { emit: 3 }, { emit: [{ to: 'x', event: 'e' }] },
    { emit: [{ to: 'all', event: 'typing' }] }, { join: [''] }, { state: 'x'.repeat(5000) }]) {
    answers.ask = () => nonsense;
    await assert.rejects(ann.emit('ask', 1), { code: 'unavailable', outcome: 'unknown' });
  }
});

test('a join that may not be is the error, and what follows is not done', async () => {
  const ann = await enter(nodes[0], 'dee');
  const full = Array.from({ length: 100 }, (_, i) => `f${i}`);
  answers.ask = () => ({ join: full });
  await emit(ann, 'ask');
  await emit(ann, 'ask');
  answers.ask = () => ({ join: full.map((room) => `g${room}`), emit: [{ to: 'me', event: 'no', data: 1 }] });
  await emit(ann, 'ask');
  answers.ask = () => ({ join: ['one-more'], emit: [{ to: 'me', event: 'never', data: 1 }] });
  await assert.rejects(emit(ann, 'ask'), { code: 'too_many' });
  answers.ask = () => undefined;
  await emit(ann, 'ask');
  assert.deepEqual(ann.got.filter(({ event }) => event === 'never'), []);
});

test('in order, unless the line says parallel; a slow one is given up', async () => {
  const ann = await login(nodes[0], 'eli');
  let release;
  answers.ask = () => new Promise((resolve) => (release = () => resolve({ ack: 1 })));
  answers['order:a'] = () => ({ ack: 'a' });
  const first = ann.emit('ask', 1);
  const second = ann.emit('order:a', 2);
  await until(() => release);
  assert.equal(back.calls.at(-1).body.event, 'ask');
  release();
  assert.equal(await first, 1);
  assert.equal(await second, 'a');

  const open = [];
  let under = 0, most = 0;
  answers['order:b'] = () => {
    most = Math.max(most, ++under);
    return new Promise((resolve) => open.push(() => resolve({ ack: under-- })));
  };
  const three = [1, 2, 3].map((n) => ann.emit('order:b', n));
  await until(() => open.length === 2);
  const other = await login(nodes[0], 'eli');
  answers.ask = () => ({ ack: 'passes' });
  assert.equal(await other.emit('ask', 1), 'passes');
  for (const each of open.splice(0)) each();
  await until(() => open.length === 1);
  open[0]();
  await Promise.all(three);
  assert.equal(most, 2);
  answers['order:b'] = () => new Promise((resolve) => (release = () => resolve({ ack: 'late' })));
  const late = ann.emit('order:b', 1);
  assert.equal(await ann.emit('ask', 1), 'passes');
  release();
  assert.equal(await late, 'late');

  answers.slow = () => sleep(2000);
  await assert.rejects(ann.emit('slow', 1), { code: 'unavailable', outcome: 'unknown' });
});

test('a repeat has the same id, and its emits are logged once', async () => {
  const [ann, bob] = [await login(nodes[0], 'fio'), await login(nodes[1], 'gil')];
  await bob.emit('join', { room: 'once' });
  answers.ask = () => ({ emit: [{ to: 'room:once', event: 'made', data: 1 }], ack: 'ok' });
  for (let i = 0; i < 2; i++) {
    ann.raw(JSON.stringify({ event: 'ask', data: 1, clientMessageId: 'm', ack: `k${i}` }));
    await until(() => ann.frames.some((frame) => frame.ack === `k${i}`));
  }
  const [one, two] = back.calls.slice(-2).map(({ body }) => body.id);
  assert.equal(one, two);
  await bob.next('made');
  await bob.none('made', 100);
});

test('a client that the back end disconnects is told so', async () => {
  const ann = await enter(nodes[0], 'hua');
  const gone = once(ann, 'disconnect');
  answers.ask = () => ({ ack: 'bye', disconnect: true });
  assert.equal(await emit(ann, 'ask'), 'bye');
  assert.equal((await gone)[0], 'io server disconnect');
});
