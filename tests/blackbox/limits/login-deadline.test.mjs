// login-deadline: who does not log in is closed with 4408, whatever it does meanwhile.
import assert from 'node:assert/strict';
import { cluster, connect, login, sleep, test, until } from '../lib/harness.mjs';
import { OPEN } from '../lib/handover.mjs';
import * as raw from '../lib/rawws.mjs';
import { metric } from '../lib/registry.mjs';
import * as sio from '../lib/socketio.mjs';

const args = ['--login-deadline', '1s', '--channels', 'chat:rw', '--socketio-namespaces', '/b'];
const { nodes, stop } = await cluster({ nodes: 2, args });
const limited = (node) => metric(node, 'sluice_limited_total', { limit: 'login-deadline' });

test('a client of /ws that only asks other things, and one that fails to log in', async () => {
  const [node] = nodes;
  const before = await limited(node);
  const ann = await login(node, 'ann');
  const idle = await connect(node);
  const asks = await connect(node);
  const fails = await connect(node);
  let open = true;
  for (const client of [asks, fails]) client.closed.then(() => (open = false));
  while (open) {
    asks.raw('{"event":"heartbeat"}');
    fails.raw('{"event":"login","data":{"userId":"not good"}}');
    await sleep(20);
  }
  for (const client of [idle, asks, fails]) {
    const { code, reason } = await client.closed;
    assert.deepEqual([code, String(reason)], [4408, 'login deadline']);
  }
  assert.deepEqual(await ann.emit('heartbeat', {}), {});
  assert.equal((await limited(node)) - before, 3);
  assert.equal(await metric(node, 'sluice_closes_total', { code: 4408 }), 3);
});

test('a raw channel has no login', async () => {
  const reader = await connect(nodes[0], { path: '/channels/chat' });
  const late = await connect(nodes[0]);
  await late.closed;
  const writer = await connect(nodes[1], { path: '/channels/chat' });
  writer.raw('hello');
  await until(() => reader.frames.length > 0);
});

test('on Socket.IO the client is disconnected, and early events do not prolong it', async () => {
  for (const transports of sio.WAYS) {
    const late = await sio.front(nodes[1], { transports });
    const gone = sio.once(late, 'disconnect');
    let open = true;
    gone.then(() => (open = false));
    while (open) {
      late.emit('history', { room: 'lobby' });
      await sleep(20);
    }
    const good = await sio.enter(nodes[1], 'bob', {}, { transports });
    await sleep(1500);
    assert.ok(good.connected);
    good.end();
  }
  assert.equal(await limited(nodes[1]), 3);
});

test('a session of Socket.IO in no namespace, since its beginning or since it left the last', async () => {
  const [node] = nodes;
  const before = await limited(node);
  const never = await raw.dial(node);
  const left = await raw.dial(node);
  for (const socket of [never, left]) {
    await socket.write(raw.handshake({ path: OPEN.replace('polling', 'websocket') }));
    assert.equal((await socket.response()).status, 101);
    assert.match((await socket.frame()).text, /^0/);
  }
  await left.send(raw.TEXT, '40');
  assert.match((await left.frame()).text, /^40/);
  await left.send(raw.TEXT, '41');
  for (const socket of [never, left]) {
    assert.deepEqual(await socket.close(), { code: 4408, reason: 'login deadline' });
  }
  const { body } = await node.get(OPEN);
  const { sid } = JSON.parse(body.slice(1));
  assert.equal((await node.get(`${OPEN}&sid=${sid}`)).body, '1'); // closed
  assert.equal((await limited(node)) - before, 3);
});

test('a token that never comes: bytes of a login do not count', async () => {
  const client = await raw.rawConnect(nodes[0]);
  const login = raw.encode(raw.TEXT, '{"event":"login","data":{"userId":"eve"}}');
  await client.write(login.subarray(0, 20));
  assert.deepEqual(await client.close(), { code: 4408, reason: 'login deadline' });
});

test('nothing is left', () => stop());
