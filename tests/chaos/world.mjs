// The world in which the faults happen: a master Redis and its replica, and nodes that each reach
// the master through a proxy of their own. The addresses stay the same over all restarts and
// failovers.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { startNode, startRedis, until } from '../blackbox/lib/harness.mjs';
import { startProxy } from '../blackbox/lib/proxy.mjs';

export const TIMES = { lease: 2000, sweep: 400, redis: 1000 }; // ms
const ARGS = ['--lease-timeout', '2s', '--lease-interval', '400ms', '--redis-timeout', '1s'];
const NODE_ARGS = [...ARGS, '--drain', '500ms', '--history-max', '5000'];
const REDIS = { appendfsync: 'always', config: { 'repl-diskless-sync-delay': 0 } };

const runs = (node) => {
  try {
    return process.kill(node.pid, 0);
  } catch {
    return false;
  }
};

// A server whose cli() repeats a command when a fault has killed its connection; the command may
// have been done.
function persistent(redis) {
  const once = redis.cli.bind(redis);
  const again = async (tries, command) => {
    try {
      return await once(...command);
    } catch (error) {
      if (tries === 0 || !/closed the connection/.test(error.message)) throw error;
      return again(tries - 1, command);
    }
  };
  redis.cli = (...command) => again(3, command);
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
    const args = NODE_ARGS;
    const { shown } = this.#world;
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
    return (await this.node.get('/readyz', { timeout: 1000 })).status === 200;
  }
}

/*
 * Has: slots; master, replica (as from startRedis; who is which changes); logs, a directory;
 * finding(kind, text), which the owner sets; and cut off from the nodes:
 *   replication   the proxy between the two servers
 *   isSynced()    the replica has all that the master has, on disk too
 *   promote()     the replica becomes the master; the former one is left as it is
 *   demote(redis) makes that server the replica
 */
class World {
  slots = [];
  finding = () => {};
  logs = fs.mkdtempSync(path.join(os.tmpdir(), 'sluice-chaos-'));

  async start(count) {
    this.master = persistent(await startRedis(REDIS));
    this.replica = persistent(await startRedis(REDIS));
    const world = this;
    const target = {
      url: this.master.url,
      get port() {
        return world.master.port;
      },
    };
    this.replication = await startProxy(target);
    await this.demote(this.replica);
    for (let i = 1; i <= count; i++) {
      this.slots.push(new Slot(this, `n${i}`, await startProxy(target)));
    }
    await Promise.all(this.slots.map((slot) => slot.start()));
    await until(() => this.allReady(), { timeout: 20000, what: 'all nodes are ready' });
  }

  async allReady() {
    const ready = await Promise.all(this.slots.map((slot) => slot.up && slot.ready()));
    return ready.every(Boolean);
  }

  async demote(redis) {
    await redis.cli('REPLICAOF', '127.0.0.1', this.replication.port);
    this.replica = redis;
  }

  async promote() {
    const former = this.master;
    await this.replica.cli('REPLICAOF', 'NO', 'ONE');
    this.master = this.replica;
    return former;
  }

  async isSynced() {
    const [here, there] = await Promise.all([info(this.replica), info(this.master)]);
    return (
      here.master_link_status === 'up' &&
      here.master_sync_in_progress === '0' &&
      here.aof_rewrite_in_progress === '0' &&
      here.aof_rewrite_scheduled === '0' &&
      Number(there.master_repl_offset) - Number(here.slave_repl_offset) < 1000
    );
  }

  // Ends all of it. `keep`: the logs stay.
  async stop(keep) {
    await Promise.all(this.slots.map((slot) => slot.end('stop')));
    for (const slot of this.slots) slot.proxy.close();
    this.replication.close();
    await this.replica.stop();
    await this.master.stop();
    for (const redis of [this.master, this.replica]) {
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

// shown: the nodes' logs are shown if the process fails.
export async function startWorld({ nodes = 3, shown = false } = {}) {
  const world = new World();
  world.shown = shown;
  await world.start(nodes);
  return world;
}
