// The official client of Socket.IO, served where its own server has it: --socketio-client.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { after } from 'node:test';
import { ROOT, startNode, startRedis, tempDir, test, until } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';

const DIST = path.join(ROOT, 'tests/node_modules/socket.io-client/dist');
const FILES = ['', '.min', '.esm.min', '.msgpack.min'].flatMap((kind) => [
  `socket.io${kind}.js`,
  `socket.io${kind}.js.map`,
]);
const args = ['--socketio-client', DIST];

const redis = await startRedis();
const node = await startNode({ redis, args });
const other = await startNode({ redis, args });
const bare = await startNode({ redis });
after(async () => {
  for (const one of [node, other, bare]) await one.stop();
  await redis.stop();
});

const get = (where, headers = {}, method = 'GET', from = node) =>
  from.get(`/socket.io/${where}`, { headers, method });

test('each file, as npm has it, for pages of any origin', async () => {
  assert.deepEqual(fs.readdirSync(DIST).sort(), [...FILES].sort());
  for (const file of FILES) {
    const { status, headers, body } = await get(`${file}?v=1`);
    assert.equal(status, 200, file);
    assert.equal(body, fs.readFileSync(path.join(DIST, file), 'utf8'), file);
    const type = file.endsWith('.map') ? 'application/json' : 'text/javascript; charset=utf-8';
    assert.equal(headers['content-type'], type);
    assert.equal(headers['cache-control'], 'no-cache');
    assert.equal(headers['access-control-allow-origin'], '*');
    assert.equal(headers['cross-origin-resource-policy'], 'cross-origin');
    assert.equal(headers['x-content-type-options'], 'nosniff');
  }
  assert.match(node.log(), /socketio_client .*version=4\.\d+\.\d+ files=8/);
});

test('who has it already is told so: 304, and alike on all nodes', async () => {
  const etags = new Set();
  for (const file of FILES) {
    const { etag } = (await get(file)).headers;
    assert.match(etag, /^"[0-9a-f]+"$/);
    etags.add(etag);
    for (const list of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
      const again = await get(file, { 'If-None-Match': list }, 'GET', other);
      assert.deepEqual([again.status, again.body, again.headers.etag], [304, '', etag], list);
      assert.equal(again.headers['access-control-allow-origin'], '*');
      assert.ok(!('content-length' in again.headers) && !('content-type' in again.headers));
    }
    for (const list of ['""', '"x"', etag.slice(0, -1), etag.replaceAll('"', '')]) {
      assert.equal((await get(file, { 'If-None-Match': list })).status, 200, list);
    }
  }
  assert.equal(etags.size, FILES.length);
  // The pages of the node are served by the same hand.
  const page = await bare.get('/');
  const again = await node.get('/', { headers: { 'If-None-Match': page.headers.etag } });
  assert.deepEqual([page.status, again.status, again.body], [200, 304, '']);
  assert.ok(!('access-control-allow-origin' in page.headers));
});

test('HEAD, and requests behind one another on a connection', async () => {
  const size = fs.statSync(path.join(DIST, 'socket.io.js')).size;
  for (const [head, status, length] of [
    [{}, 200, String(size)],
    [{ 'If-None-Match': '*' }, 304, undefined],
  ]) {
    const answer = await get('socket.io.js', head, 'HEAD');
    assert.deepEqual([answer.status, answer.body], [status, '']);
    assert.equal(answer.headers['content-length'], length);
  }
  const socket = net.connect(node.port, '127.0.0.1');
  let text = '';
  socket.setEncoding('latin1').on('data', (data) => (text += data));
  const line = (more) => `GET /socket.io/socket.io.min.js HTTP/1.1\r\nHost: x\r\n${more}\r\n`;
  socket.write(line('If-None-Match: *\r\n') + line('') + line('If-None-Match: *\r\n'));
  const statuses = () => [...text.matchAll(/^HTTP\/1\.1 (\d+)/gm)].map(([, status]) => Number(status));
  await until(() => statuses().length === 3);
  assert.deepEqual(statuses(), [304, 200, 304]);
  socket.destroy();
});

// The path as it is, which a URL would tidy up.
const ask = (where) =>
  new Promise((resolve, reject) => {
    const options = { host: '127.0.0.1', port: node.port, path: `/socket.io/${where}`, agent: false };
    const answered = async (answer) => {
      resolve(`${answer.statusCode} ${(await answer.setEncoding('utf8').toArray()).join('')}`);
    };
    http.get(options, answered).on('error', reject);
  });

