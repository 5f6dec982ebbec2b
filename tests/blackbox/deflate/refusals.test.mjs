// Compressed messages that are closed: bombs, what is not deflated, and RSV1 where it may not be.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { cluster, startNode, test, until } from '../lib/harness.mjs';
import * as raw from '../lib/rawws.mjs';
import { metricChanges, metrics } from '../lib/registry.mjs';

const args = ['--deflate', '--channels', 'chat:rw,events', '--max-message', '300000'];
const { redis, nodes } = await cluster({ nodes: 1, args });
const [node] = nodes;

const open = (path = '/ws', offer = raw.OFFER) =>
  raw.rawConnect(node, { path, headers: { 'Sec-WebSocket-Extensions': offer } });
const packed = (opcode, data, options) => raw.encode(opcode, raw.pack(data), { rsv: 4, ...options });
const as = (payload, options) => raw.encode(raw.TEXT, payload, { rsv: 4, ...options });
const hex = (text) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const HELLO = 'f2 48 cd c9 c9 07 00';

for (const [name, bytes, code] of [
  ['RSV1 on a ping', raw.encode(raw.PING, 'x', { rsv: 4 }), 1002],
  ['RSV1 on a pong', raw.encode(raw.PONG, '', { rsv: 4 }), 1002],
  ['RSV1 on a close', raw.encode(raw.CLOSE, raw.closing(1000), { rsv: 4 }), 1002],
  ['RSV1 on a continuation', Buffer.concat([as(hex('f2 48'), { fin: false }), raw.encode(raw.CONTINUATION, hex('cd c9 c9 07 00'), { rsv: 4 })]), 1002],
  ['RSV1 on the continuation of plain text', Buffer.concat([raw.encode(raw.TEXT, 'a', { fin: false }), raw.encode(raw.CONTINUATION, hex(HELLO), { rsv: 4 })]), 1002],
  ['RSV2', raw.encode(raw.TEXT, 'x', { rsv: 2 }), 1002],
  ['RSV3 beside RSV1', as(hex(HELLO), { rsv: 5 }), 1002],
  ['a compressed text that is not masked', as(hex(HELLO), { mask: false }), 1002],
  ['plain text with RSV1', as('{"event":"heartbeat"}'), 1007],
  ['an empty payload', as(''), 1007],
  ['a block of no kind', as(hex('07')), 1007],
  ['a stored block whose lengths differ', as(hex('00 05 00 fb ff 48 65 6c 6c 6f 00')), 1007],
  ['a message that is cut', as(hex(HELLO).subarray(0, 5)), 1007],
  ['what refers back before its beginning', as(hex('f2 00 11 00 00')), 1007],
  ['bytes behind the end of a stream', as(hex('f3 48 cd c9 c9 07 00 ff ff ff')), 1007],
  ['a stream without the block behind it', as(hex('f3 48 cd c9 c9 07 00')), 1007],
  ['text that is not UTF-8', packed(raw.TEXT, Buffer.from([0x22, 0xc3, 0x28])), 1007],
  ['text that ends in a character', packed(raw.TEXT, Buffer.from([0x22, 0xe2, 0x82])), 1007],
  ['binary on /ws', packed(raw.BINARY, 'x'), 1003],
  ['a bomb', packed(raw.TEXT, ' '.repeat(10000000)), 1009],
  ['a bomb in fragments', Buffer.concat([as(raw.pack(' '.repeat(10000000)).subarray(0, 100), { fin: false }), raw.encode(raw.CONTINUATION, raw.pack(' '.repeat(10000000)).subarray(100))]), 1009],
  ['more than a stranger may send, once inflated', packed(raw.TEXT, ' '.repeat(16385)), 1009],
]) {
  test(`${name} is closed with ${code}`, async () => {
    const s = await open();
    await s.write(bytes);
    assert.equal((await s.close()).code, code);
    await s.over();
    s.destroy();
  });
}

test('the same byte by byte', async () => {
  for (const [bytes, code] of [
    [packed(raw.TEXT, ' '.repeat(100000)), 1009],
    [as(hex('f2 00 11 00 00')), 1007],
  ]) {
    const s = await open();
    for (const byte of bytes) await s.write(Buffer.from([byte]));
    assert.equal((await s.close()).code, code);
    s.destroy();
  }
});

