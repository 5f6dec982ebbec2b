// RFC 6455 on /ws, spoken badly by hand: what is refused, with which status or close code.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import WebSocket from 'ws';
import { cluster, test } from '../lib/harness.mjs';
import * as raw from '../lib/rawws.mjs';

let c;
let node;
before(async () => {
  c = await cluster({ nodes: 2, args: ['--handshake-timeout', '1s', '--channels', 'events'] });
  node = c.nodes[1];
});
after(() => c.stop());

async function answer(text) {
  const socket = await raw.dial(node);
  await socket.write(text);
  return { ...(await socket.response()), socket };
}

for (const [name, text, ...statuses] of [
  ['version 12', raw.handshake({ headers: { 'Sec-WebSocket-Version': '12' } }), 426],
  ['no version', raw.handshake({ headers: { 'Sec-WebSocket-Version': undefined } }), 426],
  ['HTTP/1.0', raw.handshake({ version: 'HTTP/1.0' }), 426],
  ['HTTP/2.0', raw.handshake({ version: 'HTTP/2.0' }), 400, 505],
  ['no Host', raw.handshake({ headers: { Host: undefined } }), 400],
  ['a short key', raw.handshake({ headers: { 'Sec-WebSocket-Key': 'c2hvcnQ=' } }), 400],
  ['no key', raw.handshake({ headers: { 'Sec-WebSocket-Key': undefined } }), 400],
  ['no upgrade', raw.handshake({ headers: { Upgrade: undefined } }), 426],
  ['POST', raw.handshake({ method: 'POST' }), 405],
  ['an unknown path', raw.handshake({ path: '/nothing' }), 404],
  ['a long header', raw.handshake({ headers: { X: 'x'.repeat(17000) } }), 431],
  ['many headers', raw.handshake({ headers: Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`X-${i}`, '1'])) }), 431],
  ['no HTTP at all', 'hello\r\n\r\n', 400],
]) {
  test(`handshake with ${name} is refused`, async () => {
    const { status, headers, socket } = await answer(text);
    assert.ok(statuses.includes(status), `${status}`);
    if (name.endsWith('version 12')) assert.equal(headers['sec-websocket-version'], '13');
    socket.destroy();
  });
}

test('a good handshake is answered with the accept key', async () => {
  const { status, headers, socket } = await answer(raw.handshake());
  assert.equal(status, 101);
  assert.equal(headers['sec-websocket-accept'], raw.ACCEPT);
  socket.destroy();
});

test('a request that does not end is cut', async () => {
  const socket = await raw.dial(node);
  await socket.write('GET /ws HTTP/1.1\r\nHost: x\r\n');
  await socket.over({ timeout: 10000 });
});

test('two requests on one connection, in one segment', async () => {
  const socket = await raw.dial(node);
  await socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(2));
  assert.equal((await socket.response()).status, 200);
  assert.equal((await socket.response()).status, 200);
  socket.destroy();
});

const close = (payload) => raw.encode(raw.CLOSE, payload);
for (const [name, bytes, code] of [
  ['an unmasked frame', raw.encode(raw.TEXT, 'x', { mask: false }), 1002],
  ['a reserved bit', raw.encode(raw.TEXT, 'x', { rsv: 4 }), 1002],
  ['opcode 3', raw.encode(3, 'x'), 1002],
  ['opcode 11', raw.encode(11, 'x'), 1002],
  ['a fragmented ping', raw.encode(raw.PING, 'x', { fin: false }), 1002],
  ['a ping of 126 bytes', raw.encode(raw.PING, 'x'.repeat(126)), 1002],
  ['a length longer than needed', raw.encode(raw.TEXT, 'x', { size: 16 }), 1002],
  ['a continuation of nothing', raw.encode(raw.CONTINUATION, 'x'), 1002],
  ['a text inside of a text', Buffer.concat([raw.encode(raw.TEXT, 'x', { fin: false }), raw.encode(raw.TEXT, 'y')]), 1002],
  ['invalid UTF-8', raw.encode(raw.TEXT, Buffer.from([0xce, 0xba, 0xff])), 1007],
  ['invalid UTF-8 before the message ends', raw.encode(raw.TEXT, Buffer.from([0x61, 0xf5]), { fin: false }), 1007],
  ['a binary message', raw.encode(raw.BINARY, 'x'), 1003],
  ['a close of one byte', close('x'), 1002],
  ['close 1005', close(raw.closing(1005)), 1002],
  ['close 1015', close(raw.closing(1015)), 1002],
  ['close 999', close(raw.closing(999)), 1002],
  ['close 5000', close(raw.closing(5000)), 1002],
  ['a close reason that is not UTF-8', close(Buffer.concat([raw.closing(1000), Buffer.from([0xff])])), 1007],
  ['close 1000', close(raw.closing(1000, 'bye')), 1000],
  ['close 1012', close(raw.closing(1012)), 1012],
  ['close 3000', close(raw.closing(3000)), 3000],
  ['close 4999', close(raw.closing(4999)), 4999],
  ['an empty close', close(''), null],
]) {
  test(`${name} is closed with ${code}`, async () => {
    const socket = await raw.rawConnect(node);
    await socket.write(bytes);
    assert.equal((await socket.close()).code, code);
    await socket.over();
    socket.destroy();
  });
}

