// disconnect-hook: that a connection has ended is told at least once, with its rooms as they were:
// by its node, or by another one if that has died; and not if it is recovered in time.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { startBackend } from '../lib/hooks.mjs';
import { cluster, connect, login, sleep, startNode, test, until } from '../lib/harness.mjs';
import { emit, enter, front, next, once } from '../lib/socketio.mjs';

const secret = 'a secret of at least thirty-two bytes';
const backend = await startBackend({ secret });
const KEY = 'k'.repeat(32);
const LINGER = 1000;
const args = [
  '--disconnect-hook', backend.url,
  '--disconnect-linger', `${LINGER}ms`,
  '--hook-secret', secret,
  '--hook-timeout', '500ms',
  '--lease-interval', '200ms',
  '--lease-timeout', '1s',
  '--api-key', KEY,
  '--event', `ask rpc ${backend.url}`,
];
const { redis, nodes, stop } = await cluster({ nodes: 2, args });
after(stop);

const told = (user, options) => backend.next('disconnect', (body) => body.user === user, options);
const tellings = (user) => backend.of('disconnect').filter((body) => body.user === user);
const post = (path) =>
  fetch(nodes[0].url + path, { method: 'POST', headers: { authorization: `Bearer ${KEY}` } });

test('a page that goes: at once, with all that is known of the connection', async () => {
  const ann = await login(nodes[0], 'ann');
  for (const room of ['one', 'two', 'three']) await ann.emit('join', { room });
  await ann.emit('leave', { room: 'two' });
  const began = Date.now();
  await ann.close(1001);
  const body = await told('ann');
  assert.ok(Date.now() - began < LINGER, 'at once');
  const { id, time, ...rest } = body;
  assert.match(id, /^[0-9a-f]{32}$/);
  assert.ok(Math.abs(time - Date.now()) < 5000);
  assert.deepEqual(rest, {
    type: 'disconnect',
    user: 'ann',
    identity: 'none',
    role: 'user',
    socket: ann.ack.connectionId,
    node: nodes[0].id,
    door: 'json',
    namespace: '/',
    rooms: rest.rooms,
    reason: 'transport close',
  });
  assert.deepEqual([...rest.rooms].sort(), ['one', 'three']);
});

test('a cut: after disconnect-linger', async () => {
  const bob = await login(nodes[0], 'bob');
  const began = Date.now();
  await bob.terminate();
  const body = await told('bob');
  assert.ok(Date.now() - began >= LINGER, 'not before');
  assert.equal(body.reason, 'transport close');
});

for (const transports of [['polling'], ['websocket']]) {
  test(`${transports}: a DISCONNECT packet, and a disconnect by the server, at once`, async () => {
    const cat = await enter(nodes[0], `cat-${transports}`, {}, { transports });
    const { id } = cat;
    const began = Date.now();
    cat.disconnect();
    const body = await told(`cat-${transports}`);
    assert.equal(body.reason, 'client namespace disconnect');
    assert.equal(body.socket, id);
    assert.equal(body.door, 'socketio');
    const dan = await enter(nodes[1], `dan-${transports}`, {}, { transports });
    assert.equal((await post(`/api/v1/sockets/${dan.id}/disconnect`)).status, 200);
    assert.equal((await told(`dan-${transports}`)).reason, 'server namespace disconnect');
    assert.ok(Date.now() - began < LINGER, 'at once');
  });
}

test('recovered in time, at this node or another one, nothing is told; later, it is', async () => {
  const eve = await front(nodes[0], { transports: ['websocket'], auth: { userId: 'eve' }, reconnection: true,
    reconnectionDelay: 50, reconnectionDelayMax: 50 });
  const { id } = eve;
  await emit(eve, 'sendMessage', { room: 'eve', message: 'x' }).catch(() => {});
  const bob = await login(nodes[1], 'to-eve');
  await bob.emit('private_message', { receiverId: 'eve', content: 'one' });
  await next(eve, 'new_private_message');
  eve.io.engine.close();
  await once(eve, 'connect');
  assert.ok(eve.recovered);
  assert.equal(eve.id, id);
  await sleep(LINGER + 800); // nothing is to come
  assert.deepEqual(tellings('eve'), []);
  eve.disconnect();
  assert.equal((await told('eve')).socket, id);
  assert.equal(tellings('eve').length, 1);
  await bob.close();
});

