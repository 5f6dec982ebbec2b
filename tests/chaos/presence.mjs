// Compares the users that Redis and the clients take for online with those that are.

import { sleep } from '../blackbox/lib/harness.mjs';
import { PATIENCE } from '../blackbox/lib/waiting.mjs';
import { TIMES } from './world.mjs';

const LINK_LINE = /^time=(\S+) level=\w+ event=redis_(?:lost|down|up|master|slot|failover)\b/gm;

// How long presence may take to become right: a lease that stands still must be seen from one sweep
// to another, and then the user goes.
export const PRESENCE_MS = TIMES.lease + 2 * TIMES.sweep;
const STILL_MS = 60000 * PATIENCE;

// True if the node's link to Redis fell or came up in that time; then announcements may be missing.
const linkFell = ({ node }, from, to = Infinity) =>
  [...node.log().matchAll(LINK_LINE)].some(([, time]) => {
    const when = Date.parse(time);
    return when >= from && when <= to;
  });

export class Presence {
  counts = { announcements: 0, twice: 0, checks: 0, probes: 0, slowest: 0 };
  #crowd;
  #visitors;
  #probe;
  #going = true;
  #moving = true;
  #living;

  // visitors: devices that come and go; probe: one that is out.
  constructor(crowd, visitors, probe) {
    this.#crowd = crowd;
    this.#visitors = visitors;
    this.#probe = probe;
    crowd.onAnnouncement = (device, change) => this.#announced(device, change);
    this.#living = this.#move();
  }

  async end() {
    this.#going = false;
    await this.#living;
  }

  hold() {
    this.#moving = false;
  }

  release() {
    this.#moving = true;
    for (const visitor of this.#visitors) visitor.stays = false;
  }

  async #move() {
    const { random } = this.#crowd;
    while (this.#going) {
      await sleep(random.between(50, 300));
      if (!this.#moving) continue;
      const visitor = random.pick(this.#visitors);
      if (visitor.stays) continue;
      visitor.wantIn = !visitor.wantIn;
      if (!visitor.wantIn && random.chance(0.3)) visitor.cut();
    }
  }

  // No device is coming or going.
  isStill() {
    return this.#crowd.devices.every((device) => device.wantIn === device.isIn);
  }

  #expected() {
    const users = new Map();
    for (const { user, isIn } of this.#crowd.devices) {
      if (isIn) users.set(user, (users.get(user) ?? 0) + 1);
    }
    return users;
  }

  // Tells as text what is not right; null: all is right.
  async wrong() {
    const { world, devices, csId } = this.#crowd;
    const users = this.#expected();
    const all = [...new Set(devices.map(({ user }) => user))].sort();
    const { online, here, conns } = await world.presence(all, `room:room-${csId}`);
    const inside = [...users.keys()].sort().join(' ');
    const text = (list) => list.sort().join(' ');
    if (text(online) !== inside) return `online are ${text(online)}, but in are ${inside}`;
    if (text(here) !== inside) return `here are ${text(here)}, but in are ${inside}`;
    for (const [user, count] of conns) {
      const right = users.get(user) ?? 0;
      if (count !== right) return `${user} has ${count} connections, not ${right}`;
    }
    for (const device of devices) {
      const roster = device.roster && [...device.roster].sort().join(' ');
      if (device.isIn && roster !== inside) return `${device.name} sees ${roster}, not ${inside}`;
    }
    return null;
  }

  // Waits until presence is right; timed from `since`, or from when the last device came or went.
  async check(since, patience) {
    const begin = Date.now();
    let still = since;
    this.counts.checks++;
    for (;;) {
      if (!this.isStill()) still = Date.now();
      const wrong = await this.wrong().catch((error) => error.message);
      const took = Date.now() - still;
      if (!wrong && took > 0) {
        this.counts.slowest = Math.max(this.counts.slowest, took);
        return;
      }
      if (took > PRESENCE_MS + patience || Date.now() - begin > STILL_MS) {
        const why = took > PRESENCE_MS ? wrong : 'people still come and go';
        this.#crowd.ledger.finding('presence', `after ${took} ms: ${why}`);
        return;
      }
      await sleep(50);
    }
  }

  // One user comes and goes while nothing else happens: each device is told once of each.
  async probe(patience) {
    const { devices } = this.#crowd;
    const probe = this.#probe;
    const others = devices.filter((device) => device.isIn && device.user !== probe.user);
    this.counts.probes++;
    for (const event of ['user_online', 'user_offline']) {
      others.forEach((device) => (device.announced = []));
      const seen = (device) => device.announced.filter((one) => one.user === probe.user);
      probe.wantIn = event === 'user_online';
      const begin = Date.now();
      while (!others.every((one) => seen(one).length) && Date.now() - begin < patience) {
        await sleep(20);
      }
      await sleep(50);
      for (const device of others) {
        const events = seen(device).map((one) => one.event);
        const whole = device.isIn && device.inSince < begin && !linkFell(device.slot, begin - 500);
        if (events.join() === event || !whole) continue;
        const text = `${device.name} on ${device.slot.name} heard [${events}] of ${probe.user}`;
        this.#crowd.ledger.finding('presence', `${text}, not one ${event}`, device);
      }
    }
  }

  // The same event was told twice, though the node's link was up all the time.
  #announced(device, { event, user, last, at }) {
    this.counts.announcements++;
    if (last?.event !== event || user === device.user) return;
    const { slot } = device;
    const from = last.at - 2000;
    const fell = linkFell(slot, from, at + 100);
    const erased = this.#crowd.ledger.losses.some((loss) => loss.at >= from);
    if (fell || erased) return;
    this.counts.twice++;
    const twice = `${event} of ${user} twice, ${at - last.at} ms apart`;
    const text = `${device.name} on ${slot.name} heard ${twice}`;
    this.#crowd.ledger.finding('presence', text, device);
  }
}
