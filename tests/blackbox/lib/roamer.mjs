// A client as PROTOCOL.md advises to write one: it keeps its positions, comes back on any node with
// `resume`, and sends again, with the same clientMessageId, what was not acknowledged.

import { connect } from './client.mjs';
import { textOf } from './talk.mjs';
import { sleep, until } from './waiting.mjs';

export class Roamer {
  heard = []; // { event, from, text } of all sessions, in order
  losses = []; // acks of logins that did not recover
  sessions = 0;
  acked = [];
  client = null; // of the session under way, logged in
  #nodes; // () → the nodes that are there
  #user;
  #room;
  #positions = {};
  #random;
  #going = true;
  #living;

  constructor(user, { nodes, room, random = Math.random }) {
    this.#user = user;
    this.#nodes = nodes;
    this.#room = room;
    this.#random = random;
    this.#living = this.#live();
    this.#living.catch((error) => (this.error = error));
  }

  get user() {
    return this.#user;
  }

  // Awaits that it is logged in and in its room.
  async here() {
    await until(() => this.#check() && this.client?.isOpen, { timeout: 20000 });
  }

  // Sends until stopTalking(): sendMessage(text) or private_message(text) of numbered texts.
  talk(event, dataOf) {
    this.#talking = this.#say(event, dataOf);
    this.#talking.catch((error) => (this.error = error));
  }

  async stopTalking() {
    this.#silent = true;
    await this.#talking;
    this.#check();
  }

  // Awaits n more acknowledged messages.
  async more(n) {
    const target = this.acked.length + n;
    const what = `${this.#user} has ${n} more messages acknowledged`;
    await until(() => this.#check() && this.acked.length >= target, { timeout: 30000, what });
  }

  async end() {
    this.#going = false;
    this.client?.terminate();
    await this.#living;
  }

  #talking;
  #silent = false;

  #check() {
    if (this.error) throw this.error;
    return true;
  }

  async #live() {
    while (this.#going) {
      const nodes = this.#nodes();
      const node = nodes[Math.floor(this.#random() * nodes.length)];
      await this.#session(node);
      await sleep(10);
    }
  }

  async #session(node) {
    let client;
    try {
      client = await connect(node, { positions: this.#positions, timeout: 2000 });
    } catch {
      return; // the node is down or drains
    }
    this.sessions++;
    // Frames count from the moment they come, so that nothing is lost between two sessions.
    const closed = client.closed;
    try {
      await this.#enter(client);
      this.client = client;
    } catch (error) {
      if (error.frame && error.code !== 'unavailable') this.error = error;
      client.terminate();
    }
    await closed;
    this.client = null;
    for (const { event, data } of client.frames) {
      if (event === 'chatMessage' || event === 'new_private_message') {
        this.heard.push({ event, from: data.userId ?? data.senderId, text: textOf({ data }) });
      } else if (event === 'channel_reset') {
        this.losses.push(data);
      }
    }
    this.#positions = client.positions;
  }

  async #enter(client) {
    const known = Object.keys(this.#positions).length > 0;
    const login = { userId: this.#user, ...(known && { resume: this.#positions }) };
    const ack = await client.emit('login', login, { timeout: 3000 });
    if (known && !ack.recovered) this.losses.push(ack);
    if (!this.#positions[`room:${this.#room}`]) {
      await client.emit('join', { room: this.#room }, { timeout: 3000 });
    }
  }

  async #say(event, dataOf) {
    for (let n = 1; !this.#silent; n++) {
      const text = `${this.#user}-${n}`;
      while (!(await this.#sent(event, { ...dataOf(text), clientMessageId: text })))
        await sleep(10);
      this.acked.push({ text });
      await sleep(3);
    }
  }

  async #sent(event, data) {
    const { client } = this;
    if (!client?.isOpen) return false;
    try {
      await client.emit(event, data, { timeout: 3000 });
      return true;
    } catch (error) {
      if (error.frame && error.code !== 'unavailable') throw error;
      if (!error.frame) client.terminate(); // no answer: perhaps the node stands still
      return false;
    }
  }
}
