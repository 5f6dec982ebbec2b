// One official client of the random run: it talks to rooms, people and topics, comes back by
// itself, and writes down what it heard for the judgement in recovery-judge.mjs.

import { sleep, until } from './waiting.mjs';
import { startDoor } from './roaming.mjs';
import { front } from './socketio.mjs';

const AGAIN = { reconnection: true, reconnectionDelay: 10, reconnectionDelayMax: 150 };
const ACK_MS = 3000;
const OTHER_LIFE = Symbol('another life');

/*
 * The messages that a client has of a channel from one join (login, subscribe) on. heard: [{ text,
 * at }]. from: the seq after which it begins. asked: how often the join was sent; if more than
 * once, it may have begun before `from`. closed: the channel was left, and that is acknowledged.
 * leaving: it may have been left.
 */
class Stretch {
  heard = [];
  from = null;
  asked = 0;
  leaving = false;
  closed = false;
}

// A life lasts from one login to the next, over any number of connections.
class Life {
  channels = new Map(); // name → Stretches
  loggedIn = false;
  ready = false;

  constructor(n) {
    this.n = n;
  }

  last(channel) {
    return this.channels.get(channel)?.at(-1);
  }

  begin(channel) {
    const all = this.channels.get(channel) ?? [];
    this.channels.set(channel, [...all, new Stretch()]);
    return this.last(channel);
  }
}

export class Member {
  lives = [];
  story = [];
  acked = []; // { text, channel, seq }
  comings = { recovered: 0, lost: 0, recoveredAside: 0, lostAside: 0 };
  busy = null;
  #n = 0;

  // side, topics: those that it enters and leaves; peers: users that it writes to.
  constructor(world, { name, user, transports, rooms, topics, peers, roams }) {
    Object.assign(this, { world, name, user, transports, rooms, topics, peers, roams });
  }

  get life() {
    return this.lives.at(-1);
  }

  tell(text) {
    this.story.push(`${new Date().toISOString().slice(11, 23)} ${text}`);
    if (this.story.length > 400) this.story.shift();
  }

