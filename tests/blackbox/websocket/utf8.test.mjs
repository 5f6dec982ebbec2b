// Text is UTF-8 (RFC 6455, 8.1; RFC 3629): what is not fails with 1007, at the byte that shows it.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { startConformance } from '../lib/conformance.mjs';
import { test } from '../lib/harness.mjs';
import * as raw from '../lib/rawws.mjs';

const { TEXT, CONTINUATION, encode } = raw;
const part = (opcode, payload) => encode(opcode, payload, { fin: false });
const hex = (text) => Buffer.from(text.replaceAll(' ', ''), 'hex');

let p;
before(async () => {
  p = await startConformance({ args: [] });
});
after(() => p.stop());

async function send(...frames) {
  const s = await raw.rawConnect(p);
  await s.write(Buffer.concat(frames));
  return s;
}
async function comesBack(s, payload) {
  const frame = await s.frame();
  assert.equal(frame.opcode, TEXT);
  assert.ok(frame.payload.equals(payload), frame.payload.toString('hex'));
  s.destroy();
}
async function fails(s) {
  assert.equal((await s.close()).code, 1007);
  await s.over();
  s.destroy();
}

for (const [name, payload] of [
  ['Greek', Buffer.from('κόσμε')],
  ['the first of each length', hex('00 c280 e0a080 f0908080')],
  ['the last of each length', hex('7f dfbf efbfbf f48fbfbf')],
  ['round the surrogates', hex('ed9fbf ee8080 efbfbd')],
  ['non-characters', hex('efbfbe efbfbf f09fbfbe f09fbfbf f18fbfbf f48fbfbe')],
  ['a byte order mark', hex('efbbbf 61')],
  ['all kinds', Buffer.from('Hello-µ@ßöäüàá-UTF-8!! € 😀 𝄞')],
]) {
  test(`${name}: comes back, split at each byte`, async () => {
    await comesBack(await send(encode(TEXT, payload)), payload);
    for (let at = 0; at <= payload.length; at++) {
      const halves = [part(TEXT, payload.subarray(0, at)), encode(CONTINUATION, payload.subarray(at))];
      await comesBack(await send(...halves), payload);
    }
    const single = [...payload].map((byte) => part(CONTINUATION, Buffer.from([byte])));
    single[0] = part(TEXT, payload.subarray(0, 1));
    await comesBack(await send(...single, encode(CONTINUATION, '')), payload);
  });
}

// [name, bytes, how many of them it takes to know]
for (const [name, bad, known = bad.length] of [
  ['a continuation byte alone', hex('80')],
  ['the last continuation byte alone', hex('bf')],
  ['two continuation bytes', hex('80bf'), 1],
  ...['c0', 'c1', 'f5', 'f8', 'fc', 'fe', 'ff'].map((byte) => [`byte ${byte}`, hex(byte)]),
  ['an overlong slash of 2', hex('c0af'), 1],
  ['an overlong slash of 3', hex('e080af'), 2],
  ['an overlong slash of 4', hex('f08080af'), 2],
  ['the last overlong of 3', hex('e09fbf'), 2],
  ['the last overlong of 4', hex('f08fbfbf'), 2],
  ['an overlong NUL', hex('c080'), 1],
  ['the first surrogate', hex('eda080'), 2],
  ['the last surrogate', hex('edbfbf'), 2],
  ['a pair of surrogates', hex('eda080edb080'), 2],
  ['U+110000', hex('f4908080'), 2],
  ['five bytes', hex('f888808080'), 1],
  ['six bytes', hex('fc8480808080'), 1],
  ['ASCII in a character of 2', hex('c361'), 2],
  ['ASCII in a character of 3', hex('e28261'), 3],
  ['ASCII in a character of 4', hex('f09f9861'), 4],
  ['a lead byte in a character', hex('e2c3a4'), 2],
]) {
  const before = Buffer.from('κόσ');

  test(`${name}: fails with 1007 at once`, async () => {
    await fails(await send(encode(TEXT, Buffer.concat([before, bad, Buffer.from('end')]))));
    // In the middle of a frame of which nothing else comes.
    const frame = encode(TEXT, Buffer.concat([before, bad, Buffer.alloc(100)]));
    const s = await send(frame.subarray(0, 6 + before.length + known));
    await fails(s);
    // In a fragment, with more to come.
    await fails(await send(part(TEXT, before), part(CONTINUATION, bad.subarray(0, known))));
    // A byte a fragment.
    const single = [...bad.subarray(0, known)].map((byte) => part(CONTINUATION, Buffer.from([byte])));
    await fails(await send(part(TEXT, before), ...single));
  });
}

for (const [name, cut] of [
  ['2', hex('c3')],
  ['3', hex('e282')],
  ['3, at its first byte', hex('e2')],
  ['4', hex('f09f98')],
  ['4, at its second byte', hex('f09f')],
]) {
  test(`a character of ${name}, cut by the message's end`, async () => {
    await fails(await send(encode(TEXT, cut)));
    await fails(await send(encode(TEXT, Buffer.concat([Buffer.alloc(1000, 'x'), cut]))));
    await fails(await send(part(TEXT, cut), encode(CONTINUATION, '')));
    await fails(await send(part(TEXT, 'x'), encode(CONTINUATION, cut)));
    // While more may come it is good.
    const s = await send(part(TEXT, cut), encode(raw.PING, 'still'));
    assert.equal((await s.frame()).text, 'still');
    s.destroy();
  });
}

test('binary is not looked at', async () => {
  const s = await send(encode(raw.BINARY, hex('80c0ff')));
  assert.deepEqual((await s.frame()).payload, hex('80c0ff'));
  s.destroy();
});

test('a megabyte whose last byte is bad', async () => {
  const payload = Buffer.alloc(1048576, 'ä');
  await comesBack(await send(encode(TEXT, payload)), payload);
  payload[1048575] = 0x61;
  await fails(await send(encode(TEXT, payload)));
});
