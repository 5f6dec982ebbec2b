// A client as gateway/docs/recovery.md advises to write one: it keeps a position per channel, comes
// back on any node with `resume`, reads `history` when it is told of a loss, and sends messages
// that were not acknowledged again with the same clientMessageId.

import WebSocket from 'ws';
import { Hearing } from './ledger.mjs';
import { sleep } from '../blackbox/lib/harness.mjs';

const ANSWER_MS = 4000; // longer, and the node is taken for dead
const STORY_LINES = 16;
const BEAT_MS = 1000;
const PAGES_MOST = 10;

/*
 * user, name; crowd: { world, ledger, random, csId, knows(device) → peers to read history of }.
 * pinned: a slot that it keeps to. beats: it sends heartbeats.
 */
export class Device {
  hearing = new Hearing();
  positions = new Map(); // channel → { epoch, seq, time }, and after a reset { reset, kept }
  announced = []; // { event, user, at } of this session
  roster = null; // the last one
  story = []; // the latest happenings, for findings
  isIn = false; // logged in
  isMute = false; // it sends no heartbeats now
  stays = false; // until the storm is over
  wantIn = true;
  slot = null; // of the session under way
  #crowd;
  #socket = null;
  #acks = new Map(); // ack → { at, done(frame) }
  #ackCount = 0;
  #debts = new Set(); // channels of which history must be read
  #going = true;
  #living;

  constructor(user, name, crowd, { pinned, beats = false } = {}) {
    Object.assign(this, { user, name, pinned, beats });
    this.#crowd = crowd;
    this.#living = this.#live();
  }

  // The channel on which a message comes to this device, and the one that has its record.
  channelOf(message) {
    return message.to ? `user:${this.user}` : message.conversation;
  }

  conversationOf(channel, id) {
    if (channel.startsWith('room:')) return channel;
    const [from, stream] = id.split('/');
    const other = from === this.user ? stream.slice(2) : from;
    return `dm:${[this.user, other].sort().join(':')}`;
  }

  note(text) {
    const at = new Date().toISOString().slice(11, 23);
    this.story.push(`${at} ${text}`);
    if (this.story.length > STORY_LINES) this.story.shift();
  }

  // Cuts the connection as a dying network does.
  cut() {
    this.note('cut');
    this.#socket?.terminate();
  }

  close() {
    this.#socket?.close();
  }

  async end() {
    this.#going = false;
    this.#socket?.terminate();
    await this.#living;
  }

  // Emits an event; `done` is called with the ack frame, or never if the connection ends before.
  emit(event, data, done) {
    const ack = ++this.#ackCount;
    this.#acks.set(ack, { at: Date.now(), done });
    this.#write({ event, data, ack });
  }

  // The same, with a promise of the ack's data.
  ask(event, data) {
    return new Promise((resolve, reject) => {
      if (!this.isIn) throw new Error('it is out');
      setTimeout(() => reject(new Error(`no answer to ${event}`)), ANSWER_MS);
      this.emit(event, data, ({ error, data: answer }) => {
        if (error) reject(new Error(`${event}: ${error.code}`));
        else resolve(answer);
      });
    });
  }

