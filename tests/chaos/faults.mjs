// The faults. A fault has a name, a weight (how often it is chosen), the thing that it needs for
// itself while it lasts ('redis', 'node' or nothing), and run(where), which returns when the fault
// is over. From then on its healing is timed. where: { world, crowd, ledger, random, slot, long }.

import { sleep, until } from '../blackbox/lib/harness.mjs';

const MASTER_MS = 20000;

const redisKilled = async ({ world, random, long }) => {
  await world.master.kill();
  await sleep(random.between(0, long ? 5000 : 1200));
  await world.master.restart();
};

const nodeKilled = async ({ slot, random }, away) => {
  await slot.end('kill');
  await sleep(random.between(0, away));
  await slot.start();
};

// A link fault that lasts for a while.
const strained = async ({ slot, random, long }, field, value) => {
  slot.proxy[field] = value;
  await sleep(random.between(500, long ? 8000 : 2500));
  slot.proxy[field] = 0;
};

const onLinks = (act) => async (where) => {
  const link = where.random.pick(['commands', 'subscriber', 'all']);
  const links = where.slot.proxy.links();
  if (link === 'all' ? links.length : links.includes(link)) act(where, link);
};

const halfOpen = ({ slot, random }, link) =>
  slot.proxy.stall({ link, direction: random.pick(['toNode', 'toRedis', 'both']) });

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

// A command to a Redis that may be down because of another fault.
const told =
  (...command) =>
  ({ world }) =>
    world.master.cli(...command).catch(() => {});

const isSynced = ({ world }) =>
  until(() => world.isSynced(), { timeout: MASTER_MS, every: 100, what: 'the replica is level' });

// Back to a pair: the former master is the replica.
async function again(world, former) {
  if (former.isDown) await former.restart();
  former.isDown = false;
  await world.demote(former);
}