test('no other name, no other method', async () => {
  assert.match(await ask('socket.io.js'), /^200 /);
  assert.match(await ask('socket%2eio.js'), /^200 /);
  for (const where of [
    'socket.io.min.js/',
    'socket.io.msgpack.js',
    'socket.io.JS',
    'Socket.io.js',
    'socket.io.js.bak',
    'socket.io.js%00',
    './socket.io.js',
    '../socket.io/socket.io.js',
    '..%2f..%2fpackage.json',
    '../../package.json',
    'package.json',
    '/socket.io.js',
  ]) {
    // Engine.IO's, as any path below /socket.io/ that is no file; outside of it nothing.
    assert.match(await ask(where), /^(400 {"code":0,"message":"Transport unknown"}|404 nothing)/, where);
  }
  for (const [method, status] of [['POST', 405], ['PUT', 405], ['OPTIONS', 204]]) {
    assert.equal((await get('socket.io.js', {}, method)).status, status, method);
  }
  const session = await get('?EIO=4&transport=polling');
  assert.equal(session.status, 200, 'the sessions are where they were');
});

test('without the option: 404, and it is named', async () => {
  for (const file of FILES) {
    const { status, headers, body } = await get(file, {}, 'GET', bare);
    assert.equal(status, 404);
    assert.match(headers['content-type'], /^text\/plain/);
    assert.match(body, /^[^\n]*\boption socketio-client\b[^\n]*\n$/);
  }
});

// A directory with these files: { name: bytes }.
function directory(files) {
  const dir = tempDir('client');
  for (const [name, bytes] of Object.entries(files)) fs.writeFileSync(path.join(dir, name), bytes);
  return dir;
}
const banner = (version) => `/*!\n * Socket.IO v${version}\n */\n`;

test('a directory with fewer files, by the environment', async () => {
  const dir = directory({ 'socket.io.js': 'mine();\n', 'secret.js': 'no' });
  const own = await startNode({ redis, env: { SLUICE_SOCKETIO_CLIENT: dir } });
  fs.rmSync(dir, { recursive: true }); // it was read, and is not needed again
  assert.equal((await get('socket.io.js', {}, 'GET', own)).body, 'mine();\n');
  const min = await get('socket.io.min.js', {}, 'GET', own);
  assert.equal(min.status, 404);
  assert.match(min.body, /socketio-client has no such file/);
  assert.equal((await get('secret.js', {}, 'GET', own)).status, 400);
  assert.match(own.log(), /socketio_client .*files=1/);
  await own.stop();
});

test('a directory that is wrong stops start-up, and is named', async () => {
  const good = { 'socket.io.js': banner('4.8.4') };
  const within = (name, make) => {
    const dir = directory(good);
    make(path.join(dir, name));
    return dir;
  };
  const big = (file) => fs.truncateSync(file, 4194305);
  for (const [dir, ...words] of [
    ['/nowhere/at/all', 'No such file'],
    [path.join(DIST, 'socket.io.js'), 'Not a directory'],
    [tempDir('empty'), 'socket.io.js is not in it', 'dist'],
    [path.join(DIST, '..'), 'socket.io.js is not in it', 'dist'],
    [directory({ 'socket.io.js': '' }), 'socket.io.js: empty'],
    [directory({ 'socket.io.js': banner('2.5.0') }), 'version 2.5.0', '3 and 4'],
    [within('socket.io.min.js', fs.mkdirSync), 'socket.io.min.js: not a file'],
    [within('socket.io.js', big), 'socket.io.js: 4194305 bytes', '4194304'],
    [within('socket.io.min.js', (file) => spawnSync('mkfifo', [file])), 'not a file'],
    [within('socket.io.js.map', (file) => fs.symlinkSync(file, file)), 'socket.io.js.map: Too many'],
  ]) {
    const from = ['--listen', '127.0.0.1:0', '--socketio-client', dir];
    const { late, code, err, all } = await runProgram(from);
    assert.ok(!late && code > 0, `${dir}: ${all}`);
    for (const word of ['command line: socketio-client', dir, ...words]) {
      assert.ok(err.includes(word), `says ${word}: ${err}`);
    }
    assert.equal(err.split('\n').length, 2, err);
  }
});

// Sees how a slow line gets long answers: nothing is read for longer than the 2 s that a peer has
// for reading a last answer; then all of it. Of one who reads nothing, as much is asked as no
// kernel takes.
test('a slow reader gets all of it, one that reads nothing is let go', async () => {
  const size = 4194304;
  const dir = directory({ 'socket.io.js': Buffer.alloc(size, 32) });
  const wait = (on, count) =>
    new Promise((resolve) => {
      const socket = net.connect({ port: on.port, host: '127.0.0.1' });
      let got = 0;
      const line = 'GET /socket.io/socket.io.js HTTP/1.1\r\nHost: x\r\n';
      socket.write(`${line}\r\n`.repeat(count - 1) + `${line}Connection: close\r\n\r\n`);
      socket.once('readable', () => {
        setTimeout(() => socket.on('data', (data) => (got += data.length)), 4000);
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(got));
    });
  const args = ['--socketio-client', dir];
  const patient = await startNode({ redis, args });
  const hasty = await startNode({ redis, args: [...args, '--handshake-timeout', '200ms'] });
  const [all, part] = await Promise.all([wait(patient, 1), wait(hasty, 40)]);
  assert.ok(all > size, `${all} of ${size} bytes`);
  assert.ok(part < 40 * size, `${part} of ${40 * size} bytes`);
  await patient.stop();
  await hasty.stop();
});
