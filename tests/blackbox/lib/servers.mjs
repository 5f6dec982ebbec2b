// Redis servers and nodes.

import { execFile } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import * as processes from './processes.mjs';
import { freePort, kept, ROOT, until } from './waiting.mjs';

const { clients, findProgram, nodesEver, removeDir, request, started, startProcess, tempDir } =
  processes;
export const BINARY = process.env.SLUICE_BIN || path.join(ROOT, 'build/asan/sluice');
const REDIS_CONF = path.join(ROOT, 'deploy/redis.conf');
const SANITIZERS = /ERROR: AddressSanitizer|LeakSanitizer|runtime error/;

// Starts a server on a free port, and on another one if a process has taken that since.
export async function onFreePort(start) {
  for (let tries = 1; ; tries++) {
    try {
      return await start(await freePort());
    } catch (error) {
      if (tries === 5 || !/in use/i.test(error.message)) throw error;
    }
  }
}

// ---- Redis

// The server's program. Debian's redis-tools have it as redis-check-rdb; the name under which it
// runs decides what it does.
function redisServer(dir) {
  const server = findProgram('redis-server', 'valkey-server');
  if (server) return server;
  const tool = findProgram('redis-check-rdb');
  if (!tool) throw new Error('no redis-server, valkey-server or redis-check-rdb on PATH');
  const link = path.join(dir, 'redis-server');
  if (!fs.existsSync(link)) fs.symlinkSync(tool, link);
  return link;
}

function redisAnswers(port) {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.setTimeout(1000, () => socket.destroy());
    socket.on('connect', () => socket.write('PING\r\n'));
    socket.on('data', (data) => {
      resolve(/^(\+PONG|-NOAUTH)/.test(data.toString()));
      socket.destroy();
    });
    socket.on('error', () => resolve(false));
    socket.on('close', () => resolve(false));
  });
}

/*
 * A private Redis with deploy/redis.conf. Options:
 *   port         default: a free one
 *   appendfsync  and any other directive in config: { 'maxmemory': '10mb' }
 *   requirepass  a password for the default user
 *   aclUser      { name, password, rules = '~* &* +@all' }: the user of .url
 *   env          the environment, as for a clock that can be set
 *   unixsocket   true: also listens on .socket
 * Has: port, url, dir, socket, pid, stop(), kill(), restart(), cli(...args), pause(), resume(). The
 * files on disk are kept over stop(), kill() and restart(), until the file's tests are done.
 */
