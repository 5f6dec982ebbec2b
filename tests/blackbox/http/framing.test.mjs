// Where a request ends is as clear to a node as to those before and behind it: what could be read
// in two ways is refused, the connection ends, and nobody gets the answer to another's request.
import assert from 'node:assert/strict';
import net from 'node:net';
import { request, test, until } from '../lib/harness.mjs';
import { begin } from '../lib/handover.mjs';
import { clusterBehindNginx } from '../lib/nginx.mjs';

const { nodes, nginx } = await clusterBehindNginx({ nodes: 2, args: ['--drain', '0'] });
const [one, two] = nodes;
const mine = await begin(one, nodes);
const INNER = 'GET /sluice.js HTTP/1.1\r\nHost: x\r\n\r\n';
const STATUS = /HTTP\/1\.1 (\d\d\d) /g;

// What comes for these bytes until the connection ends, or `most` answers are there.
async function ask({ port }, bytes, most = Infinity) {
  const socket = net.connect(port, '127.0.0.1');
  const self = { text: '', over: false };
  socket.setEncoding('latin1');
  socket.on('data', (text) => (self.text += text)).on('error', () => {});
  socket.on('close', () => (self.over = true));
  socket.write(bytes, 'latin1');
  const statuses = () => [...self.text.matchAll(STATUS)].map(([, status]) => Number(status));
  const ends = () => self.over || statuses().length >= most;
  await until(ends, { every: 5, what: `an end: ${self.text}` });
  socket.destroy();
  return { ...self, statuses: statuses() };
}

const head = (line, ...fields) => [`${line} HTTP/1.1`, 'Host: x', ...fields, '', ''].join('\r\n');
const length = `Content-Length: ${INNER.length}`;
const chunks = `${INNER.length.toString(16)}\r\n${INNER}\r\n0\r\n\r\n`;
const CHUNKED = 'Transfer-Encoding: chunked';

// For any path, but those with POST: name, method, the rest behind the target, statuses.
const WRONG = [
  ...['GET', 'HEAD', 'DELETE', 'OPTIONS', 'PUT', 'PATCH'].flatMap((method) => [
    [`${method} with a body`, (url) => head(`${method} ${url}`, length) + INNER, 413, 405],
    [`${method} with chunks`, (url) => head(`${method} ${url}`, CHUNKED) + chunks, 413, 405],
    [`${method} that expects`, (url) => head(`${method} ${url}`, length, 'Expect: 100-continue') + INNER, 413, 405],
  ]),
  ['an upgrade with a body', (url) => head(`GET ${url.replace('polling', 'websocket')}`, 'Upgrade: websocket',
    'Connection: Upgrade', 'Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==', length) + INNER, 413],
  ['two lengths', (url) => head(`POST ${url}`, 'Content-Length: 0', length) + INNER, 400],
  ['the same length twice', (url) => head(`POST ${url}`, length, length) + INNER, 400],
  ...['+5', '-5', '5,5', '5, 5', '0x5', '5 5', '5.0', '', '1e1', '99999999999999999999'].map((value) => [
    `the length "${value}"`, (url) => `${head(`POST ${url}`, `Content-Length: ${value}`)}x2345${INNER}`, 400]),
  ['a length beside chunks', (url) => head(`POST ${url}`, length, CHUNKED) + chunks, 400],
  ['chunks beside a length', (url) => head(`POST ${url}`, CHUNKED, 'Content-Length: 5') + chunks, 400],
  ...['chunked, identity', 'xchunked', '\x0bchunked', 'chunked;q=1', '"chunked"'].map((value) => [
    `the coding "${value}"`, (url) => head(`POST ${url}`, `Transfer-Encoding: ${value}`) + chunks, 400, 501]),
  ...['gzip, chunked', 'chunked, chunked', 'identity, chunked'].map((value) => [
    `the codings "${value}"`, (url) => head(`POST ${url}`, `Transfer-Encoding: ${value}`) + chunks, 501, 400]),
  ['two codings', (url) => head(`POST ${url}`, CHUNKED, 'Transfer-Encoding: identity') + chunks, 400, 501],
  ['chunks twice', (url) => head(`POST ${url}`, CHUNKED, CHUNKED) + chunks, 400, 501],
  ['chunks in HTTP/1.0', (url) => head(`POST ${url}`, CHUNKED).replace('/1.1', '/1.0') + chunks, 400],
  ['a length that is folded', (url) => head(`POST ${url}`, 'Content-Length:', ` ${INNER.length}`) + INNER, 400],
  ['a field that is folded', (url) => head(`POST ${url}`, 'X: y', ` ${length}`) + INNER, 400],
  ['a blank before the colon', (url) => head(`POST ${url}`, `Content-Length : ${INNER.length}`) + INNER, 400],
  ['lines that end in LF', (url) => head(`POST ${url}`, length).replaceAll('\r\n', '\n') + INNER, 400],
  ['one line that ends in LF', (url) => head(`POST ${url}`, `X: y\n${length}`) + INNER, 400],
  ['one line that ends in CR', (url) => head(`POST ${url}`, `X: y\r${length}`) + INNER, 400],
  ['a length that is no number of chunks', (url) => `${head(`POST ${url}`, CHUNKED)}zz\r\n${INNER}`, 400],
  ['a chunk that is longer than it says', (url) => `${head(`POST ${url}`, CHUNKED)}1\r\n${chunks}`, 400],
  ['a chunk of more than 64 bits', (url) => `${head(`POST ${url}`, CHUNKED)}1${'0'.repeat(16)}5\r\nx2345\r\n0\r\n\r\n`, 400, 413],
  ['a chunk line that ends in LF', (url) => `${head(`POST ${url}`, CHUNKED)}5\nx2345\r\n0\r\n\r\n`, 400],
  ['an extension with LF', (url) => `${head(`POST ${url}`, CHUNKED)}5;a\nx2345\r\n0\r\n\r\n`, 400],
  ['chunks with a trailer that is folded', (url) => `${head(`POST ${url}`, CHUNKED)}5\r\nx2345\r\n0\r\nX: y\r\n z\r\n\r\n`, 400],
  ['a chunk without its end', (url) => `${head(`POST ${url}`, CHUNKED)}5\r\nx2345XX0\r\n\r\n`, 400],
];