  async start() {
    const { world, transports } = this;
    this.door = await startDoor(world.pickNode());
    const where = { url: `http://127.0.0.1:${this.door.port}` };
    const auth = { errors: 'ack' };
    this.socket = await front(where, { ...AGAIN, auth, transports, timeout: 3000, wait: false });
    const { socket } = this;
    socket.onAny((event, data, offset) => this.#hear(event, data, offset));
    socket.on('connect', () => this.#come());
    socket.on('disconnect', (reason) => this.#leave(reason));
    socket.io.on('reconnect_error', () => this.#turn());
    await until(() => this.life?.ready, { timeout: 20000, what: `${this.name} is in` });
  }

  #turn() {
    const node = this.world.pickNode();
    this.door.to(node);
    return node.id;
  }

  #leave(reason) {
    this.lostAt = Date.now();
    setTimeout(() => {
      const kept = this.socket.receiveBuffer.length;
      if (kept) this.tell(`the client keeps ${kept} for later: ${this.socket.receiveBuffer[0]}`);
    }, 1);
    this.tell(`${reason}, offset ${this.socket._lastOffset}; next ${this.#turn()}`);
  }

  #come() {
    const { socket, world, life } = this;
    if (socket.recovered) this.tell(`recovered as ${socket.id}`);
    else this.tell(`a new connection ${socket.id}, was ${life?.loggedIn ? '' : 'not '}logged in`);
    if (life?.loggedIn) {
      const aside = world.redisTouched(this.lostAt) ? 'Aside' : '';
      this.comings[`${socket.recovered ? 'recovered' : 'lost'}${aside}`]++;
    }
    if (socket.recovered) return;
    const next = new Life(this.lives.length);
    this.lives.push(next);
    this.#enter(next).catch((error) => {
      if (error !== OTHER_LIFE) world.finding('enter', `${this.name}: ${error.stack}`, this);
    });
  }

  async #enter(life) {
    const { user } = this;
    const inbox = life.begin(`user:${user}`);
    const ack = await this.#ask(life, 'login', { userId: user }, inbox);
    life.loggedIn = true;
    inbox.from = ack.resume[`user:${user}`].seq;
    for (const room of this.rooms) await this.#join(life, room);
    for (const topic of this.topics) await this.#subscribe(life, topic);
    life.ready = true;
  }

  async #join(life, room) {
    const stretch = life.begin(`room:${room}`);
    stretch.from = (await this.#ask(life, 'join', { room }, stretch)).seq;
  }

  async #subscribe(life, topic) {
    const channel = `topic:${topic}`;
    const stretch = life.begin(channel);
    stretch.from = (await this.#ask(life, 'subscribe', { channel }, stretch)).seq;
  }

  // Tries until it is answered, over any number of connections of this life (null: of any life).
  async #ask(life, event, data, stretch = {}) {
    const { socket, world } = this;
    for (let tries = 1; ; tries++) {
      const may = () => socket.connected && (life ?? this.life).n === this.life.n;
      const ready = () => (life ? life !== this.life || may() : this.life.ready && may());
      await until(ready, { timeout: 30000, every: 5, what: `${this.name} is in, for ${event}` });
      if (life && life !== this.life) throw OTHER_LIFE;
      stretch.asked++;
      const during = this.life;
      try {
        const answer = await socket.timeout(ACK_MS).emitWithAck(event, data);
        if (!answer.error) return answer;
        if (event === 'leave' && tries > 1 && answer.error.code === 'not_a_member') return {};
        const recent = Date.now() - 5000;
        const apart = world.redisTouched(recent) || world.woken > recent;
        const expected = answer.error.code === 'unavailable' && apart;
        const stale = during !== this.life;
        const what = `${this.name}: ${event} ${JSON.stringify(data)}: ${JSON.stringify(answer)}`;
        if (!expected && !stale) world.finding('answer', what, this);
      } catch (error) {
        this.tell(`${event} ${JSON.stringify(data)}: ${error.message}`);
      }
      await sleep(20);
    }
  }

  #hear(event, data, offset) {
    let channel;
    if (event === 'chatMessage') channel = `room:${data.room}`;
    else if (event === 'new_private_message') channel = `user:${this.user}`;
    else if (event === 'message') channel = data.split('|')[0];
    else if (event === 'channel_reset') {
      this.world.finding('reset', `${this.name}: ${JSON.stringify(data)}`, this);
      return;
    } else return;
    const text = data.message ?? data.content ?? data;
    const stretch = this.life.last(channel);
    if (typeof offset !== 'string') this.world.finding('offset', `${this.name}: ${text}`, this);
    if (!stretch || stretch.closed) {
      this.world.finding('uninvited', `${this.name} hears ${channel}: ${text}`, this);
    } else {
      stretch.heard.push({ text, at: Date.now() });
    }
  }

  // Does one thing after the other until the run is over; resolves when all is acknowledged.
  async run() {
    const { world } = this;
    while (!world.over) {
      this.busy = this.#act();
      await this.busy.catch((error) => {
        if (error !== OTHER_LIFE) world.finding('member', `${this.name}: ${error.stack}`, this);
      });
      await sleep(world.random.between(10, world.pace));
    }
  }

  async #act() {
    const { random } = this.world;
    const text = (channel) => `${channel}|${this.name}|${this.life.n}|${++this.#n}`;
    await until(() => this.life.ready, { timeout: 30000, what: `${this.name} is in` });
    const way = random.between(0, 100);
    if (way < 45) {
      const room = this.rooms[0];
      await this.#say(`room:${room}`, 'sendMessage', text(`room:${room}`), (message) => ({ room, message }));
    } else if (way < 75) {
      const receiverId = random.pick(this.peers);
      const channel = `user:${receiverId}`;
      await this.#say(channel, 'private_message', text(channel), (content) => ({ receiverId, content }));
    } else if (way < 95 || !this.roams) {
      const channel = `topic:${this.topics[0]}`;
      await this.#say(channel, 'publish', text(channel), (data) => ({ channel, data }));
    } else {
      await this.#roam(random.chance(0.5));
    }
  }

  async #say(channel, event, text, dataOf) {
    const data = { ...dataOf(text), clientMessageId: text };
    const { seq } = await this.#ask(null, event, data);
    this.acked.push({ text, channel, seq: event === 'private_message' ? null : seq });
  }

  // Leaves the last of its rooms or topics, and enters it again.
  async #roam(isRoom) {
    const { life } = this;
    const name = (isRoom ? this.rooms : this.topics).at(-1);
    const channel = `${isRoom ? 'room' : 'topic'}:${name}`;
    const stretch = life.last(channel);
    stretch.leaving = true;
    await this.#ask(life, ...(isRoom ? ['leave', { room: name }] : ['unsubscribe', { channel }]));
    stretch.closed = true;
    await sleep(this.world.random.between(0, 300));
    await (isRoom ? this.#join(life, name) : this.#subscribe(life, name));
  }

  end() {
    this.socket.end();
    this.door.close();
  }
}
