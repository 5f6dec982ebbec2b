// A master, its replicas, and the Sentinels that watch them, on free ports.

import crypto from 'node:crypto';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { started, startProcess, tempDir } from './processes.mjs';
import { onFreePort, redisProgram, startRedis } from './redis.mjs';
import { ask, printed } from './resp.mjs';
import { freePort, until } from './waiting.mjs';

export const MASTER = 'mymaster';

/*
 * A Sentinel that watches the Redis at masterPort. Options:
 *   name        of the master; default MASTER
 *   quorum      default 2
 *   downAfter   ms, default 1000; failoverTimeout: ms, default 10000
 *   config      further lines of its file
 *   auth        the words after AUTH
 * Has: port, cli(...args), stop(), kill(), pause(), resume(), restart(), log(), file.
 */
export const startSentinel = (masterPort, options) =>
  onFreePort((port) => startSentinelAt(port, masterPort, options));

async function startSentinelAt(port, masterPort, options = {}) {
  const { name = MASTER, quorum = 2, downAfter = 1000, failoverTimeout = 10000 } = options;
  const { config = [], auth } = options;
  const dir = tempDir('sentinel');
  const file = path.join(dir, 'sentinel.conf');
  const log = path.join(dir, 'sentinel.log');
  const lines = [
    `port ${port}`, 'bind 127.0.0.1', `dir ${dir}`,
    `sentinel monitor ${name} 127.0.0.1 ${masterPort} ${quorum}`,
    `sentinel down-after-milliseconds ${name} ${downAfter}`,
    `sentinel failover-timeout ${name} ${failoverTimeout}`,
    ...config, '',
  ];
  fs.writeFileSync(file, lines.join('\n'));
  const program = redisProgram(dir, 'redis-sentinel');
  let child;
  const self = {
    port,
    file,
    log: () => child.output(),
    signal: (what) => child.signal(what),
    pause: () => child.signal('SIGSTOP'),
    resume: () => child.signal('SIGCONT'),
    async stop() {
      started.delete(self);
      if (child.result) return;
      child.signal('SIGCONT');
      await child.end('SIGTERM', 10000);
    },
    async kill() {
      started.delete(self);
      await child.end('SIGKILL', 5000);
    },
    async restart() {
      await self.stop();
      await launch();
    },
    // What redis-cli prints of a command, less the last line's end.
    cli: async (...args) => printed((await ask({ port, auth }, args))[0]),
  };
  const launch = async () => {
    child = startProcess(program, [file], { cwd: dir, log });
    self.pid = child.pid;
    started.add(self);
    const answers = async () => child.result || (await self.cli('PING')) === 'PONG';
    await until(answers, { what: 'the Sentinel answers' });
    if (child.result) throw new Error(`the Sentinel did not start:\n${child.output()}`);
  };
  await launch();
  return self;
}

export const field = (text, name) => {
  const lines = text.split('\n');
  return lines[lines.indexOf(name) + 1];
};