async function isRefused(node, where, [name, make, ...statuses]) {
  const s = /chunk|extension/.test(name) && !/with chunks/.test(name) ? await begin(one, nodes) : mine;
  const got = await ask(node, make(s.url) + INNER);
  assert.equal(got.statuses.length, 1, `${name}, ${where}: ${got.text}`);
  assert.ok(statuses.includes(got.statuses[0]), `${name}, ${where}: ${got.text}`);
  assert.match(got.text, /\r\nConnection: close\r\n/, `${name}, ${where}`);
  assert.ok(got.over);
}

// Some at a time.
async function each(fn) {
  for (let at = 0; at < WRONG.length; at += 8) {
    const some = WRONG.slice(at, at + 8);
    await Promise.all(some.map(fn));
  }
}

test('here: refused, and what follows is no request', () => each((row) => isRefused(one, 'here', row)));

test('behind a request in order: likewise, and each gets its own answer', async () => {
  const good = head('GET /healthz');
  for (const line of ['X: y\nX: z', 'X: y\rX: z', ': no name']) {
    const got = await ask(one, good + head('GET /healthz', line) + INNER);
    assert.deepEqual(got.statuses, [200, 400], `${line}: ${got.text}`);
    assert.ok(got.over);
  }
});

test('elsewhere: likewise, and the way between the nodes is still in step', async () => {
  for (const row of WRONG) {
    await isRefused(two, 'elsewhere', row);
    assert.equal((await mine.post(two, '421["heartbeat",""]')).body, 'ok', row[0]);
    assert.equal((await mine.get(two)).body, '431[{}]', row[0]);
  }
});

test('through nginx: each gets its own answers, whatever others send', async () => {
  await each(async ([name, make]) => {
    const s = await begin(one, nodes);
    const { text } = await ask(nginx, make(s.url).replace('Host: x', 'Host: x\r\nConnection: close'));
    assert.doesNotMatch(text, /class Sluice|HTTP\/1\.1 2/, `${name}: ${text}`);
    assert.equal((await request(`${nginx.url}/readyz`)).json().ready, true, name);
  });
});

test('a request in order beside them: both framings, here and elsewhere, then the next one', async () => {
  const s = await begin(one, nodes);
  const body = '421["heartbeat",""]';
  const framed = [
    [`Content-Length: ${body.length}`, body],
    [CHUNKED, `3;x=y\r\n${body.slice(0, 3)}\r\n${(body.length - 3).toString(16)}\r\n${body.slice(3)}\r\n0\r\nX: y\r\n\r\n`],
  ];
  for (const node of [one, two]) {
    for (const [field, bytes] of framed) {
      for (const expect of [[], ['Expect: 100-continue']]) {
        const all = head(`POST ${s.url}`, field, ...expect) + bytes + head('GET /healthz');
        const { statuses, text } = await ask(node, all, 2 + expect.length);
        assert.deepEqual(statuses, [...(expect.length ? [100] : []), 200, 200], text);
        assert.equal((await s.get(node)).body, '431[{}]');
      }
    }
  }
});

test('no body is in what answers HEAD, 204 and 304', async () => {
  const etag = (await one.get('/sluice.js')).headers.etag;
  const all = head('HEAD /sluice.js') + head('OPTIONS /') + head('GET /sluice.js', `If-None-Match: ${etag}`) +
    head(`HEAD ${mine.url}`) + head('GET /healthz');
  for (const node of [one, two]) {
    const { statuses, text } = await ask(node, all, 5);
    assert.deepEqual(statuses, [200, 204, 304, 400, 200], text);
    assert.doesNotMatch(text, /class Sluice|"code"/);
  }
});

test('an upgrade is refused: what came behind it is no request', async () => {
  const socket = mine.url.replace('polling', 'websocket');
  const upgrade = (url, key = 'dGhlIHNhbXBsZSBub25jZQ==', version = 13) =>
    head(`GET ${url}`, 'Upgrade: websocket', 'Connection: Upgrade', `Sec-WebSocket-Version: ${version}`, `Sec-WebSocket-Key: ${key}`);
  const refused = [
    upgrade(mine.url), upgrade(socket, 'x'), upgrade(socket, undefined, 8), upgrade(socket.replace(/sid=../, 'sid=zz')),
    upgrade(`${socket}x`), upgrade(socket.replace('EIO=4', 'EIO=4&sid=x')), upgrade('/nowhere'), upgrade('/ws', 'x'),
  ];
  for (const bytes of refused) {
    for (const node of [one, two]) {
      const { statuses, over, text } = await ask(node, bytes + INNER);
      assert.ok(over && statuses.length === 1 && statuses[0] >= 400 && statuses[0] < 500, text);
    }
  }
});
