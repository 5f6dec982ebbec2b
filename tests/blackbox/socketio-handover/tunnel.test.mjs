// A session's WebSocket at a node that does not have it: a tunnel to the one that has.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { begin } from '../lib/handover.mjs';
import { cluster, startNode, test, until } from '../lib/harness.mjs';
import { metricChanges, metrics } from '../lib/registry.mjs';
import * as raw from '../lib/rawws.mjs';
import { emit, enter } from '../lib/socketio.mjs';

const { redis, nodes, stop } = await cluster({ nodes: 3, args: ['--drain', '1s'] });
after(stop);
const [one, two, three] = nodes;
const wsPath = (s) => s.url.replace('polling', 'websocket');
const beat = (id) => [`42${id}["heartbeat",""]`, `43${id}[{}]`];

// The session's WebSocket at a node, behind the probe. headers: more of the handshake.
async function upgrade(s, node, headers = {}) {
  const socket = await raw.dial(node);
  await socket.write(raw.handshake({ path: wsPath(s), headers }));
  const { status, headers: got } = await socket.response();
  assert.equal(status, 101);
  assert.equal(got['sec-websocket-accept'], raw.ACCEPT);
  await socket.send(raw.TEXT, '2probe');
  assert.equal((await socket.frame()).text, '3probe');
  await socket.send(raw.TEXT, '5');
  return socket;
}

async function tunnelled(from, at) {
  const s = await begin(from, nodes);
  return { s, socket: await upgrade(s, at) };
}

const sessions = async (node) => (await metrics(node))('sluice_users');
const tunnels = async (node) => (await metrics(node))('sluice_tunnels');
const isGone = (s, node) => until(async () => (await s.get(node)).status === 400);

test('the probe, a poll that is let go, and messages both ways', async () => {
  const s = await begin(one, nodes);
  const waiting = s.get(three);
  await s.waits();
  const socket = await upgrade(s, two);
  assert.equal((await waiting).body, '6');
  for (let i = 0; i < 20; i++) {
    const [sent, back] = beat(i);
    await socket.send(raw.TEXT, sent);
    assert.equal((await socket.frame()).text, back);
  }
  assert.equal((await s.get(three)).json().code, 3, 'it is polled no more');
  socket.destroy();
});

test('gauges: a tunnel is a WebSocket here and there, and a connection between', async () => {
  const before = await Promise.all([metrics(two), metrics(one)]);
  const connections = (now, door) => now('sluice_connections', { door });
  const rise = await metricChanges(two, async () => {
    const { socket } = await tunnelled(one, two);
    const now = await Promise.all([metrics(two), metrics(one)]);
    assert.equal(now[0]('sluice_tunnels') - before[0]('sluice_tunnels'), 1);
    for (const i of [0, 1]) {
      assert.equal(connections(now[i], 'socketio') - connections(before[i], 'socketio'), 1);
    }
    assert.ok(connections(now[0], 'peer') >= 1);
    socket.destroy();
    await until(async () => (await tunnels(two)) === 0);
  });
  assert.equal(rise('sluice_handovers_total', { result: 'tunnelled' }), 1);
});

test('what is sent with the handshake, in one piece, is for the other node', async () => {
  const s = await begin(one, nodes);
  const socket = await raw.dial(two);
  const [sent, back] = beat(7);
  const frames = ['2probe', '5', sent].map((text) => raw.encode(raw.TEXT, text));
  await socket.write(Buffer.concat([Buffer.from(raw.handshake({ path: wsPath(s) })), ...frames]));
  assert.equal((await socket.response()).status, 101);
  assert.equal((await socket.frame()).text, '3probe');
  assert.equal((await socket.frame()).text, back);
  socket.destroy();
});

test('frames byte by byte', async () => {
  const { socket } = await tunnelled(one, two);
  const [sent, back] = beat(9);
  for (const byte of raw.encode(raw.TEXT, sent)) await socket.write(Buffer.from([byte]));
  assert.equal((await socket.frame()).text, back);
  socket.destroy();
});

