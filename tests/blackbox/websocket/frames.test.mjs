// Frames of RFC 6455 (5, 7), by hand, well and badly: headers, lengths, fragments, closes.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { startConformance } from '../lib/conformance.mjs';
import { test } from '../lib/harness.mjs';
import * as raw from '../lib/rawws.mjs';

const { TEXT, BINARY, CONTINUATION, CLOSE, PING, PONG, encode } = raw;
const bytes = (...parts) => Buffer.concat(parts.map((one) => Buffer.from(one)));
const part = (opcode, payload) => encode(opcode, payload, { fin: false });
const header = (...numbers) => Buffer.from(numbers);
const KEY = [1, 2, 3, 4];

let p;
before(async () => {
  p = await startConformance({ args: [] });
});
after(() => p.stop());

// Sends the bytes, in pieces of `step`, and reads the frames that `expected` has: [opcode, text].
async function gets(sent, expected, step = sent.length) {
  const s = await raw.rawConnect(p);
  for (let at = 0; at < sent.length; at += step) await s.write(sent.subarray(at, at + step));
  for (const [opcode, payload] of expected) {
    const frame = await s.frame();
    assert.deepEqual([frame.opcode, frame.fin], [opcode, true]);
    assert.ok(frame.payload.equals(Buffer.from(payload)), frame.text.slice(0, 100));
  }
  return s;
}

// It must be closed with the code, without another frame; then the server ends its side.
async function failsWith(s, code) {
  const frame = await s.frame();
  assert.equal(frame.opcode, CLOSE, `opcode ${frame.opcode}: ${frame.text.slice(0, 100)}`);
  assert.equal(frame.payload.length ? frame.payload.readUInt16BE() : null, code);
  await s.over();
  assert.equal(s.received.length, 0, 'nothing behind a close');
  s.destroy();
}

for (const length of [0, 1, 125, 126, 127, 128, 65535, 65536, 1048576]) {
  test(`a message of ${length} bytes comes back, text and binary`, async () => {
    const payload = Buffer.alloc(length, 'sluice ');
    for (const opcode of [TEXT, BINARY]) {
      (await gets(encode(opcode, payload), [[opcode, payload]])).destroy();
    }
  });
}

test('a message that comes a byte at a time, or in 997 bytes, comes back', async () => {
  const short = encode(TEXT, 'a byte at a time'.repeat(20));
  (await gets(short, [[TEXT, 'a byte at a time'.repeat(20)]], 1)).destroy();
  const long = Buffer.alloc(300000, 'x');
  (await gets(encode(BINARY, long), [[BINARY, long]], 997)).destroy();
});

test('a message in fragments of a byte comes back whole', async () => {
  const frames = [part(BINARY, '0')];
  for (let i = 1; i < 4000; i++) frames.push(part(CONTINUATION, String(i % 10)));
  frames.push(encode(CONTINUATION, ''));
  const whole = Array.from({ length: 4000 }, (_, i) => i % 10).join('');
  (await gets(bytes(...frames), [[BINARY, whole]])).destroy();
});

for (const [name, frames, ...expected] of [
  ['a mask of zeros', header(0x81, 0x82, 0, 0, 0, 0, 0x68, 0x69), [TEXT, 'hi']],
  ['fragments that are empty', bytes(part(TEXT, ''), part(CONTINUATION, ''), encode(CONTINUATION, '')), [TEXT, '']],
  ['an empty one among others', bytes(part(TEXT, 'a'), part(CONTINUATION, ''), encode(CONTINUATION, 'b')), [TEXT, 'ab']],
  ['pings between fragments', bytes(part(TEXT, 'a'), encode(PING, '1'), part(CONTINUATION, 'b'), encode(PING, ''), encode(CONTINUATION, 'c')), [PONG, '1'], [PONG, ''], [TEXT, 'abc']],
  ['a ping of 125 bytes', encode(PING, Buffer.alloc(125, 0xfe)), [PONG, Buffer.alloc(125, 0xfe)]],
  ['ten pings', bytes(...Array.from({ length: 10 }, (_, i) => encode(PING, `${i}`))), ...Array.from({ length: 10 }, (_, i) => [PONG, `${i}`])],
  ['pongs that nobody asked for', bytes(encode(PONG, ''), encode(PONG, 'x'), encode(TEXT, 'y')), [TEXT, 'y']],
  ['a pong between fragments', bytes(part(TEXT, 'a'), encode(PONG, 'x'), encode(CONTINUATION, 'b')), [TEXT, 'ab']],
]) {
  test(name, async () => {
    (await gets(frames, expected)).destroy();
    (await gets(frames, expected, 1)).destroy();
  });
}

