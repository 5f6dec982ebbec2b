// Redis servers.

import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { findProgram, started, startProcess, tempDir } from './processes.mjs';
import { ask, printed } from './resp.mjs';
import { freePort, ROOT, until } from './waiting.mjs';

const REDIS_CONF = path.join(ROOT, 'deploy/redis.conf');

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

const findServer = () => findProgram('redis-server', 'valkey-server', 'redis-check-rdb');

// A link in dir to the server's program. Debian's redis-tools have it as redis-check-rdb; the name
// under which it runs decides what it does: redis-server, or redis-sentinel.
export function redisProgram(dir, name = 'redis-server') {
  const program = findServer();
  if (!program) throw new Error('no redis-server, valkey-server or redis-check-rdb on PATH');
  const link = path.join(dir, name);
  if (!fs.existsSync(link)) fs.symlinkSync(fs.realpathSync(program), link);
  return link;
}

// Of the server: 7.0 is 700, 9.1 is 901. Valkey counts on from Redis 7.2.
let version;
export function redisVersion() {
  if (!version) {
    const [, major, minor] = execFileSync(findServer(), ['--version'], { encoding: 'utf8' }).match(/(\d+)\.(\d+)\.\d/);
    version = Number(major) * 100 + Number(minor);
  }
  return version;
}

async function redisAnswers(port) {
  const [answer] = await ask({ port, timeout: 1000 }, ['PING']);
  return answer === 'PONG' || /^NOAUTH/.test(answer.message);
}

/*
 * A private Redis with deploy/redis.conf. Options:
 *   port         default: a free one
 *   appendfsync  and any other directive in config: { 'maxmemory': '10mb' }
 *   requirepass  a password for the default user
 *   aclUser      { name, password, rules = '~* &* +@all' }: the user of .url
 *   env          the environment, as for a clock that can be set
 *   unixsocket   true: also listens on .socket
 *   files        { name: text } that lie in .dir when it first starts
 * Has: port, url, dir, socket, pid, stop(), kill(), restart(), cli(...args), ask(...commands),
 * pause(), resume(), forget(); paused, and up (it runs, and is not paused). The files on disk are kept over
 * stop(), kill() and restart(), until the file's tests are done.
 */
export async function startRedis(options = {}) {
  const dir = tempDir('redis');
  const { requirepass, aclUser, appendfsync, unixsocket } = options;
  const config = { ...(appendfsync && { appendfsync }), ...options.config };
  if (requirepass) config.requirepass = requirepass;
  if (unixsocket) config.unixsocket = path.join(dir, 'redis.sock');
  const log = path.join(dir, 'redis.log');
  const command = redisProgram(dir);
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
  for (const [name, text] of Object.entries(options.files ?? {})) {
    fs.writeFileSync(path.join(dir, name), text);
  }
  const launch = async (port) => {
    child = startProcess(command, [file, ...directives(port)], { cwd: dir, log, env: options.env });
    redis.pid = child.pid;
    redis.paused = false;
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
  const credentials = () => {
    if (aclUser) return [aclUser.name, aclUser.password];
    return requirepass ? [requirepass] : undefined;
  };

  const redis = {
    dir,
    socket: config.unixsocket,
    // Ends it with SIGTERM. restart() brings it back on the same port with the same data.
    async stop() {
      started.delete(redis);
      if (child.result) return;
      redis.resume();
      // It forgets a SIGTERM that comes while it writes its first file, as a new replica does.
      const again = setInterval(() => child.signal('SIGTERM'), 500);
      await child.end('SIGTERM', 10000).finally(() => clearInterval(again));
    },
    async kill() {
      started.delete(redis);
      await child.end('SIGKILL', 5000);
    },
    async restart() {
      await redis.stop();
      await launch(redis.port);
    },
    // Takes its snapshot from the disk: without appendonly it comes back empty.
    forget() {
      for (const name of fs.readdirSync(dir)) {
        if (name.endsWith('.rdb')) fs.rmSync(path.join(dir, name));
      }
    },
    // Holds the whole server still, connections open, as a dead network would.
    pause: () => redis.signal('SIGSTOP'),
    resume: () => redis.signal('SIGCONT'),
    signal(what) {
      if (what === 'SIGSTOP' || what === 'SIGCONT') redis.paused = what === 'SIGSTOP';
      return child.signal(what);
    },
    get up() {
      return child.result === null && !redis.paused;
    },
    log: () => child.output(),
    // Commands, as arrays, on a connection of their own: see resp.mjs.
    ask: (...commands) => ask({ port: redis.port, auth: redis.auth }, ...commands),
    auth: credentials(),
    // What redis-cli prints of a command, less the last line's end. It is run for its own options
    // alone, since a process costs much more than a connection.
    async cli(...args) {
      if (!/^--?\w/.test(args[0])) return printed((await redis.ask(args))[0]);
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
