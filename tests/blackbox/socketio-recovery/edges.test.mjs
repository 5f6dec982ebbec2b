// Connection state recovery at its edges: offsets that no node made, Redis that goes just then, what
// was left just before the cut, a clock that was lost.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, login, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { nodeBehindProxy } from '../lib/proxy.mjs';
import { metric } from '../lib/registry.mjs';
import { beside, emit, enter, front, next, once } from '../lib/socketio.mjs';

const { redis, nodes, stop } = await cluster({
  nodes: 2,
  args: ['--socketio-namespaces', '/beside'],
});
after(stop);

const WAY = { transports: ['websocket'] };
const cut = (socket) => socket.io.engine.close();
const isBack = (socket, former) => socket._pid === former._pid;

// Comes with what the client of `former` would say.
const comeBack = (node, former, options) =>
  front(node, { auth: { pid: former._pid, offset: former._lastOffset }, ...WAY, ...options });

// Logged in at a node, with one message of topic:<user>.
async function withOne(node, user) {
  const socket = await enter(node, user, {}, WAY);
  await emit(socket, 'subscribe', { channel: `topic:${user}` });
  await publish(`topic:${user}`, 1);
  assert.equal(await next(socket, 'message'), 1);
  return socket;
}

const writer = await login(nodes[1], 'writer');
const publish = (channel, data) => writer.emit('publish', { channel, data });

test('an offset with a NUL, or a long one, is none', async () => {
  const ann = await withOne(nodes[0], 'nul');
  cut(ann);
  const offsets = ['5.5.\0', '~5.5.5.ab.\0', '10.5.ab.\0', `${ann._lastOffset}\0`].map(
    (head) => head + 'a'.repeat(5000),
  );
  for (const offset of [...offsets, 'x'.repeat(15000)]) {
    const back = await front(nodes[0], { auth: { pid: 'A'.repeat(40), offset } });
    assert.notEqual(back._pid, 'A'.repeat(40));
    back.end();
    const own = await front(nodes[0], { auth: { pid: ann._pid, offset } });
    assert.ok(!isBack(own, ann));
    own.end();
  }
});

test('nor is it one when Redis is away, and Redis back makes it none', async () => {
  const { proxy, node } = await nodeBehindProxy(redis);
  const ann = await withOne(node, 'away');
  cut(ann);
  proxy.refusing = true;
  proxy.cut();
  await until(async () => (await metric(node, 'sluice_redis_up')) === 0);
  const auth = { pid: ann._pid, offset: 'x'.repeat(15000) };
  const back = await front(node, { auth });
  assert.ok(!isBack(back, ann));
  back.end();
  await node.stop();
  await proxy.close();
});

for (const link of ['commands', 'subscriber', 'all']) {
  test(`Redis's links fall while it is asked: ${link}`, async () => {
    const { proxy, node } = await nodeBehindProxy(redis);
    const user = `fall-${link}`;
    const ann = await withOne(node, user);
    cut(ann);
    proxy.stall({ link: 'commands', direction: 'toNode' });
    const back = await comeBack(node, ann, { wait: false });
    const connected = once(back, 'connect', 15000);
    await until(async () => (await metric(node, 'sluice_connections', { door: 'socketio' })) > 0);
    await publish(`topic:${user}`, 2);
    proxy.cut({ link });
    await connected;
    assert.ok(isBack(back, ann));
    assert.equal(await next(back, 'message'), 2);
    back.end();
    await node.stop();
    await proxy.close();
  });
}

test('a node stops while clients wait for Redis', async () => {
  const { proxy, node } = await nodeBehindProxy(redis);
  const ann = await withOne(node, 'stops');
  cut(ann);
  proxy.refusing = true;
  proxy.cut();
  await until(async () => (await metric(node, 'sluice_redis_up')) === 0);
  const waiting = await Promise.all([1, 2, 3].map(() => comeBack(node, ann, { wait: false })));
  await until(async () => (await metric(node, 'sluice_connections', { door: 'socketio' })) >= 3);
  assert.deepEqual(await node.stop('SIGTERM'), { code: 0, signal: null }); // no leak
  for (const socket of waiting) socket.end();
  await proxy.close();
});