test('a message split at every byte, with a ping between its fragments', async () => {
  const text = raw.beat(7, 'äöü €');
  const half = Buffer.from(text);
  const bytes = Buffer.concat([
    raw.encode(raw.TEXT, half.subarray(0, 30), { fin: false }),
    raw.encode(raw.PING, 'between'),
    raw.encode(raw.CONTINUATION, half.subarray(30)),
  ]);
  const socket = await raw.rawConnect(node);
  for (const byte of bytes) await socket.write(Buffer.from([byte]));
  const pong = await socket.frame();
  assert.deepEqual([pong.opcode, pong.text], [raw.PONG, 'between']);
  assert.deepEqual(await socket.json(), { ack: 7, data: {} });
  socket.destroy();
});

// Before a login messages are short.
async function loggedIn() {
  const socket = await raw.rawConnect(node);
  await socket.send(raw.TEXT, '{"event":"login","data":{"userId":"long"},"ack":0}');
  for (let frame = {}; frame.ack !== 0; ) frame = await socket.json();
  return socket;
}

test('16,384 fragments are a message, more are not', async () => {
  for (const [count, good] of [[16384, true], [16400, false]]) {
    const text = raw.beat(1, 'x'.repeat(17000));
    const head = text.slice(0, text.length - (count - 1));
    const socket = await loggedIn();
    const frames = [raw.encode(raw.TEXT, head, { fin: false })];
    const rest = text.slice(head.length);
    for (let i = 0; i < rest.length; i++) {
      frames.push(raw.encode(raw.CONTINUATION, rest[i], { fin: i === rest.length - 1 }));
    }
    await socket.write(Buffer.concat(frames));
    if (good) assert.deepEqual(await socket.json(), { ack: 1, data: {} });
    else assert.equal((await socket.close()).code, 1008);
    socket.destroy();
  }
});

test('a message of the limit is taken, one byte more is 1009', async () => {
  const frame = raw.beat(1, '');
  const full = raw.beat(1, 'x'.repeat(1048576 - frame.length));
  assert.equal(full.length, 1048576);
  const socket = await loggedIn();
  await socket.send(raw.TEXT, full);
  assert.deepEqual(await socket.json(), { ack: 1, data: {} });
  await socket.send(raw.TEXT, full + ' ');
  assert.equal((await socket.close()).code, 1009);
  socket.destroy();
});

test('the first subprotocol that a client names is agreed to, but for a token', async () => {
  for (const path of ['/ws', '/channels/events']) {
    for (const [asked, agreed] of [
      [['one'], 'one'],
      [['sluice', 'bearer.abc'], 'sluice'],
      [['bearer.abc', 'mqtt-v5.0', 'x'], 'mqtt-v5.0'],
      [[], ''],
    ]) {
      const ws = new WebSocket(node.url.replace('http', 'ws') + path, asked);
      await new Promise((resolve, reject) => ws.on('open', resolve).on('error', reject));
      assert.equal(ws.protocol, agreed);
      ws.close();
      await new Promise((resolve) => ws.on('close', resolve));
    }
  }
});