const RESERVED = [3, 4, 5, 6, 7, 11, 12, 13, 14, 15];
for (const [name, frames, code = 1002] of [
  ...RESERVED.flatMap((opcode) => [
    [`opcode ${opcode}`, encode(opcode, 'x')],
    [`opcode ${opcode}, empty`, encode(opcode, '')],
    [`opcode ${opcode} between fragments`, bytes(part(TEXT, 'a'), encode(opcode, 'x'))],
  ]),
  ...[1, 2, 3, 4, 5, 6, 7].flatMap((rsv) =>
    [TEXT, BINARY, PING, CLOSE].map((opcode) => [`reserved bits ${rsv}, opcode ${opcode}`, encode(opcode, '', { rsv })]),
  ),
  ['a reserved bit in a continuation', bytes(part(TEXT, 'a'), encode(CONTINUATION, 'b', { rsv: 4 }))],
  ...[TEXT, BINARY, PING, PONG, CLOSE].flatMap((opcode) =>
    ['', 'xyz'].map((payload) => [`opcode ${opcode} unmasked, "${payload}"`, encode(opcode, payload, { mask: false })]),
  ),
  ['a continuation of nothing', encode(CONTINUATION, 'x')],
  ['an empty continuation of nothing', encode(CONTINUATION, '')],
  ['a continuation of nothing, more to come', part(CONTINUATION, 'x')],
  ['a text inside of a text', bytes(part(TEXT, 'a'), encode(TEXT, 'b'))],
  ['a binary inside of a text', bytes(part(TEXT, 'a'), part(BINARY, 'b'))],
  ['a text inside of a binary', bytes(part(BINARY, 'a'), encode(TEXT, 'b'))],
  ...[PING, PONG, CLOSE].flatMap((opcode) => [
    [`opcode ${opcode} in fragments`, part(opcode, 'x')],
    [`opcode ${opcode} of 126 bytes`, encode(opcode, Buffer.alloc(126))],
    [`opcode ${opcode} of 65,536 bytes`, encode(opcode, Buffer.alloc(65536))],
    [`opcode ${opcode}, a length of 16 bits`, encode(opcode, 'x', { size: 16 })],
  ]),
  ...[[0, 16], [5, 16], [125, 16], [5, 64], [126, 64], [65535, 64]].map(([length, size]) => [
    `a length of ${length} in ${size} bits`,
    encode(BINARY, Buffer.alloc(length), { size }),
  ]),
  ['the top bit of a length', header(0x82, 0xff, 0x80, 0, 0, 0, 0, 0, 0, 5, ...KEY, 0)],
  ['a message over the limit', encode(BINARY, Buffer.alloc(1048577)), 1009],
  ['fragments over the limit', bytes(part(BINARY, Buffer.alloc(1048576)), encode(CONTINUATION, 'x')), 1009],
  ['a length of 2^62', header(0x82, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, ...KEY, 0), 1009],
  ['16,385 fragments', bytes(part(TEXT, ''), ...Array(16384).fill(part(CONTINUATION, ''))), 1008],
]) {
  test(`${name} fails with ${code}`, async () => {
    await failsWith(await gets(frames, []), code);
    const before = bytes(encode(TEXT, 'before'), frames, encode(TEXT, 'behind'), encode(PING, ''));
    await failsWith(await gets(before, [[TEXT, 'before']]), code);
  });
}

// Judged by the header, or the first byte of the payload: the rest need not come.
for (const [name, begin, code = 1002] of [
  ['a ping of 126 bytes', header(0x89, 0xfe)],
  ['a ping in fragments', header(0x09, 0x81)],
  ['a length of 5 in 16 bits', header(0x81, 0xfe, 0, 5)],
  ['a length of 5 in 64 bits', header(0x81, 0xff, 0, 0, 0, 0, 0, 0, 0, 5)],
  ['reserved bits', header(0xc1, 0x85, ...KEY, 1)],
  ['a reserved opcode', header(0x83, 0x85, ...KEY, 1)],
  ['a continuation of nothing', header(0x80, 0x85, ...KEY, 1)],
  ['a message over the limit', header(0x82, 0xff, 0, 0, 0, 0, 0, 0x10, 0, 1, ...KEY, 1), 1009],
]) {
  test(`${name}: known before it is whole`, async () => {
    await failsWith(await gets(begin, []), code);
  });
}

const codes = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
for (const code of [...codes(1000, 1003), ...codes(1007, 1014), 3000, 3999, 4000, 4999]) {
  test(`close ${code} comes back`, async () => {
    await failsWith(await gets(encode(CLOSE, raw.closing(code)), []), code);
    await failsWith(await gets(encode(CLOSE, raw.closing(code, 'ä'.repeat(61))), [], 1), code);
  });
}
for (const code of [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 9999, 65535]) {
  test(`close ${code} fails with 1002`, async () => {
    await failsWith(await gets(encode(CLOSE, raw.closing(code, 'why')), []), 1002);
  });
}
for (const [name, payload, code] of [
  ['an empty close', '', null],
  ['a close of one byte', '\x03', 1002],
  ['a reason that is not UTF-8', bytes(raw.closing(1000), [0xff]), 1007],
  ['a reason that is cut', bytes(raw.closing(1000), [0xe2, 0x82]), 1007],
  ['a reason with a surrogate', bytes(raw.closing(1000), [0xed, 0xa0, 0x80]), 1007],
]) {
  test(`${name}: ${code}`, async () => {
    await failsWith(await gets(encode(CLOSE, payload), []), code);
  });
}

test('nothing behind a close is heard', async () => {
  const close = encode(CLOSE, raw.closing(1000));
  for (const behind of [encode(TEXT, 'x'), encode(PING, 'x'), close, encode(3, 'x')]) {
    await failsWith(await gets(bytes(close, behind), []), 1000);
  }
  await failsWith(await gets(bytes(part(TEXT, 'half'), close), []), 1000);
  await failsWith(await gets(bytes(encode(TEXT, 'x'), encode(PING, 'y'), close), [[TEXT, 'x'], [PONG, 'y']]), 1000);
});

test('a sender that ends its side behind a message gets it back', async () => {
  const s = await gets(encode(TEXT, 'last'), []);
  s.end();
  assert.equal((await s.frame()).text, 'last');
  await s.over();
});
