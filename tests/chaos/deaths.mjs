// How a master goes, on Sentinels and on a Cluster alike: as planned, or not.
//
// What dies unplanned may take with it what it has acknowledged and its replica has not got. A
// master sends to its replica in the turn in which it answers, so that is at most what it
// acknowledged in the last LAG_MS, and what it appended since a fault cut its replica off.

import { sleep, until } from '../blackbox/lib/harness.mjs';
import { entries, LEVEL_MS } from './world.mjs';

export const LAG_MS = 1000;
const IN_FLIGHT_MS = 200; // what a master sent before its death has come to devices

export const isLevel = (world) =>
  until(() => world.isLevel(), { timeout: 3 * LEVEL_MS, every: 100, what: 'replicas are level' });

// Its replica gets nothing more from this master, until the function that is returned lets it go
// on. What was sent before it still takes.
async function cutReplicaOff(world, master, random) {
  const replica = await world.replicaOf(master);
  replica.pause();
  await master.cli('CLIENT', 'KILL', 'TYPE', 'replica');
  await sleep(random.between(50, 500));
  return () => replica.resume();
}

// The shards of which this server is the master.
async function shardsOf(world, master) {
  const all = await world.shards();
  const masters = await Promise.all(all.map((shard) => world.masterOfShard(shard)));
  return new Set(all.filter((_, i) => masters[i] === master));
}

// What the new master has of the old one's appends, for the judge. Its own have another epoch than
// those of the time before the fault.
export async function survivors({ world, crowd }, loss, before) {
  const kept = new Map();
  for (const channel of crowd.channels().filter(loss.has)) {
    const all = await entries(await world.masterOf(channel), world.key(channel, 'log'));
    const last = all.find(({ time }) => time <= before);
    kept.set(channel, all.find(({ epoch }) => epoch === last?.epoch)?.seq ?? 0);
  }
  loss.kept = (channel) => kept.get(channel) ?? 0;
}

/*
 * The master goes by strike(master), and another takes its place; back(master, what strike() gave)
 * brings it back. tail: its replica is cut off before. promote(replica): what makes it the master,
 * if the servers do not see to that themselves.
 */
export async function unplanned(where, { strike, back, tail, promote }) {
  const { world, ledger, random } = where;
  await isLevel(world);
  const old = await world.pickMaster(random);
  const shards = await shardsOf(world, old);
  const replica = await world.replicaOf(old);
  const since = Date.now();
  const unacked = world.wait;
  const from = since - LAG_MS;
  const loss = ledger.erased({ from, since, shards, kept: () => -1, unacked });
  const letGo = tail ? await cutReplicaOff(world, old, random) : () => {};
  const promotion = promote?.(replica);
  const undo = await strike(old);
  const dead = Date.now();
  const lives = old.up || old.paused; // and may acknowledge until it is a replica
  if (!lives) loss.at = dead;
  if (!promote) {
    letGo();
    await sleep(IN_FLIGHT_MS);
  }
  ledger.hold(loss);
  letGo();
  await promotion;
  await world.promoted(old);
  await survivors(where, loss, dead);
  await back?.(old, undo);
  await world.returned(old, random);
  if (lives) loss.at = Date.now();
  await isLevel(world);
  return old;
}

export async function planned({ world, random }, master) {
  await isLevel(world);
  const old = master ?? (await world.pickMaster(random));
  await world.failover(old, random);
  await isLevel(world);
  return old;
}

const kill = { strike: (old) => old.kill(), back: (old) => old.restart() };

const pause = (random) => ({
  strike: (old) => old.pause(),
  async back(old) {
    await sleep(random.between(0, 2000));
    old.resume();
  },
});

// The former master leads again, as planned.
async function restored(where, old) {
  const { world } = where;
  const leader = await world.leaderOf(old);
  if (leader !== old) await planned(where, leader);
}

export const DEATHS = [
  {
    name: 'master killed, back as a replica',
    weight: 15,
    needs: 'redis',
    run: (where) => unplanned(where, kill),
  },
  {
    name: 'master killed, its tail lost',
    weight: 15,
    needs: 'redis',
    run: (where) => unplanned(where, { ...kill, tail: true }),
  },
  {
    name: 'master killed, failed back',
    weight: 9,
    needs: 'redis',
    async run(where) {
      const old = await unplanned(where, { ...kill, tail: where.random.chance(0.5) });
      await restored(where, old);
    },
  },
  {
    name: 'master stands still (SIGSTOP)',
    weight: 12,
    needs: 'redis',
    run: (where) => unplanned(where, pause(where.random)),
  },
  {
    // It runs on, so that what it appends later has numbers that it has used before.
    name: 'master stands still, failed back',
    weight: 12,
    needs: 'redis',
    async run(where) {
      const old = await unplanned(where, { ...pause(where.random), tail: true });
      await restored(where, old);
    },
  },
  {
    name: 'master stands still for a moment',
    weight: 9,
    needs: 'redis',
    async run({ world, random }) {
      const master = await world.pickMaster(random);
      master.pause();
      await sleep(random.between(50, 900));
      master.resume();
    },
  },
  {
    name: 'replica killed, restarted',
    weight: 6,
    needs: 'redis',
    async run({ world, random }) {
      await isLevel(world);
      const replica = await world.replicaOf(await world.pickMaster(random));
      await replica.kill();
      await sleep(random.between(0, 2000));
      await replica.restart();
      await isLevel(world);
    },
  },
];