// The port of the master that this Sentinel names.
export const masterPort = async (sentinel, name = MASTER) =>
  Number((await sentinel.cli('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name)).split('\n')[1]);

export const role = async (redis) => (await redis.cli('ROLE')).split('\n')[0];

const replicated = { 'repl-diskless-sync': 'no', 'repl-ping-replica-period': 1 };

/*
 * A master, replicas (default 1) and Sentinels (default 3) that know all of each other. Options:
 *   redis: options of startRedis for all; sentinel: of startSentinel; password: requirepass of all
 *   Redis servers, which the Sentinels know
 * Has: servers, sentinels, url, master(), the server that the Sentinels name; replica(), another
 * one; failover(), which asks for a planned one; stop().
 */
export async function sentinelCluster({ replicas = 1, sentinels = 3, redis = {}, sentinel = {}, password } = {}) {
  const secret = password && { requirepass: password };
  const config = { ...replicated, ...(password && { masterauth: password }), ...redis.config };
  const servers = [await startRedis({ ...redis, ...secret, config })];
  // By a command: what stands on the command line would hold again after a restart.
  for (let i = 0; i < replicas; i++) {
    const replica = await startRedis({ ...redis, ...secret, config });
    await replica.cli('REPLICAOF', '127.0.0.1', servers[0].port);
    servers.push(replica);
  }
  const lines = [...(sentinel.config ?? [])];
  if (password) lines.push(`sentinel auth-pass ${sentinel.name ?? MASTER} ${password}`);
  const all = await Promise.all(
    Array.from({ length: sentinels }, () =>
      startSentinel(servers[0].port, { ...sentinel, config: lines }),
    ),
  );
  const name = sentinel.name ?? MASTER;
  const complete = async (one) => {
    const text = await one.cli('SENTINEL', 'MASTER', name);
    const replica = await one.cli('SENTINEL', 'REPLICAS', name);
    return (
      field(text, 'num-other-sentinels') === String(sentinels - 1) &&
      replica.split('master-link-status\nok').length === replicas + 1
    );
  };
  for (const one of all) {
    await until(() => complete(one), { timeout: 30000, what: 'a Sentinel knows all others' });
  }
  const self = {
    servers,
    sentinels: all,
    name,
    hosts: all.map(({ port }) => `127.0.0.1:${port}`),
    url: `redis+sentinel://${password ? `:${password}@` : ''}${all.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${name}`,
    async master() {
      const port = await masterPort(all.find((one) => started.has(one)), name);
      return servers.find((one) => one.port === port);
    },
    async replica() {
      const master = await self.master();
      return servers.find((one) => one !== master);
    },
    failover: (by = all[0]) => by.cli('SENTINEL', 'FAILOVER', name),
    async stop() {
      for (const one of [...all, ...servers]) await one.stop();
    },
  };
  return self;
}

// ---- A Sentinel that says what a test wants

const bulk = (text) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
const array = (items) => `*${items.length}\r\n${items.map((one) => (Array.isArray(one) ? array(one) : bulk(String(one)))).join('')}`;

function takeCommand(text) {
  const lines = text.split('\r\n');
  const count = Number(lines[0].slice(1));
  if (lines.length < 2 * count + 2) return null;
  const words = Array.from({ length: count }, (_, i) => lines[2 + 2 * i]);
  return { words, rest: lines.slice(1 + 2 * count).join('\r\n') };
}

/*
 * Says that the master is at `master` (a port, or { host, port }) by the configuration `epoch`.
 * These may be changed at any time, and so may
 *   peers    fake Sentinels of which it tells
 *   silent   true: takes connections and commands, and answers nothing
 *   refuses  { command: error }, as { SUBSCRIBE: 'NOPERM' }
 *   name     of the master that it watches
 * Has: port, id, url (of it alone), asked (the commands, as text), publish(channel, text),
 * announce(from, to), close(), open().
 */
export async function fakeSentinel({ master, epoch = 1, name = MASTER, ...more }) {
  const self = { master, epoch, name, peers: [], refuses: {}, asked: [], id: crypto.randomUUID(), ...more };
  const sockets = new Map();
  const place = (at) => (typeof at === 'number' ? { host: '127.0.0.1', port: at } : at);
  const pairs = (object) => Object.entries(object).flat();
  const peerOf = ({ id, port }) => pairs({ name: id, ip: '127.0.0.1', port, runid: id, flags: 'sentinel' });
  const sentinel = (verb, [wanted]) => {
    const { host, port } = place(self.master) ?? {};
    if (verb === 'MYID') return bulk(self.id);
    if (wanted !== self.name) return verb.startsWith('GET') ? '*-1\r\n' : '-ERR No such master with that name\r\n';
    if (self.master === null) return '*-1\r\n';
    if (verb === 'SENTINELS') return array(self.peers.map(peerOf));
    if (verb === 'GET-MASTER-ADDR-BY-NAME') return array([host, port]);
    return array(pairs({ name, ip: host, port, flags: self.flags ?? 'master', 'config-epoch': self.epoch }));
  };
  const answer = (socket, [verb, ...args]) => {
    const command = verb.toUpperCase();
    const refusal = self.refuses[command] ?? self.refuses[args[0]?.toUpperCase()];
    if (refusal) return `-${refusal}\r\n`;
    if (command === 'SENTINEL') return sentinel(args[0].toUpperCase(), args.slice(1));
    if (command === 'SUBSCRIBE') {
      sockets.set(socket, args);
      return args.map((one, i) => `*3\r\n${bulk('subscribe')}${bulk(one)}:${i + 1}\r\n`).join('');
    }
    if (command === 'PING') return sockets.get(socket) ? array(['pong', '']) : '+PONG\r\n';
    return '+OK\r\n';
  };
  const server = net.createServer((socket) => {
    let text = '';
    sockets.set(socket, null);
    socket.setEncoding('latin1');
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
    socket.on('data', (data) => {
      text += data;
      for (let taken; text && (taken = takeCommand(text)); text = taken.rest) {
        self.asked.push(taken.words.join(' '));
        if (!self.silent) socket.write(answer(socket, taken.words));
      }
    });
    socket.unref();
  });
  server.unref();
  self.port = await freePort();
  self.open = () => new Promise((resolve) => server.listen(self.port, '127.0.0.1', resolve));
  self.close = () => {
    server.close();
    for (const socket of sockets.keys()) socket.destroy();
  };
  self.publish = (channel, text) => {
    for (const [socket, channels] of sockets) {
      if (channels?.includes(channel)) socket.write(array(['message', channel, text]));
    }
  };
  self.announce = (from, to) => {
    const [a, b] = [place(from), place(to)];
    self.publish('+switch-master', `${self.name} ${a.host} ${a.port} ${b.host} ${b.port}`);
  };
  self.hears = () => [...sockets.values()].some((channels) => channels);
  self.url = `redis+sentinel://127.0.0.1:${self.port}/${name}`;
  await self.open();
  return self;
}

export const urlOf = (...sentinels) =>
  `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${sentinels[0].name}`;
