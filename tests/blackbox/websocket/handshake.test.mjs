// The handshake of RFC 6455 on HTTP as RFC 9110 and 9112 have it, by hand, well and badly.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { startConformance } from '../lib/conformance.mjs';
import { test } from '../lib/harness.mjs';
import * as raw from '../lib/rawws.mjs';

let p;
before(async () => {
  p = await startConformance({ args: [] });
});
after(() => p.stop());

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const base64 = (length) => Buffer.alloc(length, 7).toString('base64');
const hand = (headers, line) => raw.handshake({ headers, ...line });
// Lines that handshake() cannot hold in its object: the same name twice, or none.
const plus = (lines, headers) => hand(headers).replace(/\r\n\r\n$/, `\r\n${lines}\r\n\r\n`);

async function ask(bytes) {
  const s = await raw.dial(p);
  await s.write(Buffer.from(bytes, 'latin1'));
  return { ...(await s.response()), s };
}

for (const [name, text] of [
  ['names in lower case', hand().replace(/^[\w-]+:/gm, (one) => one.toLowerCase())],
  ['values in other cases', hand({ Upgrade: 'WebSocket', Connection: 'UPGRADE' })],
  ['a list in Connection', hand({ Connection: 'keep-alive, Upgrade' })],
  ['a list without blanks', hand({ Connection: 'Upgrade,keep-alive' })],
  ['two lines of Connection', plus('Connection: Upgrade', { Connection: 'keep-alive' })],
  ['two lines of Upgrade', plus('Upgrade: websocket', { Upgrade: 'h2c' })],
  ['a list in Upgrade', hand({ Upgrade: 'h2c, websocket' })],
  ['blanks round the key', hand({ 'Sec-WebSocket-Key': `  ${KEY}\t ` })],
  ['an empty body', hand({ 'Content-Length': '0' })],
  ['a query', hand({}, { path: '/ws?a=1&b=%20' })],
  ['scheme and host', hand({}, { path: 'http://127.0.0.1/ws' })],
  ['scheme, host, port and query', hand({}, { path: 'HTTP://other.example:81/ws?a=b' })],
  ['an address of version 6', hand({ Host: '[::1]:80' })],
  ['an empty Host', hand({ Host: '' })],
  ['empty lines before it', `\r\n\r\n${hand()}`],
  ['a long header', hand({ X: 'x'.repeat(15000) })],
  ['bytes above ASCII in a value', hand({ X: 'a\xffb' })],
  ['protocols offered', hand({ 'Sec-WebSocket-Protocol': 'chat, superchat' })],
  ['extensions offered', hand({ 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' })],
]) {
  test(`${name}: agreed to`, async () => {
    const { status, headers, s } = await ask(text);
    assert.equal(status, 101);
    assert.equal(headers['sec-websocket-accept'], raw.ACCEPT);
    assert.equal(headers.upgrade, 'websocket');
    assert.equal(headers.connection, 'Upgrade');
    const agreed = name === 'protocols offered' ? 'chat' : undefined;
    assert.equal(headers['sec-websocket-protocol'], agreed);
    assert.ok(!('sec-websocket-extensions' in headers));
    await s.send(raw.TEXT, 'hello');
    assert.equal((await s.frame()).text, 'hello');
    s.destroy();
  });
}

const version = (value) => hand({ 'Sec-WebSocket-Version': value });
for (const [name, text, ...statuses] of [
  ...['12', '14', '8', '0', '-13', '013', '13x', '', '13, 8', undefined].map((value) => [`version ${value}`, version(value), 426]),
  ['two versions', plus('Sec-WebSocket-Version: 13'), 426],
  ['no Connection', hand({ Connection: undefined }), 426],
  ['no Upgrade', hand({ Upgrade: undefined }), 426],
  ['another protocol', hand({ Upgrade: 'h2c' }), 426],
  ['the word in a longer one', hand({ Upgrade: 'websockets' }), 426],
  ['the word behind another', hand({ Upgrade: 'not websocket' }), 426],
  ['no key', hand({ 'Sec-WebSocket-Key': undefined }), 400],
  ['an empty key', hand({ 'Sec-WebSocket-Key': '' }), 400],
  ...[15, 17, 24].map((length) => [`a key of ${length} bytes`, hand({ 'Sec-WebSocket-Key': base64(length) }), 400]),
  ['a key without padding', hand({ 'Sec-WebSocket-Key': KEY.slice(0, 22) }), 400],
  ['a key that is not base64', hand({ 'Sec-WebSocket-Key': `!${KEY.slice(1)}` }), 400],
  ['two keys', plus(`Sec-WebSocket-Key: ${KEY}`), 400],
  ['a body', `${hand({ 'Content-Length': '5' })}hello`, 413],
  ['chunks', `${hand({ 'Transfer-Encoding': 'chunked' })}0\r\n\r\n`, 413],
  ['chunks and a length', `${hand({ 'Transfer-Encoding': 'chunked', 'Content-Length': '3' })}0\r\n\r\n`, 400],
  ['two lengths', plus('Content-Length: 1', { 'Content-Length': '0' }), 400],
  ['a length below zero', hand({ 'Content-Length': '-1' }), 400],
  ['a length that is no number', hand({ 'Content-Length': 'abc' }), 400],
  ['a length beyond 64 bits', hand({ 'Content-Length': '9'.repeat(23) }), 400],
  ...['POST', 'PUT', 'OPTIONS', 'DELETE', 'TRACE', 'PATCH'].map((method) => [method, hand({}, { method }), 405]),
  ...['get', 'FOO', 'GETX'].map((method) => [`the method ${method}`, hand({}, { method }), 400, 405, 501]),
  ['HTTP/1.0, which has no upgrades', hand({}, { version: 'HTTP/1.0' }), 426],
  ...['HTTP/2.0', 'HTTP/2', 'HTTP/3.0', 'HTTP/0.9', 'HTTP/11.1', 'http/1.1', 'HTTP/1,1', 'ICE/1.0', 'HTTP/1.1 x'].map((one) => [one, hand({}, { version: one }), 400, 505]),
  ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 400, 505],
  ['a request of HTTP/0.9', 'GET /ws\r\n\r\n', 400, 505],
  ['the hello of TLS', '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03', 400],
  ['no Host', hand({ Host: undefined }), 400],
  ['two Hosts', plus('Host: 127.0.0.1'), 400],
  ...['a b', 'a/b', 'user@a', 'a:b', 'a:1:2', '[::1', '::1', 'a\\b', 'a?b', 'http://a', '%zz', '\xe4'].map((Host) => [`Host ${Host}`, hand({ Host }), 400]),
  ['a blank before the colon', hand({ 'X ': 'a' }), 400],
  ['a tab before the colon', hand({ 'X\t': 'a' }), 400],
  ['a blank in a name', hand({ 'X Y': 'a' }), 400],
  ['an empty name', plus(': a'), 400],
  ['brackets in a name', hand({ 'X(1)': 'a' }), 400],
  ['a line without a colon', plus('no colon'), 400],
  ['a first line that continues', `GET /ws HTTP/1.1\r\n X: y\r\n${hand().split('\r\n').slice(1).join('\r\n')}`, 400],
  ['a word cut by a fold', hand({ Upgrade: 'web\r\n socket' }), 400, 426],
  ['NUL in a value', hand({ X: 'a\0b' }), 400],
  ['NUL in a name', hand({ 'X\0': 'a' }), 400],
  ['NUL in the target', hand({}, { path: '/ws\0' }), 400],
  ['a control character in a value', hand({ X: 'a\x01b' }), 400],
  ['CR in a value', hand({ X: 'a\rb' }), 400],
  ['a blank before the method', ` ${hand()}`, 400],
  ['no target', 'GET HTTP/1.1\r\nHost: x\r\n\r\n', 400],
  ['10,000 headers', plus('X: y\r\n'.repeat(9999) + 'X: y'), 431],
  ['101 headers', plus('X: y\r\n'.repeat(95) + 'X: y'), 431],
  ['a header line of 64 KiB', hand({ X: 'x'.repeat(65536) }), 431],
  ['a name of 64 KiB', hand({ ['x'.repeat(65536)]: 'y' }), 431],
  ['a target of 64 KiB', hand({}, { path: `/ws?${'x'.repeat(65536)}` }), 414, 431],
  ['another path', hand({}, { path: '/ws/' }), 404],
  ['a host without a path', hand({}, { path: 'http://127.0.0.1' }), 404],
]) {
  test(`${name}: refused`, async () => {
    const { status, headers, s } = await ask(text);
    assert.ok(statuses.includes(status), `${status}`);
    if (status === 426) assert.equal(headers.upgrade, 'websocket');
    if (/^(version|two versions)/.test(name)) assert.equal(headers['sec-websocket-version'], '13');
    if (status === 405) assert.equal(headers.allow, 'GET');
    await s.over();
    s.destroy();
  });
}

test('frames behind the handshake, in its segment', async () => {
  const s = await raw.dial(p);
  const frames = [raw.encode(raw.TEXT, 'a'), raw.encode(raw.PING, 'b'), raw.encode(raw.BINARY, 'c')];
  await s.write(Buffer.concat([Buffer.from(raw.handshake()), ...frames]));
  assert.equal((await s.response()).status, 101);
  for (const opcode of [raw.TEXT, raw.PONG, raw.BINARY]) assert.equal((await s.frame()).opcode, opcode);
  s.destroy();
});

test('a handshake behind a request, both byte by byte', async () => {
  const s = await raw.dial(p);
  for (const byte of `GET /status HTTP/1.1\r\nHost: x\r\n\r\n${raw.handshake()}`) await s.write(byte);
  assert.equal((await s.response()).status, 200);
  assert.equal((await s.response()).status, 101);
  s.destroy();
});

test('a request whose sender has ended its side is answered', async () => {
  const s = await raw.dial(p);
  await s.write('GET /status HTTP/1.1\r\nHost: x\r\n\r\n');
  s.end();
  assert.equal((await s.response()).status, 200);
  await s.over();
});