  #write(frame) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(frame));
  }

  async #live() {
    while (this.#going) {
      if (this.wantIn) await this.#session();
      await sleep(this.#crowd.random.between(5, 60));
    }
  }

  #session() {
    const { world, random } = this.#crowd;
    const slot = this.pinned ?? random.pick(world.slots);
    if (!slot.up) return sleep(20);
    this.slot = slot;
    this.announced = [];
    this.roster = null;
    const socket = new WebSocket(`${slot.url.replace('http', 'ws')}/ws`, {
      perMessageDeflate: false,
      handshakeTimeout: 2000,
    });
    this.#socket = socket;
    const watch = setInterval(() => this.#watch(), 100);
    let lastBeat = Date.now();
    const beat = () => {
      if (!this.beats || this.isMute || !this.isIn || Date.now() - lastBeat < BEAT_MS) return;
      lastBeat = Date.now();
      this.#write({ event: 'heartbeat', data: {} });
    };
    const beating = setInterval(beat, 250);
    socket.on('open', () => this.#login());
    socket.on('message', (text) => this.#receive(JSON.parse(text)));
    socket.on('error', () => {});
    return new Promise((resolve) => {
      socket.on('close', (code, reason) => {
        clearInterval(watch);
        clearInterval(beating);
        if (this.isIn) this.note(`closed ${code} ${reason}`);
        this.isIn = false;
        this.leftAt = Date.now();
        this.#acks.clear();
        this.onOut?.();
        resolve();
      });
    });
  }

  // An event that is not answered for long: the node may be stopped.
  #watch() {
    const now = Date.now();
    for (const { at } of this.#acks.values()) {
      if (now - at > ANSWER_MS) {
        this.note('no answer');
        this.#socket.terminate();
        return;
      }
    }
    if (!this.wantIn && this.isIn) this.close();
  }

  #login() {
    const known = [...this.positions].map(([channel, { epoch, seq }]) => [channel, { epoch, seq }]);
    const resume = known.length ? Object.fromEntries(known) : undefined;
    const data = { userId: this.user, csId: this.#crowd.csId, resume };
    this.emit('login', data, (frame) => {
      if (frame.error) {
        if (frame.error.code !== 'unavailable') this.#odd('login', frame);
        this.#socket.terminate();
        return;
      }
      this.#loggedIn(frame.data);
    });
  }

  #odd(what, frame) {
    const text = `${what} at ${this.name}: ${JSON.stringify(frame)}`;
    this.#crowd.ledger.finding('protocol', text, this);
  }

  #loggedIn({ resume, lost = [], recovered }) {
    const positions = Object.entries(resume).map(([c, { epoch, seq }]) => `${c} ${epoch} ${seq}`);
    const how = `recovered ${recovered} ${lost.join()}`;
    this.note(`in on ${this.slot.name}: ${how}; ${positions.join()}`);
    if (this.positions.size && recovered !== (lost.length === 0)) this.#odd('login', { how });
    for (const channel of lost) {
      const what = `${channel} is lost`;
      this.#crowd.ledger.told(this, channel, this.positions.get(channel), what);
      this.#debts.add(channel);
    }
    for (const [channel, { epoch, seq }] of Object.entries(resume)) {
      if (this.positions.has(channel) && !lost.includes(channel)) continue;
      this.positions.set(channel, { epoch, seq, time: Date.now() });
    }
    this.isIn = true;
    this.inSince = Date.now();
    for (const channel of this.#debts) this.#catchUp(channel);
    this.onIn?.();
  }

  // Reads the latest of a channel's conversations: far more than can have been missed.
  #catchUp(channel) {
    const room = channel.startsWith('room:') ? channel.slice(5) : undefined;
    const whats = room ? [{ room }] : this.#crowd.knows(this).map((peer) => ({ peer }));
    let left = whats.length;
    const page = (what, before, pages = 1) => {
      this.emit('history', { ...what, before, limit: 100 }, (frame) => {
        if (frame.error) {
          this.#socket.terminate(); // and it is tried again in the next session
          return;
        }
        const { messages, more } = frame.data;
        for (const data of messages) this.#crowd.ledger.read(this, channel, data);
        if (more && pages < PAGES_MOST) page(what, messages[0].seq, pages + 1);
        else if (--left === 0) this.#debts.delete(channel);
      });
    };
    for (const what of whats) page(what);
  }

  #receive(frame) {
    if ('ack' in frame) {
      const waiting = this.#acks.get(frame.ack);
      this.#acks.delete(frame.ack);
      waiting?.done?.(frame);
    } else if (frame.epoch !== undefined) {
      this.positions.set(frame.channel, {
        epoch: frame.epoch,
        seq: frame.seq,
        time: frame.time / 1000,
      });
      this.#crowd.ledger.received(this, frame);
    } else if (frame.event === 'channel_reset') {
      const { channel, from, to } = frame.data;
      const position = this.positions.get(channel);
      const what = `channel_reset ${channel} ${from} to ${to}`;
      this.note(what);
      this.#crowd.ledger.told(this, channel, position, what);
      if (position) Object.assign(position, { reset: true, kept: from - 1 });
    } else if (frame.event === 'onlineUsers') {
      this.roster = frame.data;
    } else if (frame.event === 'user_online' || frame.event === 'user_offline') {
      this.#announcement(frame);
    } else if (frame.event === 'error') {
      this.#odd('an error', frame);
    }
  }

  #announcement({ event, data: user }) {
    const last = this.announced.findLast((one) => one.user === user);
    const change = { event, user, at: Date.now() };
    this.announced.push(change);
    if (this.announced.length > 200) this.announced.shift();
    this.#crowd.onAnnouncement(this, { ...change, last });
  }

  // The position in an ack counts if it is higher.
  advance(channel, { epoch, seq }) {
    const known = this.positions.get(channel);
    if (known && seq <= known.seq && !(known.reset && epoch !== known.epoch)) return;
    this.positions.set(channel, { epoch, seq, time: Date.now() });
  }
}