export async function startRedis(options = {}) {
  const dir = tempDir('redis');
  const { requirepass, aclUser, appendfsync, unixsocket } = options;
  const config = { ...(appendfsync && { appendfsync }), ...options.config };
  if (requirepass) config.requirepass = requirepass;
  if (unixsocket) config.unixsocket = path.join(dir, 'redis.sock');
  const log = path.join(dir, 'redis.log');
  const command = redisServer(dir);
  let child;

  const directives = (port) => {
    const args = ['--port', String(port), '--dir', dir, '--daemonize', 'no'];
    for (const [key, value] of Object.entries(config)) {
      args.push(`--${key}`, ...String(value).split(' '));
    }
    if (aclUser) {
      const { name, password, rules = '~* &* +@all' } = aclUser;
      args.push('--user', name, 'on', `>${password}`, ...rules.split(' '));
    }
    return args;
  };

  // A copy: CONFIG REWRITE writes into the file.
  const file = path.join(dir, 'redis.conf');
  fs.copyFileSync(REDIS_CONF, file);
  const launch = async (port) => {
    child = startProcess(command, [file, ...directives(port)], { cwd: dir, log, env: options.env });
    redis.pid = child.pid;
    started.add(redis);
    await until(() => child.result || redisAnswers(port), { what: 'Redis answers' });
    if (child.result) {
      started.delete(redis);
      throw new Error(`Redis did not start:\n${child.output()}`);
    }
  };

  const auth = () => {
    if (aclUser) return ['--no-auth-warning', '--user', aclUser.name, '-a', aclUser.password];
    return requirepass ? ['--no-auth-warning', '-a', requirepass] : [];
  };

  const redis = {
    dir,
    socket: config.unixsocket,
    // Ends it with SIGTERM. restart() brings it back on the same port with the same data.
    async stop() {
      started.delete(redis);
      if (child.result) return;
      child.signal('SIGCONT');
      await child.end('SIGTERM', 10000);
    },
    async kill() {
      started.delete(redis);
      await child.end('SIGKILL', 5000);
    },
    async restart() {
      await redis.stop();
      await launch(redis.port);
    },
    // Holds the whole server still, connections open, as a dead network would.
    pause: () => redis.signal('SIGSTOP'),
    resume: () => redis.signal('SIGCONT'),
    signal: (what) => child.signal(what),
    log: () => child.output(),
    // Runs redis-cli; resolves to what it prints, less the last line's end.
    cli(...args) {
      const program = findProgram('redis-cli', 'valkey-cli');
      const all = ['-h', '127.0.0.1', '-p', String(redis.port), ...auth(), ...args.map(String)];
      return new Promise((resolve, reject) => {
        execFile(program, all, { timeout: 10000, maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
          if (error) reject(new Error(`${error.message}${stderr}`));
          else resolve(stdout.replace(/\n$/, ''));
        });
      });
    },
  };

  const launchAt = async (port) => {
    redis.port = port;
    fs.rmSync(log, { force: true });
    await launch(port);
  };
  if (options.port) await launchAt(options.port);
  else await onFreePort(launchAt);
  let user = requirepass ? `:${requirepass}@` : '';
  if (aclUser) user = `${aclUser.name}:${aclUser.password}@`;
  redis.url = `redis://${user}127.0.0.1:${redis.port}/0`;
  return redis;
}

// A Redis that has begun to follow this one.
export async function startReplica({ port }) {
  const replica = await startRedis({ config: { replicaof: `127.0.0.1 ${port}` } });
  await until(async () => /role:slave/.test(await replica.cli('INFO', 'replication')));
  return replica;
}

// ---- Nodes

let nodeCount = 0;

/*
 * A node of build/asan/sluice (SLUICE_BIN: another). Options:
 *   redis    from startRedis, or a URL
 *   id       default n1, n2, …
 *   args     further command line; env: further environment. There is no rate-limit, no
 *            accept-rate and no max-connections-per-user unless a test asks for one, since tests
 *            send and connect as fast as they can, often as one user.
 *   internal true: it has an internal port, too
 *   port     default: a free one; host: default 127.0.0.1
 *   tls      options of node:tls ({ ca }) for the harness's requests: the node speaks TLS
 *   ready    false: does not await /readyz (for a node without Redis)
 *   shown    false: its log is not shown when the process ends with a failure
 * Has: id, pid, port, url, log(), stop(signal), kill(), suspend(), resume(), health(),
 * get(path), internal ({ port, url, get(path) }), exited (a promise of { code, signal }); readyz(), which resolves to the status of
 * /readyz, and untilReady(), untilNotReady(), which wait for it with the options of until().
 */
export async function startNode(options = {}) {
  if (!fs.existsSync(BINARY)) throw new Error(`${BINARY} is not there: make test builds it`);
  const id = options.id ?? `n${++nodeCount}`;
  if (options.port) return launchNode({ ...options, id });
  return onFreePort((port) => launchNode({ ...options, id, port }));
}