const failoverLosing = async (where) => {
  const { world, ledger, crowd, random } = where;
  await isSynced(where);
  world.replication.stall({ direction: 'toNode' });
  await sleep(random.between(50, 500));
  await world.master.kill();
  world.master.isDown = true;
  const at = Date.now();
  const { replica } = world;
  await replica.cli('REPLICAOF', 'NO', 'ONE');
  // Nothing is written yet, because the nodes' proxies lead to the dead server.
  const kept = await survivors(replica, crowd.channels());
  ledger.erased(at, (channel) => kept.get(channel) ?? 0, crowd.devices);
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

// No node reaches Redis any more.
const cutOff = ({ slots }, off) => {
  for (const { proxy } of slots) {
    proxy.refusing = off;
    if (off && proxy.links().length) proxy.cut();
  }
};

// The master's tail is lost to its replica, which is promoted; the former master follows it and is
// promoted again, without a restart: what it appends now has numbers that it has used before.
const failback = async (where) => {
  const { world, ledger, crowd, random } = where;
  await isSynced(where);
  world.replication.stall({ direction: 'toNode' });
  await sleep(random.between(50, 500));
  cutOff(world, true);
  await sleep(100); // commands that were on their way have reached the master
  const at = Date.now();
  const former = await world.promote();
  const kept = await survivors(world.master, crowd.channels());
  ledger.erased(at, (channel) => kept.get(channel) ?? 0, crowd.devices);
  const isServing = random.chance(0.5); // or no node has ever seen it
  if (isServing) cutOff(world, false);
  await sleep(random.between(50, 1000));
  await again(world, former);
  if (isServing) {
    await failoverWhole(where);
    return;
  }
  await isSynced(where);
  await again(world, await world.promote());
  cutOff(world, false);
};

// Nearly as long as a node takes a client that sent heartbeats for alive without one.
const SILENT_MS = 2900;

// A node's commands come to Redis when the node has new links and has repeated them, or has done
// something else since. Half of the times guests fall silent before, so that their being taken out
// is among those commands, and send heartbeats again as soon as the links are cut.
const orphaned = async ({ crowd, slot, random, long }) => {
  if (!slot.proxy.links().includes('commands')) return;
  const isGuest = (one) =>
    one.beats && one.isIn && one.slot === slot && !crowd.listeners.includes(one);
  const silent = random.chance(0.5) ? crowd.devices.filter(isGuest) : [];
  for (const guest of silent) guest.isMute = guest.stays = guest.wantIn = true;
  if (silent.length) await sleep(SILENT_MS);
  const hold = silent.length ? 1200 : random.between(50, 700);
  const late = random.between(300, long ? 8000 : 3000);
  const links = slot.proxy.links().includes('commands');
  const over = links && slot.proxy.orphan({ link: 'commands', hold, late });
  await sleep(hold);
  for (const guest of silent) guest.isMute = false;
  await over;
};

const flushed = async ({ world, ledger, crowd }) => {
  const script = "redis.call('FLUSHALL') return redis.call('TIME')";
  const [seconds, micros] = (await world.master.cli('EVAL', script, 0)).split('\n').map(Number);
  ledger.erased(seconds * 1000 + Math.floor(micros / 1000), () => 0, crowd.devices);
};

export const FAULTS = [
  {
    name: 'node killed, back at once',
    weight: 5,
    needs: 'node',
    run: (where) => nodeKilled(where, 0),
  },
  {
    name: 'node killed, back later',
    weight: 4,
    needs: 'node',
    run: (where) => nodeKilled(where, where.long ? 10000 : 3000),
  },
  {
    name: 'node told to end (SIGTERM)',
    weight: 5,
    needs: 'node',
    async run({ slot }) {
      await slot.end('stop');
      await slot.start();
    },
  },
  {
    name: 'node stands still (SIGSTOP)',
    weight: 5,
    needs: 'node',
    async run({ slot, random, long }) {
      slot.node.suspend();
      await sleep(long ? 10000 : random.between(300, 3000));
      slot.node.resume();
    },
  },
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
  {
    name: 'Redis full (noeviction)',
    weight: 4,
    needs: 'redis',
    async run({ world, random }) {
      await world.master.cli('CONFIG', 'SET', 'maxmemory', 1);
      await sleep(random.between(200, 2000));
      await world.master.cli('CONFIG', 'SET', 'maxmemory', 0);
    },
  },
  {
    name: 'subscriber links killed',
    weight: 6,
    run: told('CLIENT', 'KILL', 'TYPE', 'pubsub'),
  },
  {
    name: 'command links killed',
    weight: 6,
    run: told('CLIENT', 'KILL', 'TYPE', 'normal'),
  },
  {
    name: 'scripts flushed',
    weight: 4,
    run: told('SCRIPT', 'FLUSH'),
  },
  {
    name: 'link to Redis delayed',
    weight: 4,
    needs: 'node',
    run: (where) => strained(where, 'delay', where.random.between(20, 400)),
  },
  {
    name: 'link to Redis throttled',
    weight: 4,
    needs: 'node',
    run: (where) => strained(where, 'rate', where.random.between(4000, 40000)),
  },
  { name: 'link to Redis half-open', weight: 6, needs: 'node', run: onLinks(halfOpen) },
  {
    name: 'link to Redis reset',
    weight: 6,
    needs: 'node',
    run: onLinks(({ slot }, link) => slot.proxy.cut({ link })),
  },
  { name: 'link to Redis orphaned', weight: 5, needs: 'node', run: orphaned },
  {
    name: "a client's socket cut",
    weight: 10,
    run: async ({ crowd, random }) => random.pick(crowd.talkers).cut(),
  },
  {
    name: "all clients' sockets cut",
    weight: 3,
    run: async ({ crowd }) => crowd.devices.forEach((device) => device.cut()),
  },
  { name: 'failover, nothing lost', weight: 2, needs: 'redis', run: failoverWhole },
  { name: 'failover, its tail lost', weight: 3, needs: 'redis', run: failoverLosing },
  { name: 'failback, a tail lost', weight: 2, needs: 'redis', run: failback },
  { name: 'FLUSHALL', weight: 1, needs: 'redis', run: flushed },
];
