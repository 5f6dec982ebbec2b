// The servers that `make bench` puts side by side. Each row: the name for a table, the dialect in
// which the load client speaks to it, what it is (asked once: { version, why }, why it cannot be
// had), and start(redis, count), which resolves to count processes that share that Redis:
// { servers: [{ port, pid }], stop() }.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { findProgram, started, startProcess, tempDir } from '../../blackbox/lib/processes.mjs';
import { startNode } from '../../blackbox/lib/servers.mjs';
import { freePort, until } from '../../blackbox/lib/waiting.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const LIMIT = path.resolve(HERE, '../../../build/bench/limit');
const run = (command, args, options) =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...options });

// A program that tells its address; it is ended with SIGKILL, since some wait for their clients.
async function launch(command, args, { port, dir = tempDir('rival'), env } = {}) {
  const options = { cwd: dir, log: path.join(dir, 'log'), env: { ...process.env, NODE_ENV: 'production', ...env } };
  const child = startProcess(command, args, options);
  const self = { pid: child.pid, port, signal: child.signal, output: child.output };
  self.stop = () => {
    started.delete(self);
    return child.end('SIGKILL', 5000);
  };
  started.add(self);
  const told = () => child.result || child.output().match(port ? /^/ : /addr=127\.0\.0\.1:(\d+)/);
  const answer = await until(told, { what: `${path.basename(command)} ${args.join(' ')} tells its address` });
  if (child.result) throw new Error(`${command} did not start:\n${child.output()}`);
  self.port ??= Number(answer[1]);
  return self;
}

// Waits until a WebSocket opens.
function opens(port, path) {
  const headers = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': 13, 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' };
  const attempt = () =>
    new Promise((resolve) => {
      const request = http.get({ port, path, headers, agent: false });
      request.on('upgrade', (_, socket) => resolve(socket.destroy()));
      request.on('response', (answer) => resolve(answer.destroy() && null));
      request.on('error', () => resolve(null));
    });
  return until(attempt, { what: `a WebSocket on ${path}` });
}

async function several(count, start) {
  const servers = [];
  for (let i = 0; i < count; i++) servers.push(await start(i));
  const stop = async () => {
    for (const server of servers) await server.stop('SIGINT');
  };
  return { servers, stop };
}

/* --- npm: installed once for all that need it */

let failed; // one attempt for all
function npm(name, ...others) {
  const modules = path.join(HERE, 'node_modules');
  const versionOf = (one) => JSON.parse(fs.readFileSync(path.join(modules, one, 'package.json'))).version;
  try {
    if (failed) return failed;
    if (!fs.existsSync(path.join(modules, name))) run('npm', ['ci', '--no-audit', '--no-fund'], { cwd: HERE });
    return { version: [versionOf(name), ...others.map((one) => `${one} ${versionOf(one)}`)].join(', ') };
  } catch (error) {
    return (failed = { why: `npm ci: ${(error.stderr || error.message).trim().split('\n')[0]}` });
  }
}
const script = (name) => (redis, count) =>
  several(count, () => launch(process.execPath, [path.join(HERE, name), String(redis.port)]));

/* --- nginx with Debian's module */

let module_;
function nchan() {
  if (!findProgram('nginx')) return { why: 'there is no nginx' };
  try {
    const dir = tempDir('nchan');
    run('apt-get', ['download', 'libnginx-mod-nchan'], { cwd: dir });
    const [deb] = fs.readdirSync(dir).filter((name) => name.endsWith('.deb'));
    run('dpkg-deb', ['-x', deb, '.'], { cwd: dir });
    module_ = `${dir}/usr/lib/nginx/modules/ngx_nchan_module.so`;
    const [, version] = run('dpkg-deb', ['-f', deb, 'Version'], { cwd: dir }).match(/(?:\d+:)?([\d.]+)/);
    const [, nginx] = run('sh', ['-c', '"$0" -v 2>&1', findProgram('nginx')]).match(/nginx\/(\S+)/);
    return { version: `${version}, nginx ${nginx}` };
  } catch (error) {
    return { why: `apt-get download: ${(error.stderr || error.message).trim().split('\n')[0]}` };
  }
}