test('messages of 900 KB both ways, binary too, in order', async () => {
  const { s, socket } = await tunnelled(one, two);
  await socket.send(raw.TEXT, '420["login",{"userId":"big"}]');
  await socket.send(raw.TEXT, '421["join",{"room":"big"}]');
  const texts = Array.from({ length: 12 }, (_, i) => `${i}`.padEnd(900000, '.'));
  for (const text of texts) {
    await socket.send(raw.TEXT, `42${JSON.stringify(['sendMessage', { message: text }])}`);
  }
  const heard = [];
  while (heard.length < texts.length) {
    const { text } = await socket.frame({ timeout: 20000 });
    if (text.startsWith('42["chatMessage"')) heard.push(JSON.parse(text.slice(2))[1].message);
  }
  assert.deepEqual(heard.map((text) => text.length), texts.map((text) => text.length));
  assert.deepEqual(heard, texts);
  const bytes = Buffer.alloc(900000, 7);
  await socket.send(raw.TEXT, '451-["sendMessage",{"message":{"_placeholder":true,"num":0}}]');
  await socket.send(raw.BINARY, bytes);
  let frame;
  do frame = await socket.frame();
  while (frame.opcode !== raw.BINARY);
  assert.ok(frame.payload.equals(bytes));
  socket.destroy();
  await isGone(s, one);
});

test('who does not read is not read for: the tunnel holds little, its node closes the session', async (t) => {
  const ann = await enter(one, 'loud');
  await emit(ann, 'join', { room: 'slow' });
  const s = await begin(one, nodes);
  const bob = await raw.dial(two);
  t.after(() => bob.destroy());
  await bob.write(raw.handshake({ path: wsPath(s) }));
  await bob.response();
  for (const text of ['2probe', '5', '420["login",{"userId":"slow"}]', '421["join",{"room":"slow"}]']) {
    await bob.send(raw.TEXT, text);
  }
  await until(() => bob.received.includes('431['));
  bob.pause();
  const text = 'x'.repeat(200000);
  let most = 0;
  for (let i = 0; ; i++) {
    await emit(ann, 'sendMessage', { message: text });
    most = Math.max(most, (await metrics(two))('sluice_queue_bytes'));
    if ((await s.get(three)).json?.().code === 1) break;
    assert.ok(i < 1500, 'the session of who does not read ends');
  }
  assert.ok(most < 1000000, `${most} bytes waited in the tunnel`);
  bob.resume();
  assert.deepEqual(await bob.close({ timeout: 10000 }), { code: 1013, reason: 'slow' });
  ann.end();
});

