// Connections of the official client that end: cut, drained, their node killed, not read from.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { ofUser } from '../lib/frames.mjs';
import { cluster, login, startNode, test, until } from '../lib/harness.mjs';
import { clusterBehindNginx } from '../lib/nginx.mjs';
import { startProxy } from '../lib/proxy.mjs';
import { emit, enter, front, next, once, WAYS } from '../lib/socketio.mjs';
import { gauges, keys, metric, metrics, restingGauges, scores } from '../lib/registry.mjs';

// What a client keeps open without a request does not outlast a test.
const args = ['--drain', '300ms', '--idle-timeout', '5s'];
const { redis, nodes, stop } = await cluster({ nodes: 2, args });
after(stop);

const offline = (client, user) =>
  client.next('user_offline', ofUser(user, { timeout: 15000 }));

for (const transports of WAYS) {
  const way = transports.join(' then ');
  const tag = transports.join('');

  test(`${way}: a transport that is cut takes the user out of presence`, async () => {
    const json = await login(nodes[1], `j-${tag}`);
    await json.emit('join', { room: tag });
    const proxy = await startProxy(nodes[0]);
    const ann = await enter({ url: `http://127.0.0.1:${proxy.port}` }, `cut-${tag}`, {}, { transports });
    await emit(ann, 'join', { room: tag });
    const gone = once(ann, 'disconnect');
    const cutting = setInterval(() => proxy.links().length > 0 && proxy.cut(), 20);
    await offline(json, `cut-${tag}`);
    assert.match((await gone)[0], /^transport/);
    clearInterval(cutting);
    ann.end();
    await proxy.close();
    await json.close();
  });

  test(`${way}: a drained node is left, its clients told, and comes to its end`, async () => {
    const going = await startNode({ redis, args: ['--drain', '300ms'] });
    const json = await login(nodes[1], `w-${tag}`);
    await json.emit('join', { room: `d-${tag}` });
    const gone = [];
    const fronts = [];
    for (let i = 0; i < 5; i++) {
      const ann = await enter(going, `dr${i}-${tag}`, {}, { transports });
      await emit(ann, 'join', { room: `d-${tag}` });
      gone.push(once(ann, 'disconnect'));
      fronts.push(ann);
    }
    const stranger = await front(going, { transports });
    gone.push(once(stranger, 'disconnect'));
    const began = Date.now();
    assert.deepEqual(await going.stop('SIGTERM'), { code: 0, signal: null });
    assert.ok(Date.now() - began < 10000);
    for (const end of gone) assert.match((await end)[0], /^transport/);
    for (let i = 0; i < 5; i++) await offline(json, `dr${i}-${tag}`);
    for (const s of [...fronts, stranger]) s.end();
    await json.close();
  });

  test(`${way}: SIGINT with sessions open`, async () => {
    const going = await startNode({ redis });
    const ann = await enter(going, `int-${tag}`, {}, { transports });
    await going.stop('SIGINT');
    ann.end();
  });
}

test('a killed node: the client comes back on the other one by itself', async () => {
  const own = await clusterBehindNginx({ nodes: 2, redis });
  const ann = await front(own.nginx, {
    transports: ['websocket'],
    reconnection: true,
    reconnectionDelay: 100,
  });
  const connects = [];
  const enterAgain = async () => {
    connects.push((await emit(ann, 'login', { userId: 'ann' })).node);
    await emit(ann, 'join', { room: 'k' });
  };
  await enterAgain();
  const backs = new Promise((resolve, reject) => {
    ann.on('connect', () => enterAgain().then(resolve, reject));
  });
  const mine = own.nodes.find(({ id }) => id === connects[0]);
  const gone = once(ann, 'disconnect');
  await mine.kill();
  assert.equal((await gone)[0], 'transport close');
  await backs;
  assert.notEqual(connects[1], connects[0]);
  const json = await login(nodes[0], 'json');
  await json.emit('join', { room: 'k' });
  await json.emit('sendMessage', 'still there?');
  assert.equal((await next(ann, 'chatMessage')).message, 'still there?');
  ann.end();
  await json.close();
  await own.stop();
});

