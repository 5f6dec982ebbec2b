// The conformance program: its WebSocket echo at /ws, its options.

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, before } from 'node:test';
import { PROGRAM, socket, startConformance } from '../lib/conformance.mjs';
import { test } from '../lib/harness.mjs';
import * as raw from '../lib/rawws.mjs';

let p;
before(async () => {
  p = await startConformance({ args: [] });
});
after(() => p.stop());

async function answer(text) {
  const s = await raw.dial(p);
  await s.write(text);
  const { status } = await s.response();
  s.destroy();
  return status;
}

test('text and binary come back, of each length up to the limit', async () => {
  const s = await socket(p, '/ws', { pongs: false });
  for (const length of [0, 1, 125, 126, 65535, 65536, 1048576]) {
    s.send('x'.repeat(length));
    assert.equal((await s.next()).length, length);
    s.send(Buffer.alloc(length, 1));
    assert.equal((await s.next()).length, length);
  }
  s.send(Buffer.alloc(1048577));
  assert.equal((await s.closed()).code, 1009);
});

test('no compression is agreed to', async () => {
  const s = await socket(p, '/ws');
  assert.equal(s.ws.extensions, '');
});

test('a client that sends 40 MiB and reads late gets them all', async () => {
  const s = await raw.dial(p);
  await s.write(raw.handshake());
  await s.response();
  const frame = raw.encode(raw.BINARY, Buffer.alloc(1048576));
  for (let i = 0; i < 40; i++) s.write(frame);
  for (let i = 0; i < 40; i++) {
    const got = await s.frame({ timeout: 20000 });
    assert.equal(got.payload.length, 1048576);
  }
  s.destroy();
});

test('handshakes that are refused', async () => {
  const many = Object.fromEntries(Array.from({ length: 10000 }, (_, i) => [`X-${i}`, '1']));
  assert.equal(await answer(raw.handshake({ headers: { 'Sec-WebSocket-Version': '12' } })), 426);
  assert.equal(await answer(raw.handshake({ version: 'HTTP/1.0' })), 426);
  assert.ok([400, 505].includes(await answer(raw.handshake({ version: 'HTTP/2.0' }))));
  assert.equal(await answer(raw.handshake({ headers: { Host: undefined } })), 400);
  assert.equal(await answer(raw.handshake({ headers: many })), 431);
  assert.equal(await answer(raw.handshake({ path: '/other' })), 404);
});

for (const [name, bytes, code] of [
  ['a length longer than needed', raw.encode(raw.TEXT, 'x', { size: 16 }), 1002],
  ['invalid UTF-8 before the frame ends', raw.encode(raw.TEXT, Buffer.concat([Buffer.from([0xce, 0xba, 0xff]), Buffer.alloc(100)])).subarray(0, 20), 1007],
  ['an unmasked frame', raw.encode(raw.TEXT, 'x', { mask: false }), 1002],
]) {
  test(`${name} is closed with ${code}`, async () => {
    const s = await raw.dial(p);
    await s.write(raw.handshake());
    await s.response();
    await s.write(bytes);
    assert.equal((await s.close()).code, code);
    await s.over();
    s.destroy();
  });
}

test('options', () => {
  const run = (...args) => spawnSync(PROGRAM, args, { encoding: 'utf8', timeout: 10000 });
  const help = run('--help');
  assert.equal(help.status, 0);
  for (const word of ['--listen', '/engine.io/', '/socket.io/', '/ws']) assert.ok(help.stdout.includes(word));
  for (const args of [['--listen', 'nowhere'], ['--listen', '127.0.0.1:x'], ['--listen', '127.0.0.1:70000'], ['--listen', 'host.invalid:1'], ['--ping-interval', '0'], ['--ping-timeout', '1s'], ['--what'], ['what']]) {
    const { status, stdout, stderr } = run(...args);
    assert.equal(status, 1, args.join(' '));
    assert.equal(stdout, '');
    assert.match(stderr, /sluice-conformance: /);
  }
  const taken = run('--listen', `127.0.0.1:${p.port}`);
  assert.equal(taken.status, 1);
  assert.match(taken.stderr, /address already in use/);
});
