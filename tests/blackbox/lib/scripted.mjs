// A server for one client library in the same process. The test sends each frame of it, in an order
// that no real server can be made to keep.

import { until } from './waiting.mjs';

/*
 * A constructor for Sluice's option WebSocket. Has: sockets, all so far; and last, the newest.
 * A socket has:
 *   sent             what the client sent, parsed: { event, data, ack }
 *   open()           the handshake is done
 *   enter(fields)    open(), and answers the login; fields are laid over its ack
 *   answer(event, data | { error })   the oldest unanswered event of that name
 *   say(frame)       a frame to the client
 *   drop(code, reason)
 *   closed           { code } when the client closed it
 * answering: events that every socket answers by itself, name → (data) => ack data
 */
export function scripted({ user = 'ann', answering = {} } = {}) {
  class Socket {
    static sockets = [];
    static answering = { heartbeat: () => ({}), ...answering };
    static get last() {
      return this.sockets.at(-1);
    }

    // The next socket that the client makes.
    static async next(count = this.sockets.length + 1) {
      await until(() => this.sockets.length >= count, { every: 2, what: `socket ${count}` });
      return this.sockets[count - 1];
    }

    readyState = 0;
    sent = [];
    #unanswered = [];

    constructor(url) {
      this.url = url;
      Socket.sockets.push(this);
    }

    send(text) {
      if (this.readyState !== 1) throw new Error('it is not open');
      const frame = JSON.parse(text);
      this.sent.push({ ...frame, text });
      const byItself = Socket.answering[frame.event];
      if (!byItself) this.#unanswered.push(frame);
      else queueMicrotask(() => this.say({ ack: frame.ack, data: byItself(frame.data) }));
    }

    close(code) {
      if (this.readyState >= 2) return;
      this.readyState = 2;
      this.closed = { code };
      queueMicrotask(() => this.drop(code));
    }

    open() {
      this.readyState = 1;
      this.onopen?.();
    }

    async enter({ resume = {}, ...fields } = {}) {
      if (this.readyState === 0) this.open();
      const { data } = await this.heard('login');
      const whole = { [`user:${user}`]: { epoch: 'e', seq: 0 }, ...data.resume, ...resume };
      const ack = { connectionId: `c-${Socket.sockets.indexOf(this)}`, node: 'n1', userId: user };
      this.answer('login', { ...ack, recovered: Boolean(data.resume), resume: whole, ...fields });
      return this;
    }

    say(frame) {
      if (this.readyState !== 3) this.onmessage?.({ data: JSON.stringify(frame) });
    }

    drop(code = 1006, reason = '') {
      if (this.readyState === 3) return;
      this.readyState = 3;
      this.onclose?.({ code, reason });
    }

    // Waits for an event that has no answer yet.
    heard(event) {
      const found = () => this.#unanswered.find((frame) => frame.event === event);
      return until(found, { every: 2, what: `the client sends ${event}` });
    }

    unanswered() {
      return this.#unanswered.map(({ event }) => event);
    }

    answer(event, what = {}) {
      const at = this.#unanswered.findIndex((frame) => frame.event === event);
      if (at < 0) throw new Error(`no ${event} waits for an answer`);
      const [{ ack }] = this.#unanswered.splice(at, 1);
      this.say({ ack, ...(what.error ? what : { data: what }) });
    }
  }
  return Socket;
}
