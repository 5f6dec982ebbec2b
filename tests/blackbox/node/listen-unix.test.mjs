// --listen unix:/path: the socket's file, and what is told where an address was.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import WebSocket from 'ws';
import { login, startRedis, tempDir, test, until } from '../lib/harness.mjs';
import { startNginx } from '../lib/nginx.mjs';
import { runProgram } from '../lib/program.mjs';
import { connections } from '../lib/registry.mjs';
import { BINARY } from '../lib/servers.mjs';

const redis = await startRedis();
const dir = tempDir('unix');
fs.chmodSync(dir, 0o711);
const file = path.join(dir, 'node.sock');
const listen = ['--listen', `unix:${file}`, '--redis-url', redis.url];

function get(where) {
  return new Promise((resolve, reject) => {
    const options = { socketPath: file, path: where, agent: false, timeout: 5000 };
    const answered = async (res) => {
      const body = (await res.setEncoding('utf8').toArray()).join('');
      resolve({ status: res.statusCode, body });
    };
    http.get(options, answered).on('error', reject);
  });
}

async function start(t, ...args) {
  const log = path.join(tempDir('log'), 'log');
  const fd = fs.openSync(log, 'a');
  const all = [...listen, '--node-id', 'u1', ...args];
  const child = spawn(BINARY, all, { stdio: ['ignore', fd, fd] });
  fs.closeSync(fd);
  t.after(() => child.kill('SIGKILL'));
  const exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve([code, signal])));
  const ready = () => get('/readyz').then(({ status }) => status === 200, () => false);
  await until(ready, { what: 'ready', timeout: 20000 });
  const end = async (signal) => {
    child.kill(signal);
    return exited;
  };
  return { end, log: () => fs.readFileSync(log, 'utf8') };
}

test('the first line and /healthz name it; permissions; a file that was left; one in use', async (t) => {
  const first = await start(t, '--listen-mode', '600');
  assert.match(first.log().split('\n')[0], new RegExp(`event=listening .*addr=unix:${file} `));
  assert.equal(JSON.parse((await get('/healthz')).body).address, `unix:${file}`);
  assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  assert.equal((await runProgram(['--health-check', ...listen])).code, 0);
  const second = await runProgram(listen, { timeout: 5000 });
  assert.ok(!second.late && second.code > 0 && /listen.*in use/.test(second.err), second.all);

  const ws = new WebSocket(`ws+unix://${file}:/ws`);
  await new Promise((resolve, reject) => ws.on('open', resolve).on('error', reject));
  ws.send('{"event":"login","data":{"userId":"ann"},"ack":1}');
  await new Promise((resolve) => ws.on('message', resolve));
  const [conn] = await connections(redis, 'ann');
  assert.equal(conn.address, 'unix');
  ws.terminate();

  await first.end('SIGKILL');
  assert.ok(fs.existsSync(file), 'left behind');
  const next = await start(t);
  assert.equal(fs.statSync(file).mode & 0o777, 0o660);
  assert.deepEqual(await next.end('SIGTERM'), [0, null]);
  assert.ok(!fs.existsSync(file), 'its own is gone');
});

test('what is no socket stays; paths and modes that are wrong', async () => {
  fs.writeFileSync(file, 'precious');
  const { late, code, err } = await runProgram(listen, { timeout: 5000 });
  assert.ok(!late && code > 0 && /no socket/.test(err), err);
  assert.equal(fs.readFileSync(file, 'utf8'), 'precious');
  fs.rmSync(file);
  for (const args of [['--listen', 'unix:relative'], ['--listen', `unix:/${'x'.repeat(108)}`],
    [...listen, '--listen-mode', '888'], [...listen, '--advertise', `unix:${file}`]]) {
    const wrong = await runProgram(args, { timeout: 5000 });
    assert.ok(!wrong.late && wrong.code > 0, wrong.all);
  }
});

test('behind nginx: addresses of clients come from the header, strangers do not share a limit', async (t) => {
  const args = ['--real-address-header', 'X-Forwarded-For', '--max-connections-per-address', '1'];
  await start(t, ...args, '--listen-mode', '666');
  const nginx = await startNginx([{ address: `unix:${file}` }], {
    more: 'location = /far { proxy_set_header X-Forwarded-For 203.0.113.5; proxy_set_header Connection $connection_upgrade; proxy_set_header Upgrade $http_upgrade; proxy_pass http://sluice/ws; }\n',
  });
  t.after(() => nginx.stop());
  const ann = await login(nginx, 'near', {});
  const bob = await login(nginx, 'far', {}, { path: '/far' });
  const at = async (user) => (await connections(redis, user))[0].address;
  assert.match(await at('near'), /^127\.0\.0\.1/);
  assert.match(await at('far'), /^203\.0\.113\.5/);
  await assert.rejects(login(nginx, 'third', {}));
  await ann.close();
  await bob.close();
});
