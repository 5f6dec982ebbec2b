// Nodes, and the Redis that they share.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after } from 'node:test';
import { startAsOne } from './as-one.mjs';
import * as processes from './processes.mjs';
import { startManaged } from './managed.mjs';
import { onFreePort, startRedis as startRedisServer } from './redis.mjs';
import { isManaged, kept, mode, ROOT, until } from './waiting.mjs';

const { clients, nodesEver, removeDir, request, started, startProcess, tempDir } = processes;
export { startReplica } from './redis.mjs';
export const BINARY = process.env.SLUICE_BIN || path.join(ROOT, 'build/asan/sluice');
const SANITIZERS = /ERROR: AddressSanitizer|LeakSanitizer|runtime error/;

// The Redis of a test, of which redis.mjs tells. With TEST_REDIS=cluster it is a Redis Cluster that
// looks like one Redis: see as-one.mjs. With TEST_REDIS=managed or managed-cluster its URL leads to a
// proxy that behaves as managed services do, and what that refused fails the test's file.
export async function startRedis(options) {
  const redis = await (mode() === 'cluster' ? startAsOne(options) : startRedisServer(options));
  if (!isManaged()) return redis;
  const door = await startManaged(redis);
  after(() => assert.deepEqual(door.refused, [], 'the managed service refused nothing'));
  return Object.defineProperties(redis, { url: { value: door.url }, door: { value: door } });
}

let nodeCount = 0;

/*
 * A node of build/asan/sluice (SLUICE_BIN: another). Options:
 *   redis    from startRedis, or a URL
 *   id       default n1, n2, …
 *   args     further command line; env: further environment. There is no rate-limit, no
 *            accept-rate and no max-connections-per-user unless a test asks for one, since tests
 *            send and connect as fast as they can, often as one user. A drain is short, since most
 *            tests stop nodes that have clients.
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
      SLUICE_DRAIN: '100ms',
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
    untilReady: (how) => until(isWhole, { what: `${name}: 200`, ...how }),
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
  // On a Cluster a node is ready, and degraded, while some partitions have no master.
  const isWhole = async () => {
    const { status, body } = await node.get('/readyz');
    return status === 200 && !body.includes('"degraded"');
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
  if (ready) await waitUntil('is ready', isWhole);
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
