// The users of the world: pairs that talk to their room and to one another, second devices that
// only listen, visitors that come and go, and one user whose coming and going is counted.

import { sleep } from '../blackbox/lib/harness.mjs';
import { Device } from './device.mjs';
import { Presence } from './presence.mjs';
import { Talker } from './talker.mjs';

const CS_ID = 'chaos';
const ROOM = `room-${CS_ID}`;
// FAST=1: as fast as the rate limit and one core for the crowd allow.
const FAST = process.env.FAST === '1';
const PACE_MS = FAST ? 10 : 70;
const WINDOWS = FAST ? [1, 32, 8, 16] : [1, 4, 2, 8]; // messages under way, of one talker after the other

const dm = (a, b) => `dm:${[a, b].sort().join(':')}`;

export class Crowd {
  csId = CS_ID;
  devices = []; // all
  listeners = []; // devices that must get every message meant for them
  talkers = []; // devices that send
  #talk = [];

  constructor(world, ledger, random) {
    Object.assign(this, { world, ledger, random });
  }

  // Begins: `pairs` pairs, half of them with a second device on one side.
  async start({ pairs = 3, visitors = 5 } = {}) {
    const { slots } = this.world;
    for (let i = 0; i < 2 * pairs; i++) {
      const device = new Device(`u${i}`, `u${i}`, this, { beats: i % 3 === 0 });
      this.listeners.push(device);
      this.talkers.push(device);
      if (i % 4 !== 1) continue;
      const pinned = slots[i % slots.length];
      this.listeners.push(new Device(`u${i}`, `u${i}-second`, this, { pinned }));
    }
    const names = Array.from({ length: visitors }, (_, i) => `v${i}`);
    const guests = names.map((name, i) => new Device(name, name, this, { beats: i % 2 === 0 }));
    const probe = new Device('probe', 'probe', this);
    probe.wantIn = false;
    this.devices = [...this.listeners, ...guests, probe];
    this.presence = new Presence(this, guests, probe);
  }

  // All have come: the talkers may begin.
  talk() {
    this.talkers.forEach((device, i) => {
      const streams = [this.#toRoom(), this.#toPeer(device, this.talkers[i ^ 1])];
      const window = WINDOWS[i % WINDOWS.length];
      this.#talk.push(new Talker(device, this, { streams, window, pace: PACE_MS }));
    });
  }

  #toRoom() {
    return {
      event: 'sendMessage',
      conversation: `room:${ROOM}`,
      needs: () => this.listeners,
      data: (message) => ({ room: ROOM, message }),
    };
  }

  #toPeer(device, peer) {
    const users = [device.user, peer.user];
    return {
      event: 'private_message',
      to: peer.user,
      conversation: dm(...users),
      needs: () => this.listeners.filter((one) => users.includes(one.user) && one !== device),
      data: (content) => ({ receiverId: peer.user, content }),
    };
  }

  knows(device) {
    const i = this.talkers.findIndex(({ user }) => user === device.user);
    return i < 0 ? [] : [this.talkers[i ^ 1].user];
  }

  // The devices whose log or record a failover may cut short.
  channels() {
    const users = this.talkers.map(({ user }) => user);
    const inboxes = users.map((user) => `user:${user}`);
    const records = users.map((user, i) => dm(user, users[i ^ 1]));
    return [...new Set([`room:${ROOM}`, ...inboxes, ...records])];
  }

  hush(silent) {
    for (const talker of this.#talk) talker.silent = silent;
  }

  // The unread count of each talker is how many messages of the peer stand in their log after the
  // talker's mark. Then the talker reads some of them.
  async judgeUnread(patience) {
    for (const [i, device] of this.talkers.entries()) await this.#judgeUnread(device, i, patience);
  }

  async #judgeUnread(device, i, patience) {
    const peer = this.talkers[i ^ 1].user;
    const deadline = Date.now() + patience;
    // Each look reads a whole log, so it is not to keep a Redis busy.
    for (let pause = 100; ; pause = Math.min(2 * pause, 2000)) {
      const wrong = await this.#unread(device, peer).catch((error) => error.message);
      if (!wrong) break;
      if (Date.now() > deadline) {
        this.ledger.finding('unread', `${device.name}: ${wrong}`, device);
        return;
      }
      await sleep(pause);
    }
    this.ledger.counts.unread++;
  }

  // Tells as text what is not right; null: all is right.
  async #unread(device, peer) {
    const { all } = await this.ledger.recordOf(dm(device.user, peer));
    const list = await device.ask('all_member', { room: ROOM });
    const { read } = await device.ask('history', { peer, limit: 1, marks: true });
    const count = list.find(({ id }) => id === peer).message_count;
    const theirs = all.filter(({ text }) => text.includes(`"senderId":"${peer}"`));
    const unread = theirs.filter(({ seq }) => seq > read[device.user]);
    if (count !== unread.length) {
      return `${count} of ${peer} are unread, not ${unread.length} (after ${read[device.user]})`;
    }
    const some = this.random.pick(all);
    if (some && this.random.chance(0.5)) await device.ask('read', { peer, seq: some.seq });
    return null;
  }

  // Every talker had something acknowledged later.
  isAcked(since) {
    return this.#talk.every(({ ackedAt }) => ackedAt > since);
  }

  // Every listener has something that was sent later, and every talker had it acknowledged.
  isFresh(since) {
    return (
      this.listeners.every(({ isIn, hearing }) => isIn && hearing.freshest > since) &&
      this.#talk.every(({ freshest }) => freshest > since)
    );
  }

  async end() {
    for (const talker of this.#talk) talker.end();
    await this.presence.end();
    await Promise.all(this.devices.map((device) => device.end()));
  }
}
