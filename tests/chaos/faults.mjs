// The faults that every kind of world has. A fault has a name, a weight (how often it is chosen),
// the thing that it needs for itself while it lasts ('redis', 'node' or nothing), and run(where),
// which returns when the fault is over. From then on its healing is timed. alone: no other fault may
// run meanwhile. where: { world, crowd, ledger, random, slot, long }.

import { sleep, until } from '../blackbox/lib/harness.mjs';

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

// A command to each master; one may be down because of another fault.
const told =
  (...command) =>
  async ({ world }) => {
    const masters = await until(() => world.masters(), { what: 'the masters are known' });
    for (const master of masters) await master.cli(...command).catch(() => {});
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

export const COMMON = [
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
  {
    name: 'Redis full (noeviction)',
    weight: 4,
    needs: 'redis',
    async run({ world, random }) {
      const master = random.pick(await world.masters());
      await master.cli('CONFIG', 'SET', 'maxmemory', 1);
      await sleep(random.between(200, 2000));
      await master.cli('CONFIG', 'SET', 'maxmemory', 0);
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
  {
    name: 'links to Redis cut one by one',
    weight: 4,
    needs: 'node',
    async run({ slot, random }) {
      if (slot.proxy.links().length) await slot.proxy.cutEach(() => sleep(random.between(5, 150)));
    },
  },
  {
    name: 'all links to Redis cut',
    weight: 3,
    async run({ world }) {
      for (const { proxy } of world.slots) if (proxy.links().length) proxy.cut();
    },
  },
];