test('the node of the session stands still: what the client sends waits, and comes in order', async (t) => {
  const patient = ['--lease-timeout', '60s'];
  const pair = [];
  for (let i = 0; i < 2; i++) pair.push(await startNode({ redis, args: [...patient, '--drain', '0'] }));
  const s = await begin(pair[0], pair);
  const socket = await upgrade(s, pair[1]);
  t.after(() => socket.destroy());
  await socket.send(raw.TEXT, '420["login",{"userId":"still"}]');
  await until(() => socket.received.includes('430['));
  pair[0].suspend();
  // What the kernel takes for two connections is its own affair, tens of megabytes maybe; and it
  // may have taken some of what the tunnel holds when the client is read no more.
  const queued = async () => (await metrics(pair[1]))('sluice_queue_bytes');
  const sent = [];
  const send = () => {
    const id = 1000 + sent.length;
    const data = { channel: 'topic:still', data: { text: `${id}`.padEnd(100000, '.') } };
    sent.push(socket.send(raw.TEXT, `42${id}${JSON.stringify(['publish', data])}`));
  };
  let before = 0;
  const standsStill = async () => {
    for (let i = 0; i < 20; i++) send();
    const now = await queued();
    const same = now > 0 && now === before;
    before = now;
    return same;
  };
  await until(standsStill, { timeout: 30000, every: 100 });
  for (let i = 0; i < 20; i++) send();
  assert.ok((await queued()) < 1000000);
  pair[0].resume();
  await Promise.all(sent);
  const acks = [];
  while (acks.length < sent.length) {
    const { text } = await socket.frame({ timeout: 20000 });
    const ack = text.match(/^43(\d{4,})\[/);
    if (ack) acks.push(Number(ack[1]));
  }
  assert.deepEqual(acks, sent.map((_, i) => 1000 + i));
  await Promise.all(pair.map((node) => node.stop()));
});

for (const [how, act] of [
  ['a close frame', (socket) => socket.send(raw.CLOSE, raw.closing(1000))],
  ['FIN', (socket) => socket.end()],
  ['RST', (socket) => socket.reset()],
]) {
  test(`the client ends by ${how}: so does the session, and the tunnel`, async () => {
    const { s, socket } = await tunnelled(one, two);
    await act(socket);
    if (how === 'a close frame') {
      assert.equal((await socket.close()).code, 1000);
      socket.end();
    }
    await isGone(s, three);
    await until(async () => (await tunnels(two)) === 0);
    if (how !== 'RST') await socket.over();
    socket.destroy();
  });
}

test('the session is closed by its node: the client gets the close frame', async () => {
  const { socket } = await tunnelled(one, two);
  await socket.send(raw.TEXT, 'nonsense');
  assert.equal((await socket.close()).code, 1002);
  socket.end();
  await until(async () => (await tunnels(two)) === 0);
});

test('a client that answers no close is cut', async () => {
  const args = ['--close-timeout', '200ms', '--drain', '0'];
  const pair = [];
  for (let i = 0; i < 2; i++) pair.push(await startNode({ redis, args }));
  const s = await begin(pair[0], pair);
  const socket = await upgrade(s, pair[1]);
  await socket.send(raw.TEXT, 'nonsense');
  assert.equal((await socket.close()).code, 1002);
  await until(async () => (await tunnels(pair[1])) === 0);
  socket.destroy();
  await Promise.all(pair.map((node) => node.stop()));
});

test('a second WebSocket beside the first is closed, by any node', async () => {
  const s = await begin(one, nodes);
  const socket = await upgrade(s, two);
  const other = await raw.dial(three);
  await other.write(raw.handshake({ path: wsPath(s) }));
  assert.equal((await other.response()).status, 101);
  await other.close();
  const [sent, back] = beat(3);
  await socket.send(raw.TEXT, sent);
  assert.equal((await socket.frame()).text, back);
  socket.destroy();
  other.destroy();
});

test('a handshake that its node refuses is answered here, and the connection ends', async () => {
  const s = await begin(one, nodes);
  const socket = await raw.dial(two);
  const headers = { 'Sec-WebSocket-Version': '12' };
  await socket.write(raw.handshake({ path: wsPath(s), headers }));
  const { status, headers: got } = await socket.response();
  assert.deepEqual([status, got['sec-websocket-version']], [426, '13']);
  await socket.over();
  assert.equal((await s.post(three, '3')).body, 'ok');
});

test('connections of an address are counted where the client comes in', async () => {
  const args = ['--max-connections-per-address', '2', '--real-address-header', 'X-Real-IP', '--drain', '0'];
  const pair = [];
  for (let i = 0; i < 2; i++) pair.push(await startNode({ redis, args }));
  const open = [];
  const from = (i) => ({ 'X-Real-IP': `10.0.0.${i}` });
  for (let i = 0; i < 6; i++) {
    const s = await begin(pair[0], pair);
    open.push(await upgrade(s, pair[1], from(i >> 1)));
  }
  const s = await begin(pair[0], pair);
  const one_more = await raw.dial(pair[1]);
  await one_more.write(raw.handshake({ path: wsPath(s), headers: from(1) }));
  assert.equal((await one_more.response()).status, 429);
  for (const socket of [...open, one_more]) socket.destroy();
  await Promise.all(pair.map((node) => node.stop()));
});

test('the node of the session dies: the tunnel ends', async () => {
  const doomed = await startNode({ redis });
  const s = await begin(doomed, [doomed, two]);
  const socket = await upgrade(s, two);
  await doomed.kill();
  await socket.over();
  socket.destroy();
  await until(async () => (await tunnels(two)) === 0);
});

test('the node with the tunnel dies: the session ends', async () => {
  const doomed = await startNode({ redis });
  const users = await sessions(one);
  const s = await begin(one, [one, doomed]);
  const socket = await upgrade(s, doomed);
  await socket.send(raw.TEXT, '420["login",{"userId":"orphan"}]');
  await until(async () => (await sessions(one)) === users + 1);
  await doomed.kill();
  await until(async () => (await sessions(one)) === users);
  assert.equal((await s.get(two)).status, 400);
  socket.destroy();
});

test('the node with the tunnels drains: they end within its time, messages whole', async () => {
  const leaving = await startNode({ redis, args: ['--drain', '1s'] });
  const all = [];
  for (let i = 0; i < 10; i++) {
    const s = await begin(one, [one, leaving]);
    all.push({ s, socket: await upgrade(s, leaving) });
  }
  const end = leaving.stop();
  await Promise.all(
    all.map(async ({ s, socket }) => {
      await socket.over({ timeout: 10000 });
      assert.equal(socket.received.length, 0);
      socket.end();
      assert.equal((await s.get(two)).status, 400);
    }),
  );
  assert.deepEqual(await end, { code: 0, signal: null });
});