async function launchNode(options) {
  const { redis, id: name, args = [], env = {}, port, host = '127.0.0.1' } = options;
  const { internal, ready = true, shown = true, tls } = options;
  const dir = tempDir(name.replace(/[^\w-]/g, '_'));
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !key.startsWith('SLUICE_')),
  );
  const command = ['--listen', `${host}:${port}`, '--node-id', name];
  if (redis) command.push('--redis-url', typeof redis === 'string' ? redis : redis.url);
  if (internal) command.push('--internal-listen', '127.0.0.1:0');
  const child = startProcess(BINARY, [...command, ...args], {
    cwd: dir,
    log: path.join(dir, 'log'),
    env: {
      ...clean,
      ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0:exitcode=99',
      UBSAN_OPTIONS: 'print_stacktrace=1',
      SLUICE_RATE_LIMIT: '0',
      SLUICE_ACCEPT_RATE: '0',
      SLUICE_MAX_CONNECTIONS_PER_USER: '0',
      ...env,
    },
  });

  let finalLog = null;
  const node = {
    id: name,
    pid: child.pid,
    get exited() {
      return child.result ? child.exited : kept(child.exited);
    },
    log: () => finalLog ?? child.output(),
    tls,
    get: (where, options) => request(node.url + where, { tls, ...options }),
    async health() {
      return (await node.get('/healthz')).json();
    },
    readyz: async () => (await node.get('/readyz')).status,
    untilReady: (how) => untilStatus(200, how),
    untilNotReady: (how) => untilStatus(503, how),
    suspend: () => node.signal('SIGSTOP'),
    resume: () => node.signal('SIGCONT'),
    signal: child.signal,
    // Waits for the end. Fails if the node was gone already, does not end, or a sanitizer reported
    // something.
    async stop(signal = 'SIGTERM') {
      if (!started.delete(node)) return child.result;
      const before = child.result;
      child.signal('SIGCONT');
      const result = await child.end(signal, 15000);
      keepLog();
      const found = node.log().match(SANITIZERS);
      if (found) throw new Error(`node ${name}: ${found[0]}\n${node.log()}`);
      if (before) throw new Error(`node ${name} ended by itself: ${JSON.stringify(before)}`);
      if (result.signal && result.signal !== signal) {
        throw new Error(`node ${name} ended by ${result.signal}`);
      }
      return result;
    },
    async kill() {
      started.delete(node);
      const result = await child.end('SIGKILL', 5000);
      keepLog();
      return result;
    },
  };
  const untilStatus = (status, how) =>
    until(async () => (await node.readyz()) === status, { what: `${name}: ${status}`, ...how });
  const insideOf = (port) => {
    const url = `http://127.0.0.1:${port}`;
    return { port: Number(port), url, get: (where, options) => request(url + where, options) };
  };
  const keepLog = () => {
    finalLog ??= child.output();
    removeDir(dir);
  };
  started.add(node);
  if (shown) nodesEver.push(node);

  const fail = async (error) => {
    await node.kill();
    throw new Error(`${error.message}\n${node.log()}`);
  };
  const waitUntil = async (what, fn) => {
    const either = async () => child.result || fn();
    await until(either, { what: `node ${name}: ${what}`, timeout: 20000 }).catch(fail);
    if (child.result) await fail(new Error(`node ${name} ended: ${JSON.stringify(child.result)}`));
  };

  await waitUntil('tells its address', () => {
    const [, address] = node.log().match(/\baddr"?[=:]"?([^\s",]+:\d+)\b/) ?? [];
    if (!address) return false;
    node.port = Number(address.slice(address.lastIndexOf(':') + 1));
    node.url = `${tls ? 'https' : 'http'}://127.0.0.1:${node.port}`;
    const [, inside] = node.log().match(/\binternal=127\.0\.0\.1:(\d+)\b/) ?? [];
    if (inside) node.internal = insideOf(inside);
    return true;
  });
  if (ready) await waitUntil('is ready', async () => (await node.readyz()) === 200);
  return node;
}

// A Redis (or the one given, or options for one) and nodes on it, ready. stop() ends them all.
export async function cluster({ nodes = 2, args = [], env = {}, internal, redis } = {}) {
  const own = !redis?.stop;
  const server = own ? await startRedis(redis) : redis;
  const all = await Promise.all(
    Array.from({ length: nodes }, () => startNode({ redis: server, args, env, internal })),
  );
  return {
    redis: server,
    nodes: all,
    async stop() {
      // No client is left for which a drain would wait.
      for (const client of clients) {
        if (all.some((node) => node.url === client.url)) client.terminate();
      }
      const ends = await Promise.allSettled(all.map((node) => node.stop()));
      if (own) await server.stop();
      const failed = ends.find((end) => end.status === 'rejected');
      if (failed) throw failed.reason;
    },
  };
}
