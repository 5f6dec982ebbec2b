// Storms of faults, some at a time, and after each the calm in which everything must be right:
// every message acknowledged and received, presence exact.

import { sleep, until } from '../blackbox/lib/harness.mjs';
import { Crowd } from './crowd.mjs';
import { FAULTS } from './faults.mjs';
import { Ledger } from './ledger.mjs';
import { randomOf } from './random.mjs';
import { startWorld } from './world.mjs';

const HEAL_MS = 60000;
const SETTLE_MS = 15000; // by then all that was sent in a calm, and is not lost, has come
const PATIENCE_MS = 6000; // beyond what presence may take: the machine is busy with other things
const STORM_MOST = 12; // faults
const LONG_EVERY = 40; // so many faults: one that lasts up to 10 s

/*
 * Options: seed; seconds, faults: ends after so long or so many (0: no limit); untilFinding: or
 * with the first storm that found something; only: part of the names of faults; shown: the nodes'
 * logs are, if the process fails; onFinding, for a report. Has: done, the faults so far ({ name,
 * slot, begin, over, acked, healed }); running; ledger; crowd; world.
 */
export class Storm {
  done = [];
  running = new Set();
  #options;
  #random;
  #taken = new Set();
  #begin = Date.now();
  #untilLong = LONG_EVERY;

  constructor(options) {
    this.#options = options;
    this.#random = randomOf(options.seed);
    this.ledger = new Ledger();
    this.ledger.onFinding = options.onFinding ?? (() => {});
    this.faults = FAULTS.filter(({ name }) => name.includes(options.only ?? ''));
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
      await this.crowd?.end();
      await this.world?.stop(this.ledger.findings.length > 0);
    }
  }

  async #begins() {
    this.world = await startWorld({ shown: this.#options.shown });
    this.world.finding = (kind, text) => this.ledger.finding(kind, text);
    this.crowd = new Crowd(this.world, this.ledger, randomOf(this.#random.seed()));
    await this.crowd.start();
    const allIn = () => this.crowd.presence.isStill();
    await until(allIn, { timeout: 30000, what: 'everybody is in' });
    this.crowd.talk();
    this.#begin = Date.now();
  }

  #isOver() {
    const { seconds, faults, untilFinding } = this.#options;
    if (untilFinding && this.ledger.findings.length) return true;
    if (seconds && this.seconds >= seconds) return true;
    return Boolean(faults) && this.done.length >= faults;
  }

  async #storm() {
    const random = this.#random;
    const size = 1 + Math.floor(random.between(0, STORM_MOST));
    const under = [];
    for (let i = 0; i < size && !this.#isOver(); i++) {
      const fault = this.#next();
      if (fault) under.push(this.#inflict(fault));
      await sleep(random.between(20, 450));
    }
    await Promise.all(under);
  }

  // A fault whose needs are free, or null.
  #next() {
    const { world } = this;
    const random = this.#random;
    const fault = random.weighed(this.faults);
    const slot = random.pick(world.slots);
    const need = fault.needs === 'node' ? slot.name : fault.needs;
    if (need && this.#taken.has(need)) return null;
    if (need) this.#taken.add(need);
    return { ...fault, slot, need };
  }

  async #inflict({ name, run, slot, need }) {
    const { world, crowd, ledger } = this;
    const random = randomOf(this.#random.seed());
    const long = --this.#untilLong <= 0;
    if (long) this.#untilLong = LONG_EVERY;
    const fault = { name, begin: Date.now(), over: 0, acked: -1, healed: -1, slot: need && slot.name };
    this.running.add(fault);
    try {
      await run({ world, crowd, ledger, random, slot, long });
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
    ledger.judge();
    crowd.hush(false);
  }
}
