// Messages that were compressed come back whole: each size in each number of fragments, windows, and
// what is sent compressed. (The conformance program echoes.)
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after, before } from 'node:test';
import { socket, startConformance } from '../lib/conformance.mjs';
import { connect, test } from '../lib/harness.mjs';
import * as raw from '../lib/rawws.mjs';

let p;
before(async () => {
  p = await startConformance({ args: ['--deflate'] });
});
after(() => p.stop());

const KINDS = {
  'JSON': (length) => Buffer.from(JSON.stringify(Array.from({ length: length / 20 + 1 }, (_, id) => ({ id, name: `user${id % 7}`, on: true })))).subarray(0, length),
  'text': (length) => Buffer.from('Ein großer Text – mit Zeichen '.repeat(length / 30 + 1)).subarray(0, length),
  'random bytes': (length) => crypto.randomBytes(length),
  'zeros': (length) => Buffer.alloc(length),
};
const SIZES = [0, 1, 16, 64, 255, 256, 257, 1024, 4096, 8192, 16384, 32768, 65536, 131072];

const open = (offer = raw.OFFER) =>
  raw.rawConnect(p, { headers: { 'Sec-WebSocket-Extensions': offer } });

// Frames of at most `most` bytes of a payload; compressed if rsv is 4.
function fragments(opcode, payload, most, rsv) {
  const frames = [];
  for (let at = 0; at === 0 || at < payload.length; at += most) {
    const fin = at + most >= payload.length;
    const first = at === 0;
    frames.push(raw.encode(first ? opcode : raw.CONTINUATION, payload.subarray(at, at + most), { fin, rsv: first ? rsv : 0 }));
  }
  return Buffer.concat(frames);
}

for (const [kind, make] of Object.entries(KINDS)) {
  test(`${kind} of each size, whole and in fragments`, async () => {
    const s = await open();
    for (const size of SIZES) {
      const data = make(size);
      for (const most of [Infinity, 256, 1000].filter((each) => each >= size / 500)) {
        for (const rsv of [4, 0]) {
          const payload = rsv ? raw.pack(data) : data;
          await s.write(fragments(raw.BINARY, payload, most, rsv));
          const back = await s.frame();
          assert.equal(back.opcode, raw.BINARY);
          assert.ok(back.payload.equals(data), `${size} bytes in ${most}`);
        }
      }
    }
    s.destroy();
  });
}

for (const level of [0, 1, 6, 9]) {
  for (const windowBits of [9, 12, 15]) {
    test(`what is compressed at level ${level} with a window of ${windowBits} bits`, async () => {
      const s = await open(`${raw.OFFER}; client_max_window_bits=${windowBits}`);
      for (const make of Object.values(KINDS)) {
        const data = make(40000);
        await s.send(raw.BINARY, raw.pack(data, { level, windowBits }), { rsv: 4 });
        assert.ok((await s.frame()).payload.equals(data));
      }
      s.destroy();
    });
  }
}

test('compressed are messages of 256 bytes to 256 KiB that get shorter', async () => {
  const s = await open();
  for (const [data, packed] of [
    ['a'.repeat(255), false],
    ['a'.repeat(256), true],
    [crypto.randomBytes(200).toString('hex').slice(0, 256), true],
    [crypto.randomBytes(1000).toString('base64'), true],
    ['b'.repeat(262144), true],
    ['b'.repeat(262145), false],
  ]) {
    await s.send(raw.TEXT, data);
    const frame = await s.frame();
    assert.deepEqual([frame.text, frame.packed !== null], [data, packed]);
    assert.ok(!packed || frame.packed.length < data.length);
  }
  await s.send(raw.BINARY, crypto.randomBytes(1000));
  assert.equal((await s.frame()).packed, null);
  s.destroy();
});