test('max-message is for what comes out, inclusive, on /ws', async () => {
  const s = await open();
  await s.send(raw.TEXT, '{"event":"login","data":{"userId":"long"},"ack":0}');
  for (let frame = {}; frame.ack !== 0; ) frame = await s.json();
  const most = raw.beat(1, 'x'.repeat(300000 - raw.beat(1).length));
  assert.equal(most.length, 300000);
  await s.write(packed(raw.TEXT, most));
  assert.deepEqual(await s.json(), { ack: 1, data: {} });
  await s.write(packed(raw.TEXT, `${most} `));
  const { code, reason } = await s.close();
  assert.deepEqual([code, reason], [1009, 'message too big']);
  s.destroy();
});

test('max-message is for what comes, too', async () => {
  const s = await open('/channels/chat');
  const stored = crypto.randomBytes(299999);
  assert.ok(raw.pack(stored).length > 300000);
  await s.write(packed(raw.BINARY, stored));
  assert.equal((await s.close()).code, 1009);
  s.destroy();
});

test('raw channels: a bomb, and a longer message where nothing may be written', async () => {
  for (const [path, length, code] of [
    ['/channels/chat', 300001, 1009],
    ['/channels/events', 16385, 1009],
  ]) {
    const s = await open(path);
    await s.write(packed(raw.TEXT, 'x'.repeat(length)));
    assert.equal((await s.close()).code, code);
    s.destroy();
  }
});

test('Socket.IO: a bomb, and a packet that is not deflated', async () => {
  for (const [bytes, code] of [
    [packed(raw.TEXT, `4${' '.repeat(20000)}`), 1009],
    [as('40'), 1007],
  ]) {
    const s = await open('/socket.io/?EIO=4&transport=websocket');
    assert.equal((await s.frame()).text[0], '0');
    await s.write(bytes);
    assert.equal((await s.close()).code, code);
    s.destroy();
  }
});

test('a connection that agreed to nothing may not compress', async () => {
  const s = await raw.rawConnect(node);
  await s.send(raw.TEXT, hex(HELLO), { rsv: 4 });
  assert.equal((await s.close()).code, 1002);
  s.destroy();
});

test('a hundred bombs of 64 MiB take no memory that is noticed', async () => {
  const bomb = raw.pack(Buffer.alloc(64 << 20, 32), { level: 9 });
  assert.ok(bomb.length < 100000);
  const resident = async () => (await metrics(node))('process_resident_memory_bytes');
  const before = await resident();
  for (let i = 0; i < 100; i++) {
    const s = await open('/channels/chat');
    await s.send(raw.TEXT, bomb, { rsv: 4 });
    assert.equal((await s.close()).code, 1009);
    s.destroy();
  }
  assert.ok((await resident()) - before < 150e6); // AddressSanitizer keeps what was freed
});

test('who makes the node inflate much from little is read more slowly', async () => {
  const limited = await startNode({ redis, args, env: { SLUICE_RATE_LIMIT: '10' } });
  const s = await raw.rawConnect(limited, {
    path: '/channels/chat',
    headers: { 'Sec-WebSocket-Extensions': raw.OFFER },
  });
  const rise = await metricChanges(limited, async () => {
    // Twenty messages are within the burst of 30 units, as long as none is far longer than it came.
    const digits = crypto.randomBytes(40000).toString('hex');
    await s.write(Buffer.concat(Array(20).fill(packed(raw.TEXT, digits))));
    const all = async (wanted) => (await metrics(limited))('sluice_inflated_messages_total') === wanted;
    await until(() => all(20));
    assert.equal((await metrics(limited))('sluice_limited_total', { limit: 'rate-limit' }), 0);
    await s.write(packed(raw.TEXT, 'x'.repeat(250000)));
    await until(() => all(21));
  });
  assert.equal(rise('sluice_limited_total', { limit: 'rate-limit' }), 1);
  assert.equal(rise('sluice_inflated_plain_bytes_total'), 20 * 80000 + 250000);
  assert.ok(rise('sluice_inflated_packed_bytes_total') < 20 * 50000);
  s.destroy();
  await limited.stop();
});
