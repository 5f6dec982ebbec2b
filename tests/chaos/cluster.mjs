// A Redis Cluster of three masters with a replica each.

import { startCluster } from '../blackbox/lib/cluster.mjs';
import { sleep, until } from '../blackbox/lib/harness.mjs';
import { DEATHS, isLevel as level, planned, unplanned } from './deaths.mjs';
import { COMMON } from './faults.mjs';
import { isLevel, persistent, REDIS, World } from './world.mjs';

export class Cluster extends World {
  async startServers() {
    this.all = await startCluster({ redis: REDIS, cuttable: true });
    this.servers = this.all.servers.map(persistent);
    this.target = { url: this.all.url, servers: this.servers };
    await sleep(2500); // a master takes no write in its first two seconds
  }

  stopServers() {
    return this.all?.stop();
  }

  masters() {
    return this.all.masters();
  }

  shards() {
    return Array.from({ length: this.all.partitions }, (_, i) => i);
  }

  shardOf(name) {
    return this.all.partition(name);
  }

  masterOfShard(partition) {
    return this.all.masterOf(this.slotOfShard(partition));
  }

  slotOfShard(partition) {
    return this.all.slotOf(`{${this.all.tagOf(partition)}}`);
  }

  masterOf(name) {
    return this.masterOfShard(this.shardOf(name));
  }

  async pickMaster(random) {
    const all = (await this.masters()).sort((a, b) => a.port - b.port);
    return random.pick(all);
  }

  replicaOf(master) {
    return this.all.replicaOf(master);
  }

  // Of the two servers of which this is one.
  async leaderOf(server) {
    const view = await this.all.view();
    const { replicaOf } = view.find((one) => one.server === server);
    return replicaOf ? view.find(({ id }) => id === replicaOf).server : server;
  }

  key(name, part) {
    return this.all.key(name, part);
  }

  async onlineKeys() {
    const keys = this.shards().map(async (partition) => ({
      master: await this.masterOfShard(partition),
      key: `sluice:{${this.all.tagOf(partition)}}online`,
    }));
    return Promise.all(keys);
  }

  // If the masters elect nobody, an operator makes the replica the master.
  promoted(old) {
    const byOperator = () => this.all.failover(old, 'TAKEOVER');
    return this.all.promoted(old, { timeout: 10000 }).catch(byOperator);
  }

  async returned(old) {
    const isReplica = async () => (await this.leaderOf(old)) !== old;
    await until(isReplica, { timeout: 60000, what: 'the old master is a replica' });
    await this.all.untilWell();
  }

  async failover(old) {
    await this.all.failover(old);
    await this.returned(old);
  }

  async isLevel() {
    await this.all.untilWell();
    const pairs = (await this.masters()).map(async (master) =>
      isLevel(await this.replicaOf(master), master),
    );
    return (await Promise.all(pairs)).every(Boolean);
  }
}

// There and back. Each step may last long, so that what is held in the meantime is refused.
async function moved({ world, random }) {
  await level(world);
  const slot = world.slotOfShard(random.pick(world.shards()));
  const from = await world.all.masterOf(slot);
  const others = (await world.masters()).filter((one) => one !== from);
  const to = random.pick(others.sort((a, b) => a.port - b.port));
  const most = random.pick([10, 100, 600]);
  const step = () => sleep(random.between(0, most));
  const bite = random.pick([1, 5, 1000]);
  await world.all.moveSlot(slot, to, { step, bite });
  await sleep(random.between(0, 2000));
  await world.all.moveSlot(slot, from, { step, bite });
  await level(world);
}

const OWN = [
  {
    name: 'planned failover',
    weight: 15,
    needs: 'redis',
    run: (where) => planned(where),
  },
  {
    name: 'planned failover and back',
    weight: 12,
    needs: 'redis',
    async run(where) {
      const old = await planned(where);
      await planned(where, await where.world.leaderOf(old));
    },
  },
  {
    name: 'replica takes over, failed back',
    weight: 9,
    needs: 'redis',
    async run(where) {
      const old = await unplanned(where, {
        tail: true,
        // It stands still, and does this first when it goes on.
        async promote(replica) {
          const takesOver = async () =>
            (await replica.ask(['CLUSTER', 'FAILOVER', 'TAKEOVER']))[0] === 'OK';
          await until(takesOver, { timeout: 20000, what: 'the replica takes over' });
        },
        strike: () => {},
      });
      await planned(where, await where.world.leaderOf(old));
    },
  },
  {
    name: 'master cut off from the others',
    weight: 12,
    needs: 'redis',
    run: (where) =>
      unplanned(where, {
        strike: (old) => where.world.all.cut(old),
        async back(old, mend) {
          await sleep(where.random.between(0, 2000));
          mend();
        },
      }),
  },
  { name: 'a slot moves there and back', weight: 30, needs: 'redis', run: moved },
];

export const cluster = {
  World: Cluster,
  FAULTS: [...COMMON, ...DEATHS, ...OWN],
  most: 6,
  between: [200, 2500],
};
