// The random run: nodes, a Redis, members, and the faults that happen to them.

import { startNode, startRedis, sleep, until } from './harness.mjs';
import { startProxy } from './proxy.mjs';
import { randomOf } from '../../chaos/random.mjs';
import { judge } from './recovery-judge.mjs';
import { Member } from './recovery-member.mjs';
import { WAYS } from './socketio.mjs';

const ARGS = [
  ...['--redis-timeout', '1s'],
  ...['--lease-timeout', '1500ms', '--lease-interval', '300ms', '--drain', '300ms'],
  ...['--socketio-ping-interval', '500ms', '--socketio-ping-timeout', '1500ms'],
  ...['--history-max', '1000000'],
];
const NODES = 3;
const REDIS_EVERY_MS = 6000;

// Drops the bytes that are sent to these members (and that they send), and then lets them leave.
async function deadLine({ random }, member, ways) {
  if (!member.door.links().length) return;
  member.door.stall(ways);
  await sleep(random.between(50, 500));
  if (random.chance(0.5)) member.socket.io.engine?.close();
  else member.door.cut();
}

const one = (act) => (storm) => act(storm, storm.random.pick(storm.members));

async function nodeGoes(storm, how) {
  const slot = storm.pickVictim();
  if (!slot) return;
  slot.up = false;
  await slot.node[how]();
  storm.later(async () => {
    await sleep(storm.random.pick([0, 300, 1500]));
    await slot.start();
  });
}

async function nodeStands(storm) {
  const slot = storm.pickVictim();
  if (!slot) return;
  slot.up = storm.random.chance(0.2); // sometimes others still try to reach it
  slot.still = true;
  slot.node.suspend();
  storm.later(async () => {
    await sleep(storm.random.between(300, 4000));
    slot.node.resume();
    storm.woken = Date.now();
    slot.still = false;
    slot.up = true;
  });
}

async function slowly({ random }, { door }) {
  door.rate = random.between(10000, 60000);
  for (let i = 0; i < 3; i++) {
    door.cut();
    await sleep(random.between(50, 600));
  }
  door.rate = 0;
  door.cut();
}

async function shutOut({ random }, { door }) {
  door.refusing = true;
  door.cut();
  await sleep(random.between(100, 1500));
  door.fuse = random.chance(0.5) ? Math.floor(random.between(300, 5000)) : 0;
  door.refusing = false;
  await sleep(400);
  door.fuse = 0;
}

// One node's way to Redis hangs, so that the node has to notice it, or is reset.
async function linkDies(storm, how) {
  const { random } = storm;
  const slot = random.pick(storm.slots.filter(({ up, proxy }) => up && proxy.links().length > 1));
  if (!slot) return;
  const link = random.pick(['commands', 'subscriber', 'all']);
  if (!slot.proxy.links().includes(link) && link !== 'all') return;
  if (how === 'cut') slot.proxy.cut({ link });
  else slot.proxy.stall({ link, direction: random.pick(['toRedis', 'toNode', 'both']) });
  // Its clients leave while it heals.
  storm.later(async () => {
    for (let i = 0; i < 3; i++) {
      await sleep(random.between(0, 1500));
      storm.members.filter(() => random.chance(0.3)).forEach(({ door }) => door.cut());
    }
  });
}

async function linkIsSlow(storm) {
  const { proxy } = storm.random.pick(storm.slots);
  proxy.delay = storm.random.between(20, 300);
  storm.later(async () => {
    await sleep(storm.random.between(300, 1500));
    proxy.delay = 0;
  });
}

const told = (...command) => ({ redis }) => redis.cli(...command);

const FAULTS = [
  { name: 'transport closed', weight: 8, run: one((_, m) => m.socket.io.engine?.close()) },
  { name: 'connection reset', weight: 8, run: one((_, m) => m.door.cut()) },
  {
    name: 'reset inside a frame',
    weight: 12,
    run: one(({ random }, { door }) => {
      if (door.links().length) door.cutInside(Math.floor(random.between(1, 600)));
    }),
  },
  { name: 'all reset', weight: 2, run: (storm) => storm.members.forEach((m) => m.door.cut()) },
  { name: 'dead line', weight: 6, run: one((storm, m) => deadLine(storm, m)) },
  {
    name: 'dead towards the client',
    weight: 8,
    run: one((storm, m) => deadLine(storm, m, { direction: 'toNode' })),
  },
  { name: 'shut out for a while', weight: 6, run: one(shutOut) },
  { name: 'cut while catching up slowly', weight: 4, run: one(slowly) },
  { name: 'node killed', weight: 5, run: (storm) => nodeGoes(storm, 'kill') },
  { name: 'node drained', weight: 3, run: (storm) => nodeGoes(storm, 'stop') },
  { name: 'node stands still', weight: 4, run: nodeStands },
  { name: 'command links killed', weight: 1, redis: true, run: told('CLIENT', 'KILL', 'TYPE', 'normal') },
  { name: 'subscriber links killed', weight: 1, redis: true, run: told('CLIENT', 'KILL', 'TYPE', 'pubsub') },
  { name: 'link to Redis is dead', weight: 2, redis: true, run: (storm) => linkDies(storm, 'stall') },
  { name: 'link to Redis reset', weight: 2, redis: true, run: (storm) => linkDies(storm, 'cut') },
  { name: 'link to Redis delayed', weight: 2, redis: true, run: linkIsSlow },
  { name: 'scripts flushed', weight: 2, redis: true, run: told('SCRIPT', 'FLUSH') },
];