test('who reads slowly is closed, and delays nobody', async () => {
  const own = await startNode({ redis, args: ['--max-queue', '200K'] });
  const slow = await enter(own, 'slow', {}, { transports: ['websocket'] });
  const quick = await enter(own, 'quick', {}, { transports: ['websocket'] });
  const json = await login(nodes[1], 'sender');
  for (const s of [slow, quick]) await emit(s, 'join', { room: 's' });
  await json.emit('join', { room: 's' });
  const socket = slow.io.engine.transport.ws._socket;
  socket.pause();
  const gone = () =>
    json.frames.some(({ event, data }) => event === 'user_offline' && data === 'slow');
  for (let n = 0; !gone(); n++) {
    assert.ok(n < 1000, 'it is closed before 50 MB');
    await json.emit('sendMessage', { message: { n, text: 'x'.repeat(50000) } });
    assert.equal((await next(quick, 'chatMessage')).message.n, n);
  }
  assert.equal(await metric(own, 'sluice_closes_total', { code: 1013 }), 1);
  const told = once(slow, 'disconnect');
  socket.resume();
  assert.match((await told)[0], /^transport/);
  for (const s of [slow, quick]) s.end();
  await json.close();
  await own.stop();
});

test('who never polls again is closed when too much waits, or for its silence', async () => {
  const few = ['--max-queue', '200K', '--socketio-ping-interval', '300ms'];
  const own = await startNode({ redis, args: [...few, '--socketio-ping-timeout', '500ms'] });
  const quiet = await enter(own, 'quiet', {}, { transports: ['polling'] });
  const json = await login(nodes[1], 'sender2');
  await json.emit('join', { room: 'q' });
  await emit(quiet, 'join', { room: 'q' });
  quiet.io.engine.transport.doPoll = () => {};
  await offline(json, 'quiet');
  quiet.end();
  await json.close();
  await own.stop();
});

test('nothing is left of 60 that came and went, by each transport', async () => {
  const channels = async () => (await redis.cli('PUBSUB', 'CHANNELS')).split('\n').sort().join();
  await until(async () => (await keys(redis, '*:here')).length === 0);
  // A WebSocket of a test before this one may still wait for the end of its close.
  await until(async () => (await metric(nodes[0], 'sluice_connections')) <= 1);
  const before = [await restingGauges([nodes[0]]), await channels()];
  const fronts = await Promise.all(
    Array.from({ length: 60 }, async (_, n) => {
      const options = { transports: WAYS[n % 3] };
      const s = await enter(nodes[0], `p${n}`, { csId: n % 5 }, options);
      await emit(s, 'join', { room: `r${n % 4}` });
      await emit(s, 'subscribe', { channel: `topic:t${n % 3}` });
      return s;
    }),
  );
  const value = await metrics(nodes[0]);
  assert.ok(value('sluice_connections', { door: 'socketio' }) >= 20);
  assert.ok(value('sluice_handshakes_total', { door: 'socketio', result: 'accepted' }) >= 60);
  assert.ok(value('sluice_received_messages_total', { door: 'socketio' }) >= 180);
  assert.ok(value('sluice_sent_messages_total', { door: 'socketio' }) >= 180);
  assert.equal(Object.keys(await scores(redis, 'sluice:online')).length, 60);
  fronts.forEach((s, n) => {
    const { engine } = s.io;
    if (n % 2 && engine.transport.name === 'websocket') engine.transport.ws.terminate();
    else s.emit('sendMessage', 'goodbye');
    s.end();
  });
  await until(async () => (await keys(redis, '*:conns')).length === 0, { timeout: 20000 });
  await until(async () => (await keys(redis, '*:here')).length === 0);
  assert.equal(await redis.cli('EXISTS', 'sluice:online'), '0');
  await until(async () => (await channels()) === before[1]);
  await until(async () => (await gauges([nodes[0]])) === before[0], { timeout: 15000 });
});
