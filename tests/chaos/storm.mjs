// Storms of faults, some at a time, and after each the calm in which everything must be right:
// every message acknowledged and received, presence exact.

import { sleep, until } from '../blackbox/lib/harness.mjs';
import { PATIENCE } from '../blackbox/lib/waiting.mjs';
import { Crowd } from './crowd.mjs';
import { cluster } from './cluster.mjs';
import { LAG_MS, survivors } from './deaths.mjs';
import { Ledger } from './ledger.mjs';
import { randomOf } from './random.mjs';
import { sentinel } from './sentinel.mjs';
import { single } from './single.mjs';
import { entries, HISTORY } from './world.mjs';

// Of each: World, FAULTS, the most faults in a storm, and how many ms lie between two.
export const TOPOLOGIES = { single, sentinel, cluster };

const HEAL_MS = 30000 * PATIENCE;
const IDS = /\bu\d+\/(?:r|p-u\d+)\/\d+/g; // of messages
const SETTLE_MS = 15000; // by then all that was sent in a calm, and is not lost, has come
const PATIENCE_MS = 6000 * PATIENCE; // beyond what presence may take, on a busy machine
const LOOK_MS = 500;
const LONG_EVERY = 40; // so many faults: one that lasts up to 10 s

/*
 * Options: topology: a name of TOPOLOGIES; wait: nodes wait for a replica (redis-wait); seed;
 * seconds, faults: ends after so long or so many (0: no limit); has: parts of names, of which one
 * fault each is among so many; untilFinding: or with the first storm that found something; only:
 * part of the names of faults; shown: the nodes' logs are, if the
 * process fails; onFinding, onFault, for a report. Has: done, the faults so far ({ name, slot,
 * begin, over, acked, healed }); running; ledger; crowd; world.
 */
export class Storm {
  done = [];
  running = new Set();
  #options;
  #topology;
  #random;
  #taken = new Set();
  #begin = Date.now();
  #looking;
  #leaders = { ports: '', at: 0 };
  #untilLong = LONG_EVERY;

