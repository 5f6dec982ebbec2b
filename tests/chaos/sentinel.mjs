// A master and its replica, and three Sentinels that decide which is which.

import { sleep, until } from '../blackbox/lib/harness.mjs';
import { field, masterPort, role, sentinelCluster } from '../blackbox/lib/sentinels.mjs';
import { DEATHS, isLevel as level, planned, survivors } from './deaths.mjs';
import { COMMON } from './faults.mjs';
import { isLevel, persistent, REDIS, World } from './world.mjs';

const DOWN_AFTER_MS = 2000;
const NEWS_MS = 500;
const PROMOTION = { timeout: 60000, what: 'the Sentinels name another master' };
const KNOWN = { timeout: 60000, what: 'every Sentinel knows all the others' };

export class Sentinels extends World {
  async startServers() {
    this.all = await sentinelCluster({
      redis: REDIS,
      sentinel: { downAfter: DOWN_AFTER_MS, failoverTimeout: 3000 },
    });
    this.servers = this.all.servers.map(persistent);
    this.sentinels = this.all.sentinels;
    this.target = { url: this.all.url, servers: [...this.servers, ...this.sentinels] };
    this.master = this.servers[0];
  }

  stopServers() {
    return this.all?.stop();
  }

  masters() {
    return [this.master];
  }

  async leaders() {
    const ports = await Promise.all(this.sentinels.map((one) => masterPort(one)));
    const [port] = ports.filter((one, i) => ports.indexOf(one) !== i);
    this.master = this.servers.find((one) => one.port === port) ?? this.master;
    return [this.master];
  }

  masterOf() {
    return this.master;
  }

  shards() {
    return [0];
  }

  shardOf() {
    return 0;
  }

  masterOfShard() {
    return this.master;
  }

  pickMaster() {
    return this.master;
  }

  leaderOf() {
    return this.master;
  }

  replicaOf(master) {
    return this.servers.find((one) => one !== master);
  }

  key(name, part) {
    return `sluice:{${name}}:${part}`;
  }

  onlineKeys() {
    return [{ master: this.master, key: 'sluice:online' }];
  }

  async promoted(old) {
    const next = this.replicaOf(old);
    const isNamed = async (sentinel) => (await masterPort(sentinel)) === next.port;
    const all = async () => (await Promise.all(this.sentinels.map(isNamed))).every(Boolean);
    await until(async () => (await all()) && (await role(next)) === 'master', PROMOTION);
    this.master = next;
    return next;
  }

  // The one that was master is a replica: the Sentinels see to it after 8 s, or an operator.
  async returned(old, random) {
    if (random.chance(0.6)) await old.cli('REPLICAOF', '127.0.0.1', this.master.port);
    await until(async () => (await role(old)) === 'slave', { timeout: 60000, what: 'a replica' });
  }

  async failover(old, random) {
    const [next, asked] = [this.replicaOf(old), random.pick(this.sentinels)];
    // A Sentinel that is at it refuses the order; one that gave it up takes it. That can be after
    // the replica became a master, which is undone then.
    const leads = async () => {
      if ((await masterPort(asked)) === next.port) return true;
      await asked.cli('SENTINEL', 'FAILOVER', this.all.name);
      return false;
    };
    await until(leads, { ...PROMOTION, every: 1000 });
    await this.promoted(old);
    await until(async () => (await role(old)) === 'slave', { timeout: 60000, what: 'a replica' });
  }

  async isLevel() {
    const replica = this.replicaOf(this.master);
    if ((await role(this.master)) !== 'master') return false;
    if (!(await isLevel(replica, this.master))) return false;
    return (await Promise.all(this.sentinels.map((one) => this.#isWhole(one)))).every(Boolean);
  }

  // This Sentinel sees nobody down.
  async #isWhole(sentinel) {
    const { name } = this.all;
    const master = await sentinel.cli('SENTINEL', 'MASTER', name);
    const replicas = await sentinel.cli('SENTINEL', 'REPLICAS', name);
    const others = await sentinel.cli('SENTINEL', 'SENTINELS', name);
    // `master_down` is what another one said last. Valkey's do not ask again once the master is up.
    const flags = (text) =>
      text.replaceAll(',master_down', '').split('\n').filter((_, i, all) => all[i - 1] === 'flags');
    return (
      Number(field(master, 'port')) === this.master.port &&
      flags(master).join() === 'master' &&
      flags(replicas).join() === 'slave' &&
      flags(others).join() === 'sentinel,sentinel'
    );
  }
}

const some = (list, count, random) => {
  const left = [...list];
  return Array.from({ length: count }, () => {
    const one = random.pick(left);
    left.splice(left.indexOf(one), 1);
    return one;
  });
};

const OWN = [
  {
    // Alone, since a node that does not hear the Sentinels lets go of the old master too late.
    name: 'planned failover',
    weight: 36,
    needs: 'redis',
    alone: true,
    run: (where) => whole(where, 1),
  },
  {
    name: 'planned failover and back',
    weight: 18,
    needs: 'redis',
    alone: true,
    run: (where) => whole(where, 2),
  },
  {
    name: 'Sentinels killed, restarted',
    weight: 12,
    needs: 'redis',
    async run({ world, random }) {
      const gone = some(world.sentinels, random.pick([1, 1, 2, 3]), random);
      for (const one of gone) {
        await one.kill();
        await sleep(random.between(0, 500));
      }
      await sleep(random.between(0, 4000));
      for (const one of gone) await one.restart();
      await until(() => world.isLevel(), KNOWN);
    },
  },
  {
    name: 'a Sentinel stands still',
    weight: 6,
    needs: 'redis',
    async run({ world, random }) {
      const one = random.pick(world.sentinels);
      one.pause();
      await sleep(random.between(500, 4000));
      one.resume();
      await until(() => world.isLevel(), KNOWN);
    },
  },
];

// When this server was made the master, by its own log.
function promotedAt(redis) {
  const all = [...redis.log().matchAll(/^\d+:\w (.*) \* (?:MASTER|PRIMARY) MODE enabled/gm)];
  return Date.parse(all.at(-1)?.[1]);
}

// The nodes hear of it before the replica is promoted, but on a busy machine a little later. What
// they acknowledge in that time is lost, and nothing else. What they do not acknowledge any more
// may have been heard, and is sent again.
async function whole(where, times) {
  const { world, ledger } = where;
  await level(world);
  for (let i = 0; i < times; i++) {
    const since = Date.now();
    const loss = ledger.erased({ from: since, since, kept: () => -1, unacked: true });
    await planned(where);
    loss.at = Date.now();
    const from = promotedAt(world.master);
    const late = ledger.erased({ from, at: from + NEWS_MS, since, unacked: world.wait });
    late.held = loss.held;
    await survivors(where, late, since);
    loss.kept = late.kept;
  }
}

export const sentinel = {
  World: Sentinels,
  FAULTS: [...COMMON, ...DEATHS, ...OWN],
  most: 6,
  between: [200, 2500],
};
