// The world in which the faults happen: nodes that each reach Redis through a proxy of their own,
// and what is the same for one master, Sentinels and a Cluster. The addresses stay the same over
// all restarts and failovers.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { sleep, startNode, until } from '../blackbox/lib/harness.mjs';
import { startProxy } from '../blackbox/lib/proxy.mjs';

export const TIMES = { lease: 2000, sweep: 400, redis: 1000 }; // ms
const ARGS = ['--lease-timeout', '2s', '--lease-interval', '400ms', '--redis-timeout', '1s'];
// A crowd that talks fast (crowd.mjs) fills a log while somebody is away.
export const HISTORY = process.env.FAST === '1' ? 200000 : 5000;
const NODE_ARGS = [...ARGS, '--drain', '500ms', '--history-max', `${HISTORY}`];
const WAIT_ARGS = ['--redis-wait', '1:1000'];
export const REDIS = { appendfsync: 'always', config: { 'repl-diskless-sync-delay': 0 } };
export const LEVEL_MS = 20000; // by then a replica has what its master has

const runs = (node) => {
  try {
    return process.kill(node.pid, 0);
  } catch {
    return false;
  }
};

// A server whose cli() and ask() repeat a command when a fault has killed its connection, while the
// Cluster is down, or the server loads its data; the command may have been done.
const AGAIN = /closed the connection|closed before|reset by peer|ECONNRESET|CLUSTERDOWN|LOADING/;
const TRIES = 50;
export function persistent(redis) {
  const repeated = (once) => {
    const again = async (tries, command) => {
      try {
        const answer = await once(...command);
        const down = Array.isArray(answer) && answer.find((one) => one instanceof Error);
        if (!down || !AGAIN.test(down.message) || tries === 0) return answer;
      } catch (error) {
        if (tries === 0 || !AGAIN.test(error.message)) throw error;
      }
      await sleep(100);
      return again(tries - 1, command);
    };
    return (...command) => again(TRIES, command);
  };
  redis.cli = repeated(redis.cli.bind(redis));
  redis.ask = repeated(redis.ask.bind(redis));
  return redis;
}

// The place of one node: its address and its way to Redis, whichever process is there.
class Slot {
  node = null;
  #world;
  #lives = 0;

  constructor(world, name, proxy) {
    this.#world = world;
    this.name = name;
    this.proxy = proxy;
  }

  async start() {
    const { name, proxy } = this;
    const port = this.node?.port ?? 0;
    this.#lives++;
    const { shown, wait } = this.#world;
    const args = wait ? [...NODE_ARGS, ...WAIT_ARGS] : NODE_ARGS;
    this.node = await startNode({ redis: proxy.url, id: name, port, args, ready: false, shown });
    this.url = this.node.url;
    this.up = true;
  }