  constructor(options) {
    this.#options = options;
    this.#random = randomOf(options.seed);
    this.ledger = new Ledger();
    this.ledger.onFinding = options.onFinding ?? (() => {});
    this.#topology = TOPOLOGIES[options.topology ?? 'single'];
    if (!this.#topology) throw new Error(`TOPOLOGY is one of ${Object.keys(TOPOLOGIES).join()}`);
    this.faults = this.#topology.FAULTS.filter(({ name }) => name.includes(options.only ?? ''));
    if (!this.faults.length) throw new Error(`no fault has "${options.only}" in its name`);
  }

  get seconds() {
    return (Date.now() - this.#begin) / 1000;
  }

  async run() {
    try {
      await this.#begins();
      while (!this.#isOver()) {
        await this.#storm();
        await this.#calm();
      }
    } finally {
      clearInterval(this.#looking);
      await this.crowd?.end();
      await this.world?.stop(this.ledger.findings.length > 0);
    }
  }

  async #begins() {
    const { shown, wait } = this.#options;
    const world = new this.#topology.World({ shown, wait });
    this.world = world;
    await world.start();
    this.world.finding = (kind, text) => this.ledger.finding(kind, text);
    this.crowd = new Crowd(world, this.ledger, randomOf(this.#random.seed()));
    await this.crowd.start();
    this.ledger.devices = this.crowd.devices;
    this.ledger.shardOf = (channel) => world.shardOf(channel);
    this.ledger.recordOf = async (channel) => {
      // The master may be another one by the time it is asked.
      const read = async () => entries(await world.masterOf(channel), world.key(channel, 'log'), HISTORY + 1000);
      const all = await until(read, { every: 200, what: `the log of ${channel} is read` });
      const ids = new Set(all.flatMap(({ text }) => text.match(IDS) ?? []));
      return { has: (id) => ids.has(id), from: all.at(-1)?.seq ?? 0, all };
    };
    const allIn = () => this.crowd.presence.isStill();
    await until(allIn, { timeout: 30000, what: 'everybody is in' });
    this.crowd.talk();
    this.#begin = Date.now();
    this.#leaders = await this.#look();
    this.#looking = setInterval(() => this.#surprise().catch(() => {}), LOOK_MS);
  }

  async #look() {
    const at = Date.now();
    const ports = (await this.world.leaders()).map(({ port }) => port);
    return { ports: ports.sort().join(), at };
  }

  // A machine that is too busy takes a master for dead. That is no fault of the storm, but is
  // judged as a death.
  async #surprise() {
    if (this.#taken.has('redis')) return;
    const before = this.#leaders;
    const now = await this.#look();
    if (this.#taken.has('redis') || before !== this.#leaders) return;
    this.#leaders = now;
    if (now.ports === before.ports) return;
    const { world, crowd, ledger } = this;
    const [since, unacked] = [before.at - LAG_MS, world.wait];
    const loss = ledger.erased({ from: since - LAG_MS, since, at: Date.now() + LAG_MS, unacked });
    await survivors({ world, crowd }, loss, since);
    const [begin, over] = [before.at, now.at];
    const fault = { name: 'a failover by itself', begin, over, acked: -1, healed: -1 };
    this.done.push(fault);
    this.#time(fault);
  }

  #isOver() {
    const { seconds, faults, has = [], untilFinding } = this.#options;
    if (untilFinding && this.ledger.findings.length) return true;
    if (seconds && this.seconds >= seconds) return true;
    const was = (part) => this.done.some(({ name }) => name.includes(part));
    return Boolean(faults) && this.done.length >= faults && has.every(was);
  }

  async #storm() {
    const random = this.#random;
    const { most, between } = this.#topology;
    const size = 1 + Math.floor(random.between(0, most));
    const under = [];
    for (let i = 0; i < size && !this.#isOver(); i++) {
      const fault = this.#next();
      if (fault) under.push(this.#inflict(fault));
      await sleep(random.between(...between));
    }
    await Promise.all(under);
  }

  // A fault whose needs are free, or null.
  #next() {
    const { world } = this;
    const random = this.#random;
    const running = [...this.running];
    if (running.some(({ alone }) => alone)) return null;
    const isFree = ({ needs, alone }) => !(alone && running.length) && !this.#taken.has(needs);
    const free = this.faults.filter(isFree);
    if (!free.length) return null;
    const fault = random.weighed(free);
    const slot = random.pick(world.slots);
    const need = fault.needs === 'node' ? slot.name : fault.needs;
    if (need && this.#taken.has(need)) return null;
    if (need) this.#taken.add(need);
    return { ...fault, slot, need };
  }

  async #inflict({ name, run, slot, need, alone }) {
    const { world, crowd, ledger } = this;
    const random = randomOf(this.#random.seed());
    const long = --this.#untilLong <= 0;
    if (long) this.#untilLong = LONG_EVERY;
    const where = need && need !== 'redis' ? slot.name : undefined;
    const fault = { name, begin: Date.now(), over: 0, acked: -1, healed: -1, slot: where, alone };
    this.running.add(fault);
    try {
      await run({ world, crowd, ledger, random, slot, long });
      if (need === 'redis') this.#leaders = await this.#look();
    } catch (error) {
      ledger.finding('harness', `${name}: ${error.stack}`);
    }
    fault.over = Date.now();
    this.running.delete(fault);
    this.#taken.delete(need);
    this.done.push(fault);
    this.#time(fault);
  }

  // How long until every talker has had an acknowledgement after it, and until every listener has
  // something that was sent after it.
  async #time(fault) {
    const deadline = fault.over + HEAL_MS;
    const look = () => {
      if (fault.acked < 0 && this.crowd.isAcked(fault.over)) fault.acked = Date.now() - fault.over;
    };
    while (!this.crowd.isFresh(fault.over)) {
      look();
      if (Date.now() > deadline) {
        this.ledger.finding('unhealed', `${fault.name} is not healed after ${HEAL_MS} ms`);
        return;
      }
      await sleep(10);
    }
    look();
    fault.healed = Date.now() - fault.over;
    this.#options.onFault?.(fault);
  }

  async #calm() {
    const { presence } = this.crowd;
    presence.hold();
    const over = Date.now();
    await Promise.all([this.#settle(over), presence.check(over, PATIENCE_MS)]);
    await presence.probe(PATIENCE_MS);
    presence.release();
  }

  async #settle(over) {
    const { crowd, ledger } = this;
    const healed = () => this.done.every((fault) => fault.healed >= 0) && crowd.isFresh(over);
    await until(healed, { timeout: HEAL_MS + 5000, what: 'all is healed' }).catch(() => {});
    crowd.hush(true);
    await until(() => ledger.isSettled(), { timeout: SETTLE_MS, what: 'settled' }).catch(() => {});
    await ledger.judge();
    for (const channel of crowd.channels()) {
      const { all } = await ledger.recordOf(channel);
      ledger.judgeLog(channel, all.reverse().flatMap(({ text }) => text.match(IDS) ?? []));
    }
    await crowd.judgeUnread(PATIENCE_MS);
    crowd.hush(false);
  }
}