const nchanConf = (port, redis) => [
  `load_module ${module_};`,
  'daemon off; master_process off; pid nginx.pid;',
  'events { worker_connections 16000; }',
  'http { access_log off;',
  ...['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${name};`),
  `upstream redis { nchan_redis_server redis://127.0.0.1:${redis.port};`,
  'nchan_redis_storage_mode nostore; nchan_redis_nostore_fastpublish on; }',
  `server { listen 127.0.0.1:${port} backlog=4096;`,
  'location ~ ^/sub/(.+)$ { nchan_redis_pass redis; nchan_subscriber websocket; nchan_channel_id $1; }',
  'location ~ ^/pub/(.+)$ { nchan_redis_pass redis; nchan_publisher websocket; nchan_channel_id $1; }',
  'location ~ ^/both/(.+)/(.+)$ { nchan_redis_pass redis; nchan_pubsub websocket;',
  'nchan_subscriber_channel_id $1; nchan_publisher_channel_id $2; } } }',
];

async function startNchan(redis) {
  const dir = tempDir('nchan');
  fs.chmodSync(dir, 0o711);
  const port = await freePort();
  const conf = path.join(dir, 'nginx.conf');
  fs.writeFileSync(conf, nchanConf(port, redis).join('\n'));
  const server = await launch(findProgram('nginx'), ['-e', 'stderr', '-p', dir, '-c', conf], { port, dir });
  await opens(port, '/sub/first');
  return server;
}

/* --- Centrifugo, if CENTRIFUGO is its program */

function centrifugo() {
  const program = process.env.CENTRIFUGO;
  if (!program) return { why: 'CENTRIFUGO=PATH tells where its program is' };
  try {
    return { version: run(program, ['version']).trim() };
  } catch (error) {
    return { why: error.message.split('\n')[0] };
  }
}

const startCentrifugo = (history) => (redis, count) =>
  several(count, async () => {
    const dir = tempDir('centrifugo');
    const port = await freePort();
    const kept = history ? { history_size: 1000, history_ttl: '3600s', force_recovery: true } : {};
    fs.writeFileSync(
      path.join(dir, 'config.json'),
      JSON.stringify({
        http_server: { address: '127.0.0.1', port: String(port) },
        engine: { type: 'redis', redis: { address: [`redis://127.0.0.1:${redis.port}`] } },
        client: { insecure: true },
        channel: { without_namespace: { ...kept, allow_publish_for_client: true, allow_subscribe_for_client: true } },
        log: { level: 'error' },
      }),
    );
    const server = await launch(process.env.CENTRIFUGO, ['--config', 'config.json'], { port, dir });
    await opens(port, '/connection/websocket');
    return server;
  });

/* --- */

const limit = (mode, hop) => ({
  dialect: 'plain',
  what: () => ({ version: '' }),
  start: (redis, count) => several(count, () => launch(LIMIT, hop ? [mode, String(redis.port)] : [mode])),
  alone: !hop,
});
function sluiceVersion() {
  const version = run(process.env.SLUICE_BIN, ['--version']).trim().replace(/^sluice /, '');
  try {
    return { version: `${version} at ${run('git', ['rev-parse', '--short', 'HEAD'], { cwd: HERE }).trim()}` };
  } catch {
    return { version }; // the sources are no repository
  }
}
const sluice = {
  what: sluiceVersion,
  start: (redis, count) => several(count, (i) => startNode({ redis, id: `n${i + 1}` })),
};
// alone: its processes do not know each other.
export const rivals = {
  sluice: { title: 'Sluice', dialect: 'sluice', ...sluice },
  'sluice-socketio': { title: 'Sluice, Socket.IO clients', dialect: 'socketio', ...sluice },
  uwebsockets: { title: 'uWebSockets + Redis', dialect: 'plain', what: () => npm('uwebsockets', 'redis'), start: script('uwebsockets.mjs') },
  nchan: { title: 'Nchan + Redis', dialect: 'nchan', what: nchan, start: (redis, count) => several(count, () => startNchan(redis)) },
  ws: { title: 'ws + Redis', dialect: 'plain', what: () => npm('ws', 'redis'), start: script('ws.mjs') },
  socketio: { title: 'Socket.IO + adapter', dialect: 'socketio', what: () => npm('socket.io', '@socket.io/redis-adapter'), start: script('socketio.mjs') },
  centrifugo: { title: 'Centrifugo, history', dialect: 'centrifugo', what: centrifugo, start: startCentrifugo(true) },
  'centrifugo-none': { title: 'Centrifugo, no history', dialect: 'centrifugo', what: centrifugo, start: startCentrifugo(false) },
  'limit-direct': { title: 'limit, direct', ...limit('direct', false) },
  'limit-coalescing': { title: 'limit, coalescing', ...limit('coalescing', false) },
  'limit-direct-redis': { title: 'limit, direct, Redis', ...limit('direct', true) },
  limit: { title: 'limit, coalescing, Redis', ...limit('coalescing', true) },
};