class Slot {
  up = false;
  still = false;

  constructor(storm) {
    this.storm = storm;
  }

  async start() {
    this.proxy ??= await startProxy(this.storm.redis);
    this.node = await startNode({ redis: this.proxy.url, args: ARGS });
    this.up = true;
  }

  async end() {
    await this.node.stop();
    this.proxy.close();
  }
}

/*
 * new Storm({ seed, seconds }); run() resolves when all is over and judged. findings, [{ kind,
 * text }], is what was wrong; comings: how often clients were recovered, and not (…Aside: when Redis
 * was touched); faults: how many of each.
 */
export class Storm {
  findings = [];
  faults = {};
  over = false;
  pace = 60; // ms, at most, between two actions of a member
  slots = [];
  members = [];
  woken = 0; // when a node that was stopped last went on: it then makes its links to Redis again
  #running = new Set();
  #touched = [];

  constructor({ seed, seconds, only }) {
    Object.assign(this, { seconds, random: randomOf(seed) });
    this.chosen = FAULTS.filter(({ name }) => !only || name.includes(only));
  }

  finding(kind, text, member) {
    if (this.findings.length > 20) return;
    this.findings.push({ kind, text: `${text}\n    ${member?.story.join('\n    ') ?? ''}` });
  }

  // True if something happened to Redis at that time or since.
  redisTouched(since) {
    return this.#touched.some((at) => at > since - 1000);
  }

  pickNode() {
    const up = this.slots.filter((slot) => slot.up);
    return this.random.pick(up.length ? up : this.slots).node;
  }

  // A node that may fail, since enough others are well.
  pickVictim() {
    const well = this.slots.filter(({ up, still }) => up && !still);
    return well.length > 1 ? this.random.pick(well) : null;
  }

  later(act) {
    const done = act()
      .catch((error) => this.finding('node', error.stack))
      .finally(() => this.#running.delete(done));
    this.#running.add(done);
  }

  async #begin() {
    this.redis = await startRedis();
    this.slots = Array.from({ length: NODES }, () => new Slot(this));
    await Promise.all(this.slots.map((slot) => slot.start()));
    const users = Array.from({ length: 10 }, (_, i) => `u${i}`);
    // Two of them have a second device; members with one device enter and leave.
    const devices = [...users, 'u0', 'u1'];
    this.members = devices.map((user, i) => {
      const single = i > 1 && i < 10;
      return new Member(this, {
        user,
        name: `${user}-${i}`,
        transports: WAYS[i % 3],
        rooms: ['main', ...(single ? [`side${i % 2}`] : [])],
        topics: ['prices', ...(single ? ['scores'] : [])],
        peers: users.filter((peer) => peer !== user),
        roams: single,
      });
    });
    await Promise.all(this.members.map((member) => member.start()));
  }

  // Redis is left alone for most of the time; recoveries in the other times are counted separately.
  #possible() {
    const calm = Date.now() - (this.#touched.at(-1) ?? 0) > REDIS_EVERY_MS;
    return this.chosen.filter(({ redis }) => calm || !redis || this.chosen.every((one) => one.redis));
  }

  async #rage() {
    const deadline = Date.now() + this.seconds * 1000;
    while (Date.now() < deadline) {
      const fault = this.random.weighed(this.#possible());
      this.faults[fault.name] = (this.faults[fault.name] ?? 0) + 1;
      if (fault.redis) this.#touched.push(Date.now());
      this.members.forEach((member) => member.tell(`-- ${fault.name}`));
      await fault.run(this);
      await sleep(this.random.between(20, 250));
    }
    await Promise.all([...this.#running]);
  }

  async run() {
    await this.#begin();
    const running = this.members.map((member) => member.run());
    await this.#rage();
    this.over = true;
    await Promise.all(running);
    const isIn = (member) => member.socket.connected && member.life.ready;
    await until(() => this.members.every(isIn), { timeout: 30000, what: 'all are in' });
    for (const { text, member } of await judge(this.redis, this.members)) {
      this.finding('judged', text, member);
    }
    this.members.forEach((member) => member.end());
    await Promise.all(this.slots.map((slot) => slot.end()));
    await this.redis.stop();
  }

  get comings() {
    const sum = {};
    for (const { comings } of this.members) {
      for (const [key, n] of Object.entries(comings)) sum[key] = (sum[key] ?? 0) + n;
    }
    return sum;
  }

  get heard() {
    const count = ({ channels }) =>
      [...channels.values()].flat().reduce((n, stretch) => n + stretch.heard.length, 0);
    return this.members.flatMap(({ lives }) => lives).reduce((n, life) => n + count(life), 0);
  }
}