test('who joins again and again in one session is not asked about in Redis', async () => {
  const count = () => metric(nodes[0], 'sluice_recoveries_total', { result: 'not_recovered' });
  const before = await count();
  const ann = await front(nodes[0], { auth: { pid: 'B'.repeat(40) }, ...WAY });
  assert.equal(await count(), before + 1);
  const stays = beside(ann, '/beside');
  await once(stays, 'connect');
  const { engine } = ann.io;
  for (let i = 0; i < 10; i++) {
    ann.disconnect();
    const connected = once(ann, 'connect');
    ann.connect();
    await connected;
  }
  assert.equal(ann.io.engine, engine);
  assert.equal(await count(), before + 1);
  stays.disconnect();
  ann.end();
});

test('topics that were left just before the cut stay left', async () => {
  const { proxy, node } = await nodeBehindProxy(redis);
  const ann = await withOne(node, 'leaver');
  for (const channel of ['topic:x', 'topic:y']) await emit(ann, 'subscribe', { channel });
  proxy.delay = 100;
  await Promise.all(['x', 'y'].map((x) => emit(ann, 'unsubscribe', { channel: `topic:${x}` })));
  cut(ann);
  await publish('topic:y', 'to those who stayed');
  await publish('topic:leaver', 2);
  proxy.delay = 0;
  await until(async () => {
    const fields = await redis.cli('HKEYS', `sluice:{sio:${ann._pid}}`);
    return !fields.includes('topic:y');
  });
  const back = await comeBack(nodes[0], ann);
  assert.ok(isBack(back, ann));
  assert.equal(await next(back, 'message'), 2);
  await publish('topic:y', 'to those who stayed');
  await publish('topic:leaver', 3);
  assert.equal(await next(back, 'message'), 3);
  back.end();
  await node.stop();
  await proxy.close();
});

test('cut in the first catching up of all', async () => {
  const channel = 'topic:long';
  const first = await login(nodes[0], 'reader');
  const { epoch, seq } = await first.emit('subscribe', { channel });
  await first.close();
  const text = 'x'.repeat(2000);
  for (let i = 0; i < 20; i++) {
    const some = Array.from({ length: 100 }, (_, k) => publish(channel, { n: 100 * i + k, text }));
    await Promise.all(some);
  }
  let ann = await front(nodes[0], WAY);
  const heard = [];
  // Resolves when it was cut at the next 700 that it has heard, or has all.
  const listen = (socket) =>
    new Promise((resolve) => {
      const most = heard.length + 700;
      socket.on('disconnect', resolve);
      socket.on('message', ({ n }) => {
        heard.push(n);
        if (heard.length === most) socket.io.engine.transport.ws.terminate();
        if (n === 1999) resolve();
      });
    });
  let over = listen(ann);
  await emit(ann, 'login', { userId: 'reader', resume: { [channel]: { epoch, seq } } });
  await over;
  while (heard.at(-1) < 1999) {
    const back = await comeBack(nodes[1], ann, { wait: false });
    over = listen(back);
    await once(back, 'connect');
    assert.ok(isBack(back, ann));
    await over;
    ann = back;
  }
  assert.deepEqual(heard, Array.from({ length: 2000 }, (_, n) => n));
});

test('a clock that was lost proves nothing', async () => {
  const own = await startRedis();
  const node = await startNode({ redis: own });
  const bob = await login(node, 'bob');
  const ann = await enter(node, 'ann');
  await emit(ann, 'subscribe', { channel: 'topic:a' });
  await emit(ann, 'subscribe', { channel: 'topic:b' });
  // As a machine's clock that is ahead by an hour, and then set back when the key was evicted.
  await own.cli('SET', 'sluice:clock', String((Date.now() + 3600000) * 1000));
  await bob.emit('publish', { channel: 'topic:a', data: 1 });
  assert.equal(await next(ann, 'message'), 1);
  cut(ann);
  await own.cli('DEL', 'sluice:clock');
  await bob.emit('publish', { channel: 'topic:b', data: 2 });
  const back = await comeBack(node, ann);
  assert.ok(!isBack(back, ann), 'it would miss that');
  back.end();
  await bob.close();
  await node.stop();
  await own.stop();
});