test('after the last call of the connection', async () => {
  let go;
  backend.answer = (body) =>
    body.type === 'event' ? new Promise((resolve) => (go = () => resolve({ state: { n: 1 } }))) : {};
  const fay = await enter(nodes[0], 'fay', {}, { transports: ['websocket'] });
  fay.emit('ask', 1);
  await backend.next('event');
  fay.disconnect();
  await until(async () => (await redis.cli('ZSCORE', 'sluice:online', 'fay')) === '', { what: 'fay is gone' });
  assert.deepEqual(tellings('fay'), []);
  go();
  assert.deepEqual((await told('fay')).state, { n: 1 });
  backend.answer = () => ({});
});

test('a back end that is away is told again, with the same id; and what it answers is emitted', async () => {
  const gil = await login(nodes[1], 'gil');
  await gil.emit('join', { room: 'farewell' });
  let times = 0;
  backend.answer = (body) => {
    if (body.user !== 'hal') return {};
    times++;
    if (times === 1) return 'cut';
    if (times === 2) return { status: 500 };
    return { emit: [{ to: 'room:farewell', event: 'bye', args: [body.user, body.reason] }] };
  };
  const hal = await login(nodes[0], 'hal');
  await hal.close(1001);
  const frame = await gil.next('bye', { timeout: 20000 });
  assert.deepEqual(frame.args, ['hal', 'transport close']);
  const ids = new Set(tellings('hal').map(({ id }) => id));
  assert.equal(ids.size, 1);
  assert.equal(times, 3);
  backend.answer = () => ({});
  await until(async () => (await redis.cli('HLEN', 'sluice:bye')) === '0', { what: 'no end is left' });
  assert.equal(await redis.cli('ZCARD', 'sluice:byes'), '0');
  await gil.close();
});

test('a refusal ends it', async () => {
  backend.answer = () => ({ status: 404, body: { error: { code: 'nobody' } } });
  const ida = await login(nodes[0], 'ida');
  await ida.close(1001);
  await told('ida');
  await until(async () => (await redis.cli('HLEN', 'sluice:bye')) === '0', { what: 'no end is left' });
  backend.answer = () => ({});
});

test('a node that dies: another one tells of its connections', async () => {
  const third = await startNode({ redis, args });
  const jon = await login(third, 'jon');
  await jon.emit('join', { room: 'last' });
  const noted = async () => (await redis.cli('HGETALL', 'sluice:noted')).includes('"last"');
  await until(noted, { what: 'the room is noted' });
  await third.kill();
  const body = await told('jon', { timeout: 20000 });
  assert.equal(body.reason, 'node lost');
  assert.deepEqual(body.rooms, ['last']);
  assert.equal(body.socket, jon.ack.connectionId);
  assert.equal(body.node, third.id);
  await until(async () => (await redis.cli('HLEN', 'sluice:noted')) === '0', { what: 'nothing is noted' });
});

test('a node that leaves: its clients have time to come back', async () => {
  const third = await startNode({ redis, args });
  const kim = await login(third, 'kim');
  await third.stop();
  const body = await told('kim', { timeout: 20000 });
  assert.equal(body.reason, 'server shutting down');
  assert.equal(body.socket, kim.ack.connectionId);
});

test('Redis away while connections end: they are told when it is back', async () => {
  const lea = await login(nodes[0], 'lea');
  const max = await login(nodes[0], 'max');
  await redis.pause();
  await lea.close(1001);
  await sleep(300);
  await redis.resume();
  assert.equal((await told('lea', { timeout: 20000 })).reason, 'transport close');
  assert.deepEqual(tellings('max'), []);
  await max.close(1001);
  await told('max', { timeout: 20000 });
});

test('who never logged in is not told of', async () => {
  const before = backend.of('disconnect').length;
  const nobody = await connect(nodes[0]);
  await nobody.close(1001);
  const nia = await login(nodes[0], 'nia');
  await nia.close(1001);
  await told('nia');
  assert.equal(backend.of('disconnect').length, before + 1);
});
