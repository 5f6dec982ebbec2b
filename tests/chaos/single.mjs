// One master and its replica, whose places an operator changes. Every node has the same address of
// Redis, which leads to whoever is the master.

import { sleep, startRedis, until } from '../blackbox/lib/harness.mjs';
import { startProxy } from '../blackbox/lib/proxy.mjs';
import { COMMON } from './faults.mjs';
import { isLevel, LEVEL_MS, persistent, REDIS, World } from './world.mjs';

/*
 * Has, beside what every world has: master, replica (as from startRedis; who is which changes), and
 *   replication   the proxy between the two servers
 *   isSynced()    the replica has all that the master has, on disk too
 *   promote()     the replica becomes the master; the former one is left as it is
 *   demote(redis) makes that server the replica
 */
export class Single extends World {
  async startServers() {
    this.master = persistent(await startRedis(REDIS));
    this.replica = persistent(await startRedis(REDIS));
    this.servers = [this.master, this.replica];
    const world = this;
    this.target = {
      url: this.master.url,
      get port() {
        return world.master.port;
      },
    };
    this.replication = await startProxy(this.target);
    await this.demote(this.replica);
    if (this.wait) await until(() => this.isSynced(), { timeout: LEVEL_MS, what: 'a replica' });
  }

  async stopServers() {
    this.replication?.close();
    await this.replica?.stop();
    await this.master?.stop();
  }

  masters() {
    return [this.master];
  }

  masterOf() {
    return this.master;
  }

  shardOf() {
    return 0;
  }

  key(name, part) {
    return `sluice:{${name}}:${part}`;
  }

  onlineKeys() {
    return [{ master: this.master, key: 'sluice:online' }];
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

  isSynced() {
    return isLevel(this.replica, this.master);
  }
}

const redisKilled = async ({ world, random, long }) => {
  await world.master.kill();
  await sleep(random.between(0, long ? 5000 : 1200));
  await world.master.restart();
};

// The last seq of each channel that the server has.
async function survivors(redis, channels) {
  const script = `local out = {}
    for i, channel in ipairs(ARGV) do
      local log = 'sluice:{' .. channel .. '}:log'
      local last = redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1)[1]
      out[i] = last and string.match(last[1], '%d+') or '0'
    end
    return out`;
  const seqs = (await redis.cli('EVAL', script, 0, ...channels)).split('\n');
  return new Map(channels.map((channel, i) => [channel, Number(seqs[i])]));
}

const isSynced = ({ world }) =>
  until(() => world.isSynced(), { timeout: LEVEL_MS, every: 100, what: 'the replica is level' });

// What the replica lacks of what was appended up to now is lost.
async function tailLost({ world, ledger, crowd }, at, replica) {
  const kept = await survivors(replica, crowd.channels());
  ledger.erased({ at, kept: (channel) => kept.get(channel) ?? 0, unacked: world.wait });
}

// Back to a pair: the former master is the replica.
async function again(world, former) {
  if (former.isDown) await former.restart();
  former.isDown = false;
  await world.demote(former);
}

const failoverLosing = async (where) => {
  const { world, random } = where;
  await isSynced(where);
  world.replication.stall({ direction: 'toNode' });
  await sleep(random.between(50, 500));
  await world.master.kill();
  world.master.isDown = true;
  const at = Date.now();
  const { replica } = world;
  await replica.cli('REPLICAOF', 'NO', 'ONE');
  // Nothing is written yet, because the nodes' proxies lead to the dead server.
  await tailLost(where, at, replica);
  const former = await world.promote();
  await again(world, former);
};

const failoverWhole = async (where) => {
  const { world, random } = where;
  await isSynced(where);
  await world.master.cli('CLIENT', 'PAUSE', 10000, 'WRITE');
  await isSynced(where);
  await sleep(50); // now the replica has what the master wrote before the pause
  const former = await world.promote();
  if (random.chance(0.5)) {
    await former.kill();
    former.isDown = true;
  }
  await again(world, former);
  if (random.chance(0.5)) await former.cli('CLIENT', 'UNPAUSE').catch(() => {});
};

// The master's tail is lost to its replica, which is promoted; the former master follows it and is
// promoted again, without a restart: what it appends now has numbers that it has used before.
const failback = async (where) => {
  const { world, random } = where;
  await isSynced(where);
  world.replication.stall({ direction: 'toNode' });
  await sleep(random.between(50, 500));
  world.cutOff(true);
  await sleep(100); // commands that were on their way have reached the master
  const at = Date.now();
  const former = await world.promote();
  await tailLost(where, at, world.master);
  const isServing = random.chance(0.5); // or no node has ever seen it
  if (isServing) world.cutOff(false);
  await sleep(random.between(50, 1000));
  await again(world, former);
  if (isServing) {
    await failoverWhole(where);
    return;
  }
  await isSynced(where);
  await again(world, await world.promote());
  world.cutOff(false);
};

const flushed = async ({ world, ledger }) => {
  const script = "redis.call('FLUSHALL') return redis.call('TIME')";
  const [seconds, micros] = (await world.master.cli('EVAL', script, 0)).split('\n').map(Number);
  ledger.erased({ at: seconds * 1000 + Math.floor(micros / 1000), kept: () => 0 });
};

const FAULTS = [
  ...COMMON,
  { name: 'Redis killed, restarted', weight: 6, needs: 'redis', run: redisKilled },
  {
    name: 'Redis stands still (SIGSTOP)',
    weight: 3,
    needs: 'redis',
    async run({ world, random }) {
      world.master.pause();
      await sleep(random.between(100, 2500));
      world.master.resume();
    },
  },
  {
    name: 'Redis paused (CLIENT PAUSE)',
    weight: 4,
    needs: 'redis',
    async run({ world, random }) {
      const ms = Math.floor(random.between(100, 2000));
      await world.master.cli('CLIENT', 'PAUSE', ms, random.pick(['ALL', 'WRITE']));
      await sleep(ms);
    },
  },
  { name: 'failover, nothing lost', weight: 2, needs: 'redis', run: failoverWhole },
  { name: 'failover, its tail lost', weight: 3, needs: 'redis', run: failoverLosing },
  { name: 'failback, a tail lost', weight: 2, needs: 'redis', run: failback },
  { name: 'FLUSHALL', weight: 1, needs: 'redis', run: flushed },
];

export const single = { World: Single, FAULTS, most: 12, between: [20, 450] };