  async end(how) {
    if (!runs(this.node)) this.#world.finding('crash', `${this.name} has ended by itself`);
    this.up = false;
    await this.node[how]().catch((error) => this.#world.finding('crash', error.message));
    this.keepLog();
  }

  keepLog() {
    const file = path.join(this.#world.logs, `${this.name}.${this.#lives}.log`);
    fs.writeFileSync(file, this.node.log());
  }

  async ready() {
    const { status, body } = await this.node.get('/readyz', { timeout: 1000 });
    return status === 200 && !body.includes('degraded');
  }
}

/*
 * Options: nodes; wait: they wait for a replica; shown: their logs are shown if the process fails.
 * Has: slots; logs, a directory; finding(kind, text), which the owner sets. Each kind of world has
 *   startServers()   and sets servers, and target, to which the proxies lead
 *   stopServers()
 *   masters()        of the moment; leaders() looks who they are, in case that nobody has told
 *   masterOf(name)   the one that has this channel or user now
 *   shardOf(name)    a name for the servers that have it; they fail together
 *   key(name, part)  of Redis
 *   onlineKeys()     [{ master, key }]: together they have all users that are online
 */
export class World {
  slots = [];
  finding = () => {};
  logs = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-chaos-'));

  constructor({ nodes = 3, wait = false, shown = false } = {}) {
    Object.assign(this, { count: nodes, wait, shown });
  }

  async start() {
    await this.startServers();
    for (let i = 1; i <= this.count; i++) {
      this.slots.push(new Slot(this, `n${i}`, await startProxy(this.target)));
    }
    await Promise.all(this.slots.map((slot) => slot.start()));
    await until(() => this.allReady(), { timeout: 20000, what: 'all nodes are ready' });
  }

  async leaders() {
    return this.masters();
  }

  async allReady() {
    const ready = await Promise.all(this.slots.map((slot) => slot.up && slot.ready()));
    return ready.every(Boolean);
  }

  /*
   * Who is there, as Redis says: { online, here } (lists of users; here: in this room) and conns
   * (user → how many connections).
   */
  async presence(users, room) {
    const [online, here] = [[], []];
    const conns = new Map();
    const all = await this.onlineKeys();
    const list = (master, key, into) => ({ master, words: ['ZRANGE', key, 0, -1], into });
    const questions = [
      ...all.map(({ master, key }) => list(master, key, online)),
      list(await this.masterOf(room), this.key(room, 'here'), here),
    ];
    for (const user of users) {
      const name = `user:${user}`;
      const words = ['HLEN', this.key(name, 'conns')];
      questions.push({ master: await this.masterOf(name), words, user });
    }
    const answered = [...new Set(questions.map(({ master }) => master))].map(async (master) => {
      const some = questions.filter((one) => one.master === master);
      const replies = await master.ask(...some.map(({ words }) => words));
      some.forEach(({ into, user }, i) => {
        if (replies[i] instanceof Error) throw replies[i];
        if (into) into.push(...replies[i]);
        else conns.set(user, replies[i]);
      });
    });
    await Promise.all(answered);
    return { online, here, conns };
  }

  // No node reaches Redis any more.
  cutOff(off) {
    for (const { proxy } of this.slots) {
      proxy.refusing = off;
      if (off && proxy.links().length) proxy.cut();
    }
  }

  // Ends all of it. `keep`: the logs stay.
  async stop(keep) {
    await Promise.all(this.slots.map((slot) => slot.node && slot.end('stop')));
    for (const slot of this.slots) slot.proxy.close();
    await this.stopServers?.();
    for (const redis of this.servers ?? []) {
      fs.writeFileSync(path.join(this.logs, `redis-${redis.port}.log`), redis.log());
    }
    if (!keep) this.forget();
  }

  // Removes the logs.
  forget() {
    fs.rmSync(this.logs, { recursive: true, force: true });
  }
}

export async function info(redis) {
  const out = {};
  for (const line of (await redis.cli('INFO')).split('\n')) {
    const [key, value] = line.trim().split(':');
    out[key] = value;
  }
  return out;
}

// The replica has all that its master has, on disk, too.
export async function isLevel(replica, master) {
  const [here, there] = await Promise.all([info(replica), info(master)]);
  return (
    here.master_link_status === 'up' &&
    here.master_sync_in_progress === '0' &&
    here.aof_rewrite_in_progress === '0' &&
    here.aof_rewrite_scheduled === '0' &&
    Number(there.master_repl_offset) - Number(here.slave_repl_offset) < 1000
  );
}

// What the server's log of a channel has: [{ seq, epoch, time (ms),
// text }], the newest first.
export async function entries(redis, key, most = 1000) {
  const [all] = await redis.ask(['XREVRANGE', key, '+', '-', 'COUNT', most]);
  if (all instanceof Error) throw all;
  return all.map(([id, [, text]]) => ({
    seq: parseInt(id, 10),
    time: Number(text.match(/"time":(\d+)/)[1]) / 1000,
    epoch: text.match(/"epoch":"?([^",]+)/)[1],
    text,
  }));
}
