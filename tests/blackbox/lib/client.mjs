// WebSocket clients of /ws and /channels/<name>.

import WebSocket from 'ws';
import { clients } from './processes.mjs';
import { kept, sleep, within } from './waiting.mjs';

const NO_SUCH_EVENT = 'barrier';

class Client {
  frames = []; // every frame, acks too, in the order received
  positions = {}; // channel → { epoch, seq }: the highest seen, a `resume` for the next login
  ack = null; // login()'s
  user = null;
  #unread = []; // event frames that next() has not taken
  #waiters = [];
  #acks = new Map();
  #ackCount = 0;
  #heldToBeats = false;
  #raw;
  #socket;
  #end; // { code, reason } when closed
  #onEnd = [];

  constructor(socket, { raw, positions = {} }) {
    this.#socket = socket;
    this.#raw = raw;
    this.positions = structuredClone(positions);
    socket.on('message', (data, binary) => this.#receive(data, binary));
    socket.on('error', () => {}); // a close follows
    socket.on('close', (code, reason) => this.#ended({ code, reason: reason.toString() }));
  }

  get socket() {
    return this.#socket;
  }

  // Sends an event and resolves to its ack's data; rejects with the ack's error (code, field,
  // outcome, message), when the connection ends, or after `timeout` ms.
  emit(event, data, { timeout = 10000 } = {}) {
    return this.emitText(event, data === undefined ? undefined : JSON.stringify(data), { timeout });
  }

  // As emit, with the data as JSON text that leaves as it is.
  async emitText(event, text, { timeout = 10000 } = {}) {
    const ack = ++this.#ackCount;
    const sent = text === undefined ? undefined : JSON.parse(text);
    const answer = new Promise((resolve, reject) => {
      this.#acks.set(ack, { event, sent, resolve, reject });
    });
    if (event === 'heartbeat') this.#heldToBeats = true;
    const field = text === undefined ? '' : `,"data":${text}`;
    this.raw(`{"event":${JSON.stringify(event)}${field},"ack":${ack}}`);
    if (this.#end) this.#acks.get(ack)?.reject(this.#endError(`before the ack of ${event}`));
    const late = () => `no ack of ${event} within ${timeout} ms; ${this.#recent()}`;
    const frame = await within(answer, timeout, late).finally(() => this.#acks.delete(ack));
    if ('error' in frame) {
      const { message, ...fields } = frame.error;
      throw Object.assign(new Error(message), fields, { frame });
    }
    return frame.data;
  }

  // Sends an event without an ack.
  send(event, data) {
    if (event === 'heartbeat') this.#heldToBeats = true;
    this.raw(JSON.stringify({ event, data }));
  }

  // Sends a text frame (a Buffer: a binary one) as it is.
  raw(message) {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(message);
  }

  /*
   * The next frame of this event that satisfies match(frame), whether it has come already or
   * not; each frame is given once. A frame is the object received, with `text`, the bytes of it.
   * On /channels/ every frame has the event 'raw', its text, and `binary` if it was binary.
   */
  async next(event, { timeout = 5000, match = () => true } = {}) {
    const wanted = (frame) => frame.event === event && match(frame);
    const at = this.#unread.findIndex(wanted);
    if (at >= 0) return this.#unread.splice(at, 1)[0];
    if (this.#end) throw this.#endError(`before ${event}`);
    const waiter = { event, wanted };
    const frame = new Promise((resolve, reject) => Object.assign(waiter, { resolve, reject }));
    this.#waiters.push(waiter);
    const late = () => `no ${event} within ${timeout} ms; ${this.#recent()}`;
    return within(frame, timeout, late).finally(() => {
      this.#waiters = this.#waiters.filter((other) => other !== waiter);
    });
  }

  // The frames of this event that came and next() has not given; takes them.
  take(event) {
    const taken = this.#unread.filter((frame) => frame.event === event);
    this.#unread = this.#unread.filter((frame) => frame.event !== event);
    return taken;
  }

  /*
   * Fails if a frame of this event came, or comes until the node has answered what is sent now:
   * that answer comes after all that the node had for this connection. Frames that are still on
   * their way through Redis are not covered; `ms` waits longer for those. The first heartbeat would
   * hold a client to beating, so one that never sent any asks with an event that does not exist.
   */
  async none(event, ms = 0, { match = () => true } = {}) {
    const come = () => this.#unread.find((frame) => frame.event === event && match(frame));
    if (!this.#raw) {
      await this.emit(this.#heldToBeats ? 'heartbeat' : NO_SUCH_EVENT).catch((error) => {
        if (!error.frame) throw error;
      });
    }
    const deadline = Date.now() + ms;
    while (!come() && Date.now() < deadline) await sleep(Math.min(20, ms));
    const frame = come();
    if (frame) throw new Error(`expected no ${event}, got ${frame.text}`);
  }

  // A promise of { code, reason }. It has no limit but the test's.
  get closed() {
    if (this.#end) return Promise.resolve(this.#end);
    return kept(new Promise((resolve) => this.#onEnd.push(resolve)));
  }

  get isOpen() {
    return !this.#end;
  }

  // Closes in order and waits for the end.
  close(code = 1000, reason = '') {
    const closed = this.closed;
    this.#socket.close(code, reason);
    return closed;
  }

  // Cuts the connection without a close frame.
  terminate() {
    clients.delete(this);
    this.#socket.terminate();
  }

  // Stops reading (a slow client), until resumeReading().
  pauseReading() {
    this.#socket.pause();
  }

  resumeReading() {
    this.#socket.resume();
  }

  #receive(data, binary) {
    const text = data.toString();
    let frame = { event: 'raw', text, ...(binary && { binary: data }) };
    if (!this.#raw && !binary) {
      try {
        frame = { ...JSON.parse(text), text };
      } catch {
        frame = { event: 'not-json', text };
      }
    }
    this.frames.push(frame);
    if (frame.event === undefined && 'ack' in frame) {
      const pending = this.#acks.get(frame.ack);
      if (pending && !frame.error) this.#learn(pending.event, pending.sent, frame.data);
      pending?.resolve(frame);
      return;
    }
    if (frame.epoch !== undefined) this.#advance(frame.channel, frame.epoch, frame.seq);
    const at = this.#waiters.findIndex((waiter) => waiter.wanted(frame));
    if (at < 0) this.#unread.push(frame);
    else this.#waiters.splice(at, 1)[0].resolve(frame);
  }

  #advance(channel, epoch, seq) {
    const known = this.positions[channel];
    if (known?.epoch === epoch && known.seq >= seq) return;
    this.positions[channel] = { epoch, seq };
  }

  // Learns positions from an ack. A baseline counts only for a channel that is not known, or that
  // was lost: missed messages come after the ack.
  #learn(event, sent, data) {
    if (data === null || typeof data !== 'object') return;
    const baseline = (channel, { epoch, seq }, lost = false) => {
      if (lost || !this.positions[channel]) this.positions[channel] = { epoch, seq };
    };
    const room = `room:${sent?.room ?? 'lobby'}`;
    if (event === 'login') {
      const lost = Array.isArray(data.lost) ? data.lost : Object.keys(data.lost ?? {});
      for (const [channel, position] of Object.entries(data.resume ?? {})) {
        baseline(channel, position, lost.includes(channel));
      }
    } else if (event === 'join' && data.epoch !== undefined) {
      baseline(`room:${data.room}`, data);
    } else if (event === 'subscribe' && data.epoch !== undefined) {
      if (sent?.since && data.recovered) baseline(data.channel, sent.since);
      baseline(data.channel, data, sent?.since && !data.recovered);
    } else if (event === 'leave') {
      delete this.positions[room];
    } else if (event === 'unsubscribe') {
      delete this.positions[sent?.channel];
    } else if (data.resume) {
      for (const [channel, { epoch, seq }] of Object.entries(data.resume)) {
        this.#advance(channel, epoch, seq);
      }
    }
  }

  #ended(end) {
    this.#end = end;
    clients.delete(this);
    for (const tell of this.#onEnd) tell(end);
    for (const { reject } of this.#acks.values()) reject(this.#endError('before an ack'));
    for (const { event, reject } of this.#waiters) reject(this.#endError(`before ${event}`));
    this.#waiters = [];
  }

  #endError(when) {
    const { code, reason } = this.#end;
    return Object.assign(new Error(`closed (${code} ${reason}) ${when}`), { closeCode: code });
  }

  #recent() {
    const texts = this.frames.slice(-10).map((frame) => frame.text.slice(0, 300));
    return `the last ${texts.length} of ${this.frames.length} frames:\n  ${texts.join('\n  ')}`;
  }
}

/*
 * Opens a WebSocket; resolves to a Client when it is open. A handshake that is refused rejects
 * with an Error having status, headers and body. `node` may be anything with a url.
 * Options: path, headers, protocols, timeout, positions (to begin with), raw (frames are not
 * JSON; the default on /channels/), and any option of ws.
 */
export async function connect(node, options = {}) {
  const { path: where = '/ws', protocols = [], positions, timeout = 10000, ...rest } = options;
  const { raw = where.startsWith('/channels/'), ...settings } = rest;
  const socket = new WebSocket(node.url.replace(/^http/, 'ws') + where, protocols, {
    perMessageDeflate: false,
    ...node.tls,
    handshakeTimeout: timeout,
    ...settings,
  });
  const client = new Client(socket, { raw, positions });
  client.url = node.url;
  clients.add(client);
  await new Promise((resolve, reject) => {
    const refuse = (error) => {
      clients.delete(client);
      reject(error);
    };
    socket.once('open', resolve);
    socket.once('error', refuse);
    socket.once('unexpected-response', (req, res) => {
      const chunks = [];
      res.on('data', (chunk) => chunks.push(chunk));
      res.on('close', () => {
        const body = Buffer.concat(chunks).toString();
        const error = new Error(`handshake refused: ${res.statusCode} ${body}`);
        refuse(Object.assign(error, { status: res.statusCode, headers: res.headers, body }));
        req.destroy();
      });
    });
  });
  socket._socket.unref();
  return client;
}

// Connects and logs in. `extra`: further fields of the login; { resume: earlier.positions }.
export async function login(node, userId, extra = {}, options = {}) {
  const client = await connect(node, { positions: extra.resume, ...options });
  try {
    client.ack = await client.emit('login', { userId, ...extra });
  } catch (error) {
    client.terminate();
    throw error;
  }
  client.user = String(userId);
  return client;
}

// Logs these users in, the first at the first of the nodes and so on in turn; then each of them, in
// this order, joins the room. Resolves to their clients.
export async function inRoom(nodes, room, ...users) {
  const all = [];
  for (const [i, user] of users.entries()) all.push(await login(nodes[i % nodes.length], user));
  for (const client of all) await client.emit('join', { room });
  return all;
}