test('no message refers back over more than the window that was promised', async () => {
  const [line] = KINDS.JSON(700).toString().split('x');
  for (const bits of [8, 9, 10, 11, 12, 13, 14, 15]) {
    const s = await open(`${raw.OFFER}; server_max_window_bits=${bits}`);
    for (const size of [256, 300, 512, 513, 1024, 1025, 16384, 16385, 32768, 32769, 100000]) {
      // Repeats itself at a distance just over, and just below each window.
      const data = line.slice(0, 650).repeat(size / 650 + 1).slice(0, size);
      await s.send(raw.TEXT, data);
      const frame = await s.frame();
      assert.equal(frame.text, data);
      assert.equal(frame.packed !== null, bits === 15 || size <= 2 ** bits, `${size} at ${bits}`);
      if (frame.packed) assert.equal(raw.unpack(frame.packed, bits).toString(), data);
    }
    s.destroy();
  }
});

test('ws sends and gets messages of each size, by each of its settings', async () => {
  for (const perMessageDeflate of [
    { threshold: 0 },
    { threshold: 0, serverMaxWindowBits: 9, clientMaxWindowBits: 9 },
    { threshold: 0, serverMaxWindowBits: 12, clientMaxWindowBits: true },
    { threshold: 0, serverNoContextTakeover: true, clientNoContextTakeover: true },
  ]) {
    const client = await connect(p, { perMessageDeflate, raw: true });
    for (const size of SIZES) {
      const text = KINDS.JSON(size).toString();
      client.raw(text);
      assert.equal((await client.next('raw')).text, text);
      client.socket.send(text.slice(0, size / 2), { fin: false, compress: true });
      client.socket.send(text.slice(size / 2), { fin: true, compress: true });
      assert.equal((await client.next('raw')).text, text);
    }
    await client.close();
  }
});

test('many at once: a thousand messages, compressed and not, and pings between them', async () => {
  const s = await open();
  const texts = Array.from({ length: 1000 }, (_, i) => `${i} ${KINDS.JSON(i * 3)}`);
  const frames = texts.map((text, i) =>
    i % 3 === 0 ? raw.encode(raw.TEXT, text) : fragments(raw.TEXT, raw.pack(text), i % 3 === 1 ? Infinity : 100, 4),
  );
  await s.write(Buffer.concat(frames.flatMap((frame) => [frame, raw.encode(raw.PING)])));
  for (const text of texts) {
    assert.equal((await s.frame()).text, text);
    assert.equal((await s.frame()).opcode, raw.PONG);
  }
  s.destroy();
});

test('a message byte by byte, beside others of other connections', async () => {
  const all = await Promise.all([open(), open(), open()]);
  const texts = all.map((_, i) => `${i} ${KINDS.JSON(400)}`);
  const bytes = texts.map((text) => fragments(raw.TEXT, raw.pack(text), 50, 4));
  for (let at = 0; at < bytes[0].length; at++) {
    for (const [i, s] of all.entries()) await s.write(bytes[i].subarray(at, at === bytes[0].length - 1 ? undefined : at + 1));
  }
  for (const [i, s] of all.entries()) {
    assert.equal((await s.frame()).text, texts[i]);
    s.destroy();
  }
});

test('Engine.IO: text is compressed, binary is not', async () => {
  const s = await raw.rawConnect(p, {
    path: '/engine.io/?EIO=4&transport=websocket',
    headers: { 'Sec-WebSocket-Extensions': raw.OFFER },
  });
  assert.equal((await s.frame()).text[0], '0');
  const text = `4${KINDS.JSON(1000)}`;
  await s.send(raw.TEXT, raw.pack(text), { rsv: 4 });
  const back = await s.frame();
  assert.deepEqual([back.text, back.packed !== null], [text, true]);
  const zeros = KINDS.zeros(1000);
  await s.send(raw.BINARY, raw.pack(zeros), { rsv: 4 });
  const binary = await s.frame();
  assert.ok(binary.payload.equals(zeros));
  assert.equal(binary.packed, null);
  s.destroy();
});

test('without the option nothing is agreed to, and nothing compressed is taken', async (t) => {
  const plain = await startConformance();
  t.after(() => plain.stop());
  const client = await socket(plain, '/ws');
  assert.equal(client.ws.extensions, '');
  const s = await raw.rawConnect(plain, { headers: { 'Sec-WebSocket-Extensions': raw.OFFER } });
  assert.equal(s.agreed, null);
  await s.send(raw.TEXT, raw.pack('hello'), { rsv: 4 });
  assert.equal((await s.close()).code, 1002);
  s.destroy();
});
