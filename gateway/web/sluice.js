/*
 * The client library of Sluice, for browsers and Node. It serves one user, and opens a new socket
 * when the last one was lost.
 *
 *     import { Sluice } from '/sluice.js'; // from any node; other origins may import it too
 *
 *     const sluice = new Sluice('/ws', { userId: 'ann', username: 'Ann' });
 *     sluice.on('state', ({ state, node, hint }) => console.log(state, node ?? hint ?? ''));
 *     sluice.on('chatMessage', ({ userId, message }) => console.log(`${userId}: ${message}`));
 *     sluice.on('lost', ({ channel }) => console.log(`${channel}: read its history again`));
 *     await sluice.emit('join', { room: 'lobby' });
 *     const { seq } = await sluice.emit('sendMessage', { room: 'lobby', message: 'hello' });
 *     const { messages } = await sluice.emit('history', { room: 'lobby', limit: 20 });
 *     await sluice.close();
 *
 * With identity on, give a token in place of the userId, or better a function that gets a new one:
 * `new Sluice('/ws', { token: async () => (await fetch('/token')).text() })`.
 *
 * Node 18 and 20 have no WebSocket: pass that of `ws`, by `new Sluice(url, user, { WebSocket })`.
 *
 * The library does all this by itself:
 *  - When the connection is lost, it connects again, to any node that the proxy chooses. It tells
 *    the node which messages it has, and gets those that it missed. A message of a logged channel
 *    is passed on once, in order.
 *  - Events that must not get lost are kept in order until they are answered, over any number of
 *    sockets. Messages carry a clientMessageId, so that a repeat takes effect once.
 *  - It enters the same rooms and topics again, even if Redis has lost its data.
 *  - It asks for a new token before the one in use ends, and at each login.
 *  - It notices a dead connection, and sends heartbeats so that the user counts as online.
 *  - It sends a long text in pieces.
 * A private message that this Sluice has sent never comes back to it as an event, even if it was
 * sent over an earlier connection.
 * The events and their data are in gateway/docs/events.md, every option in sluice.d.ts.
 */

const FRAME_MOST = 1048576; // bytes of an event that cannot be sent in pieces
const STRANGER_MOST = 16384; // bytes that the server takes before a login
const PIECES_MOST = 4096;
const FLIGHT_MOST = 262144; // bytes that may be sent and not answered; more wait here
const SLOWEST = 16; // bytes per ms; a line that carries less counts as dead
const EASY = 16384; // bytes under way for which no more time is allowed
const OFFLINE_RETRY = 30000; // ms, while the browser sees no network, which may be wrong
const PATIENCE_MOST = 60000;
const STEADY = 1000; // ms online after which the connection counts as good again
const PROMISE = 300000; // ms for which the server recognizes a repeat
const RETRIES = 3; // of a message that failed for a reason that may not pass
const OWN_MOST = 100; // ids of our own connections that are remembered
const WINDOW = { first: 8, most: 32 }; // messages sent and not answered: grows with each answer
const HASTE = 0.6; // this part of the silence is over when a page is shown again
const GRACE = 4000; // ms of silence after which a user is out of presence
const TICKER = 'sluice ticker';

// Events that are kept until they are answered; for messages, the name of the field that may be
// long.
const PAYLOAD = { private_message: 'content', sendMessage: 'message', publish: 'data' };
const KEPT = new Set([
  ...Object.keys(PAYLOAD),
  ...['join', 'leave', 'subscribe', 'unsubscribe', 'history', 'all_member', 'read'],
]);
// Without a room, these mean the room entered last, which the next connection does not know.
const OF_A_ROOM = new Set(['sendMessage', 'leave', 'typing', 'history', 'all_member', 'read']);

// Close codes: their meaning, and how to come back, if not in the usual way.
const CLOSES = {
  1000: ['The server or a proxy closed the connection.'],
  1001: ['The server or a proxy is going away.'],
  1002: ['A fault of this client: a frame broke the WebSocket protocol.', 'fault'],
  1003: ['A fault of this client: it sent a binary frame.', 'fault'],
  1006: ['The network failed, or the server is down.'],
  1007: ['A fault of this client: it sent invalid UTF-8.', 'fault'],
  1008: ['A fault of this client: it broke a rule of the server.', 'fault'],
  1009: ['A message was bigger than the server takes; it was given up.'],
  1011: ['The server is out of memory, or has a fault.'],
  1012: ['The node restarts; another takes over.', 'soon'],
  1013: ['The server turned us away: we read too slowly, or it has no room.'],
  4000: ['An operator closed the connection.'],
  4401: ['The token has ended.', 'soon'],
  4408: ['The login came too late: the token took too long, perhaps.'],
  silent: ['The server was silent for too long.', 'soon'],
  offline: ['This device is offline.'],
  stalled: ['The node cannot reach Redis; perhaps another can.', 'soon'],
  full: ['A limit is reached: too many connections or rooms of this user.'],
  token: ['There is no token to log in with.'],
  unauthorized: ['The server refuses the token; the next one may do.'],
  garbled: ['What answers there does not speak this protocol.', 'fault'],
};

const REVOKED = 4403; // a close code: no token of this user counts any more

const NOTHING = '{"channel":"topic:-"}'; // to unsubscribe from this has no effect but an answer

const utf8 = new TextEncoder();
const isObject = (value) => value !== null && typeof value === 'object' && !Array.isArray(value);
const isPassing = ({ code }) => code === 'unavailable' || code === 'rate_limited';
// The failure of a piece of a long text: the server does not have the pieces before it.
const isBroken = ({ code, field }) => code === 'bad_field' && field === 'id';
const isHidden = () => globalThis.document?.visibilityState === 'hidden';
const isOffline = () => globalThis.navigator?.onLine === false;
const least = (...values) => Math.min(...values);
// Two clocks, since one may stand still while the device sleeps, and the other may be set.
const mark = () => [performance.now(), Date.now()];
const elapsed = ([now, date]) => Math.max(performance.now() - now, Date.now() - date);

// The bytes that a text takes; exact only if they may be above `most`.
function bytesOf(text, most) {
  return text.length * 3 <= most ? text.length : utf8.encode(text).length;
}

// An error in a listener is the application's. It is shown, and the library goes on.
function report(error) {
  if (typeof reportError === 'function') reportError(error);
  else
    queueMicrotask(() => {
      throw error;
    });
}

function toJson(value) {
  try {
    return JSON.stringify(value);
  } catch (error) {
    throw new SluiceError({ code: 'bad_json', message: error.message });
  }
}

// By default the `ws` beside this file, so a proxy may serve the node under any path.
function address(url = new URL('ws', import.meta.url).href) {
  const page = globalThis.location?.href;
  if (!page && !/^[a-z]+:/i.test(url)) throw new TypeError(`no page for the relative URL ${url}`);
  const full = new URL(url, page);
  full.protocol = full.protocol.replace('http', 'ws');
  if (!/^wss?:/.test(full.protocol)) throw new TypeError(`no address for a WebSocket: ${full.href}`);
  full.hash = '';
  return full.href;
}

// A text in pieces that take at most `most` bytes each as JSON, cut between characters.
function split(text, most) {
  const pieces = [];
  let from = 0;
  let bytes = 0;
  for (let i = 0; i < text.length;) {
    const c = text.codePointAt(i);
    let cost = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    if (c < 0x20 || (c >= 0xd800 && c < 0xe000))
      cost = 6; // escaped: \u001f, half a pair
    else if (c === 0x22 || c === 0x5c) cost = 2;
    if (bytes + cost > most) {
      pieces.push(text.slice(from, i));
      from = i;
      bytes = 0;
    }
    bytes += cost;
    i += c > 0xffff ? 2 : 1;
  }
  pieces.push(text.slice(from));
  return pieces;
}

// A hidden page's timers may fire only once a minute, but those of a worker do not. The worker is
// this file.
function startTicker(every, tick) {
  try {
    const worker = new Worker(import.meta.url, { type: 'module', name: TICKER });
    worker.onmessage = tick;
    worker.onerror = (event) => event.preventDefault();
    worker.postMessage(every);
    return worker;
  } catch {
    return null; // no workers here, or the page is of another origin
  }
}

if (globalThis.name === TICKER && typeof WorkerGlobalScope === 'function')
  globalThis.onmessage = ({ data }) => setInterval(() => postMessage(0), data);

export class SluiceError extends Error {
  constructor({ code, message, field, outcome }) {
    super(message ?? code);
    this.name = 'SluiceError';
    this.code = code;
    if (field !== undefined) this.field = field;
    if (outcome !== undefined) this.outcome = outcome;
  }
}

const GONE = { code: 'gone', message: 'there is no connection' };
const CLOSED = { code: 'closed', message: 'it was closed' };
const REVOCATION = { code: 'revoked', message: 'the tokens of this user are revoked' };
const UNKNOWN = {
  code: 'unavailable',
  message: 'it was sent and not answered for too long to send it again: it may have been stored',
  outcome: 'unknown',
};
const UNSTORED = {
  code: 'internal',
  message: 'the server answered without saying where it is stored',
  outcome: 'unknown',
};

class Listeners {
  #sets = new Map();

  add(event, listener, once = false) {
    if (typeof listener !== 'function') throw new TypeError('a listener is a function');
    if (!this.#sets.has(event)) this.#sets.set(event, new Set());
    const entry = { listener, once };
    this.#sets.get(event).add(entry);
    return () => this.#sets.get(event)?.delete(entry);
  }

  remove(event, listener) {
    if (listener === undefined) this.#sets.get(event)?.clear();
    for (const entry of this.#sets.get(event) ?? [])
      if (entry.listener === listener) this.#sets.get(event).delete(entry);
  }

  tell(event, ...what) {
    const set = this.#sets.get(event);
    for (const entry of [...(set ?? [])]) {
      if (!set.has(entry)) continue; // a listener before it has removed it
      if (entry.once) set.delete(entry);
      try {
        entry.listener(...what);
      } catch (error) {
        report(error);
      }
    }
  }
}

// One socket. Until end() it calls `on.opened()`, `on.frame(frame)`, `on.closed(code, reason)` and
// the functions that wait for acks.
class Link {
  silent = 0; // ms for which the server has owed an answer, by `seen`
  seen = performance.now();
  bytes = 0; // not answered yet
  isIn = false; // a login has succeeded
  toResume = []; // channels that no login has resumed yet
  #acks = new Map(); // number → { done(error, data), bytes }
  #ackCount = 0;
  #socket;

  constructor(socket, on) {
    this.#socket = socket;
    socket.onopen = () => on.opened();
    socket.onmessage = ({ data }) => this.#receive(data, on);
    socket.onerror = () => {}; // a close follows
    socket.onclose = ({ code, reason }) => on.closed(code, String(reason));
  }

  // Answers.
  get owed() {
    return this.#acks.size;
  }

  get isOwed() {
    return this.#socket.readyState === 0 || this.#acks.size > 0;
  }

  // Sends an event, its data as JSON. done(error) or done(undefined, data) is called once, later.
  request(event, json, done) {
    const ack = ++this.#ackCount;
    const field = json === undefined ? '' : `,"data":${json}`;
    const text = `{"event":${JSON.stringify(event)}${field},"ack":${ack}}`;
    if (!this.isOwed) this.#heard();
    this.#acks.set(ack, { done, bytes: text.length });
    this.bytes += text.length;
    if (this.#socket.readyState === 1) this.#socket.send(text);
  }

  #heard() {
    this.silent = 0;
    this.seen = performance.now();
  }

  // Time has passed. A late timer says nothing about the server, so at most `most` ms count between
  // two calls.
  wait(most) {
    const now = performance.now();
    this.silent = this.isOwed ? this.silent + least(now - this.seen, most) : 0;
    this.seen = now;
  }

  #receive(text, on) {
    this.#heard();
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {} // nor is it an object then
    if (!isObject(frame)) return on.closed('garbled');
    if (frame.event !== undefined) return on.frame(frame);
    const waiting = this.#acks.get(frame.ack);
    this.#acks.delete(frame.ack);
    this.bytes -= waiting?.bytes ?? 0;
    return waiting?.done(frame.error && new SluiceError(frame.error), frame.data);
  }

  // Resolves when the socket is closed. After `wait` ms the socket is dropped. (The socket of `ws`
  // would otherwise wait half a minute for a dead peer.)
  end(wait = 0) {
    const socket = this.#socket;
    const drop = () => socket.terminate?.();
    socket.onopen = socket.onmessage = null;
    const closed = new Promise((resolve) => {
      const timer = setTimeout(() => resolve(drop()), wait);
      socket.onclose = () => resolve(clearTimeout(timer));
      if (socket.readyState === 3) socket.onclose();
    });
    socket.close(1000);
    for (const { done } of this.#acks.values()) done(new SluiceError(GONE));
    this.#acks.clear();
    return closed;
  }
}

export class Sluice {
  #url;
  #user;
  #options;
  #listeners = new Listeners();
  #state = 'connecting';
  #node = '';
  #connectionId = '';
  #own = new Set(); // our connections so far
  #link = null;
  #clock; // the timer of #tick
  #alarm = 0; // the timer of the moment when the server has been silent for too long
  #every; // ms between ticks
  #ticked = performance.now();
  #ticker = null; // the worker that ticks while the page is hidden
  #beaten = 0;
  #retry = 0; // the timer of the next attempt
  #retryAt = 0;
  #attempt = 0;
  #since = Infinity; // when it came online
  #positions = new Map(); // channel → { epoch, seq }: the last message that we have
  #lost = new Set(); // channels whose position was lost, and was not told yet
  #isWhole = true; // no channel was lost since it was online last
  #loginMost; // bytes of a login
  #wanted = new Map(); // channel → [event, data] that enters it
  #room = 'lobby'; // entered last
  #queue = new Set(); // events that are kept, in order, until they are answered
  #flight = 0; // how many of those were sent on this link
  #flightBytes = 0;
  #flightMessages = 0;
  #last = null; // the message that was sent last on this link
  #window = 1; // how many messages may be
  #failing = null; // the error after which nothing leaves until all that was sent is answered
  #stall = 0; // the timer that ends the pause after that
  #stalls = 0; // in a row
  #leaveAt = 0; // when this node has been without Redis for too long; 0: it has Redis
  #moves = 0; // to other nodes for that reason, in a row
  #isTold = false; // that Redis is back
  #idPrefix = Date.now().toString(36) + Math.random().toString(36).slice(2);
  #idCount = 0;
  #waiting = []; // of ready()
  #settled = () => {}; // close() waits for what is pending
  #ending = null;
  #renewal = 0; // the timer of the next attempt to refresh the token
  #renewals = 0; // in a row
  #error; // of the refusal
  #pageEvents = {
    online: () => this.#look(),
    offline: () => this.#offline(),
    pageshow: () => this.#look(),
    visibilitychange: () => this.#turned(),
  };

  constructor(url, user, options = {}) {
    const {
      heartbeat = 2000,
      silence = 5000,
      chunk = 262144,
      outbox = 1000,
      window = 16,
      patience = 2000,
    } = options;
    const { reconnect = {}, resume = {}, WebSocket = globalThis.WebSocket } = options;
    if (typeof WebSocket !== 'function')
      throw new TypeError('no WebSocket here: give options.WebSocket');
    const pause = { least: 250, most: 5000, ...reconnect };
    const piece = Math.max(1024, least(chunk, FRAME_MOST - 65536));
    this.#url = address(url);
    this.#user = { ...user };
    this.#options = {
      heartbeat,
      silence,
      pause,
      piece,
      outbox,
      window: Math.max(1, window),
      patience,
      WebSocket,
    };
    this.#loginMost = Math.max(piece, STRANGER_MOST);
    this.#every = least(heartbeat ? heartbeat / 2 : Infinity, silence / 4);
    if (user.csId !== undefined) this.#want({ event: 'join', data: { room: `room-${user.csId}` } });
    for (const channel in resume) this.#resume(channel, resume[channel]);
    this.#connect();
    this.#clock = setInterval(() => this.#tick(), this.#every);
    this.#watchPage('addEventListener');
    this.#turned();
  }

  get state() {
    return this.#state;
  }

  get node() {
    return this.#node;
  }

  get connectionId() {
    return this.#connectionId;
  }

  get userId() {
    return String(this.#user.userId ?? '');
  }

  get positions() {
    return Object.fromEntries([...this.#positions].map(([channel, at]) => [channel, { ...at }]));
  }

  get pending() {
    return this.#queue.size;
  }

  on(event, listener) {
    return this.#listeners.add(event, listener);
  }

  once(event, listener) {
    return this.#listeners.add(event, listener, true);
  }

  off(event, listener) {
    this.#listeners.remove(event, listener);
  }

  ready() {
    if (this.#state === 'online') return Promise.resolve();
    if (this.#state === 'closed') return Promise.reject(this.#error);
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  emit(event, data, options = {}) {
    const answer = new Promise((resolve, reject) => {
      if (this.#ending || this.#state === 'closed') throw new SluiceError(CLOSED);
      const done = (error, answered) => (error ? reject(error) : resolve(answered));
      const complete = this.#complete(String(event), data);
      if (KEPT.has(event)) this.#keep(event, complete, options, done);
      else if (this.#state !== 'online') throw new SluiceError(GONE);
      else if (this.#link.owed >= this.#options.outbox) throw this.#tooMany();
      else this.#link.request(event, toJson(complete), this.#noting(event, complete, done));
    });
    if (!KEPT.has(event)) answer.catch(() => {}); // may be sent and forgotten
    return answer;
  }

  // A token that the application has refreshed itself is that of the next login, too.
  #noting(event, data, done) {
    if (event !== 'refresh' || typeof this.#user.token === 'function') return done;
    return (error, answered) => {
      if (!error) this.#user.token = data?.token;
      done(error, answered);
    };
  }

  async close(wait = 5000) {
    this.#ending ??= (async () => {
      if (this.#queue.size && wait > 0) {
        const timer = setTimeout(() => this.#settled(), wait);
        await new Promise((resolve) => (this.#settled = resolve));
        clearTimeout(timer);
      }
      await this.#finish();
    })();
    return this.#ending;
  }

  // ---- The connection

  #connect() {
    clearTimeout(this.#retry);
    this.#retry = 0;
    const socket = new this.#options.WebSocket(this.#url);
    const link = new Link(socket, {
      opened: () => this.#login(link),
      frame: (frame) => this.#receive(frame),
      closed: (code, reason) => this.#cut(code, reason),
    });
    this.#link = link;
    this.#ticked = performance.now();
  }

  // Positions that do not fit in one login go in further ones, each after the answer to the one
  // before it.
  async #login(link) {
    const { userId } = this.#user;
    const user = link.isIn ? { userId } : { ...this.#user, available: true };
    try {
      if (typeof user.token === 'function') user.token = await user.token();
    } catch (error) {
      if (link === this.#link) this.#cut('token', String(error?.message ?? error));
      return;
    }
    if (link !== this.#link || this.#state === 'closed') return; // it took too long
    if (!link.isIn) link.toResume = this.#inOrder();
    const positions = this.#fitting(link, user);
    const resume = positions.length ? Object.fromEntries(positions) : undefined;
    link.request('login', JSON.stringify({ ...user, resume }), (error, ack) => {
      if (!error) this.#enter(ack, positions.length);
      else this.#refused(link, error);
    });
  }

  // A login has failed.
  #refused(link, error) {
    const { code, field, message } = error;
    const guess = field === 'resume' && this.#user.userId === undefined && this.#inbox();
    if (code === 'gone') return;
    if (isPassing(error) || code === 'internal') {
      this.#later(error);
    } else if (code === 'too_many') {
      this.#cut('full', message);
    } else if (code === 'unauthorized' && typeof this.#user.token === 'function') {
      this.#cut('unauthorized', message); // the next token may be better
    } else if (code === 'forbidden' && guess) {
      this.#positions.delete(guess); // those positions were another user's
      this.#login(link);
    } else {
      this.#finish(error);
    }
  }

  #inbox() {
    return [...this.#positions.keys()].find((channel) => channel.startsWith('user:'));
  }

  // The token in use ends soon. A string cannot be renewed: the application hears of it, too.
  async #renew() {
    const link = this.#link;
    const { token } = this.#user;
    clearTimeout(this.#renewal);
    if (!link?.isIn || typeof token !== 'function') return;
    let json;
    try {
      json = toJson({ token: await token() });
    } catch {
      if (link === this.#link) this.#renewLater();
      return;
    }
    if (link !== this.#link) return;
    link.request('refresh', json, (error) => {
      if (!error) this.#renewals = 0;
      else if (isPassing(error) || /^(unauthorized|internal)$/.test(error.code)) this.#renewLater();
      else if (error.code !== 'gone') this.#listeners.tell('error', error);
    });
  }

  // Until the server closes the connection, with 4401.
  #renewLater() {
    const wait = this.#options.pause.least + this.#jitter(this.#renewals++);
    this.#renewal = setTimeout(() => this.#renew(), wait);
  }

  // The channels that the first login enters by itself come first: a later position is of no use.
  #inOrder() {
    const { csId, room } = this.#user;
    const first = [this.#inbox(), `room:room-${csId}`, `room:${room}`];
    const channels = new Set([...first, ...this.#positions.keys()]);
    return [...channels].filter((channel) => this.#positions.has(channel));
  }

  // The positions that go into the next login, at least one.
  #fitting({ isIn, toResume }, user) {
    let left = isIn ? this.#loginMost : least(STRANGER_MOST, this.#loginMost);
    left -= utf8.encode(JSON.stringify(user)).length + 64; // and the frame around it
    const positions = [];
    for (const channel of toResume) {
      const position = this.#positions.get(channel);
      left -= utf8.encode(JSON.stringify([channel, position])).length;
      if (left < 0 && positions.length) break;
      positions.push([channel, position]);
    }
    return positions;
  }

  // A login is acknowledged. The messages missed in the channels that it named follow the ack.
  #enter({ connectionId, node, userId, recovered, lost = [], resume = {} }, resumed) {
    const link = this.#link;
    this.#user.userId ??= userId; // the token says who it is
    link.isIn = true;
    link.toResume.splice(0, resumed);
    if (resumed && !recovered) this.#isWhole = false;
    for (const channel of lost) {
      this.#positions.delete(channel);
      this.#lost.add(channel);
      if (channel in resume) this.#again(channel);
      else this.#withdrawn(channel); // we may not be in it any more
    }
    for (const channel in resume) this.#baseline(channel, resume[channel]);
    this.#own.add(connectionId);
    if (this.#own.size > OWN_MOST) this.#own.delete(this.#own.values().next().value);
    this.#connectionId = connectionId;
    this.#node = node;
    this.#stalls = this.#leaveAt = 0;
    if (link.toResume.length) this.#login(link);
    else this.#isOnline();
  }

  #isOnline() {
    const recovered = this.#isWhole;
    this.#isWhole = true;
    this.#since = performance.now();
    this.#beaten = -Infinity;
    this.#window = WINDOW.first;
    this.#change('online', { node: this.#node, connectionId: this.#connectionId, recovered });
    for (const channel of this.#lost) this.#tellLost(channel);
    for (const { resolve } of this.#waiting.splice(0)) resolve();
    this.#beat();
    this.#pump();
  }

  #tellLost(channel) {
    if (this.#lost.delete(channel)) this.#listeners.tell('lost', { channel });
  }

  // Full jitter: clients that lost their connections together do not come back together.
  #jitter(attempt) {
    const { least: first, most } = this.#options.pause;
    return Math.random() * least(most, first * 2 ** attempt);
  }

  // How long to wait before the next attempt.
  #delay(how) {
    const { most } = this.#options.pause;
    if (how === 'soon' && this.#attempt === 0) return Math.random() * least(100, most);
    if (how === 'fault') return most * (2 + 4 * Math.random()); // it would only fail again
    return this.#jitter(this.#attempt);
  }

  // The connection is over; it comes back by itself.
  #cut(why, reason = '') {
    if (!this.#link) return;
    if (why === REVOKED) {
      this.#finish(new SluiceError(REVOCATION));
      return;
    }
    const [hint, how] = CLOSES[why] ?? [`The connection was closed with ${why}.`];
    if (why === 1009 && this.#state === 'online') this.#giveUpBiggest();
    else if (why === 1009) this.#loginMost /= 4;
    this.#end();
    const steady = least(STEADY, this.#options.pause.most);
    if (performance.now() - this.#since > steady) this.#attempt = 0;
    this.#since = Infinity;
    const offline = isOffline();
    const delay = Math.round(offline ? OFFLINE_RETRY : this.#delay(how));
    this.#comeBack(delay);
    const own = typeof why === 'string';
    this.#change('away', {
      code: own ? 1006 : why,
      reason: own && !reason ? why : reason,
      hint: offline ? CLOSES.offline[0] : hint,
      attempt: this.#attempt++,
      ...(!offline && { delay }),
    });
  }

  #comeBack(delay) {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.#connect(), delay);
    this.#retryAt = performance.now() + delay;
  }

  #end(wait) {
    const link = this.#link;
    this.#link = this.#last = null;
    clearTimeout(this.#stall);
    clearTimeout(this.#alarm);
    clearTimeout(this.#renewal);
    const ended = link?.end(wait); // each event in flight fails with `gone`
    this.#stall = this.#alarm = this.#leaveAt = this.#renewals = 0;
    this.#failing = null;
    this.#isTold = false;
    return ended;
  }

  // For good: close(), or a refusal.
  async #finish(error) {
    if (this.#state === 'closed') return;
    clearTimeout(this.#retry);
    clearInterval(this.#clock);
    this.#watchPage('removeEventListener');
    const closed = this.#end(1000);
    this.#ticker?.terminate();
    const failure = (this.#error = error ?? new SluiceError(CLOSED));
    const { message } = failure;
    const doubtful = new SluiceError({ ...failure, message, outcome: 'unknown' });
    for (const item of [...this.#queue]) this.#settle(item, item.doubt ? doubtful : failure);
    for (const { reject } of this.#waiting.splice(0)) reject(failure);
    this.#change('closed', error && { error });
    await closed;
  }

  #change(state, what) {
    const previous = this.#state;
    this.#state = state;
    this.#listeners.tell('state', { state, previous, ...what });
  }

  // ---- Is it alive?

  #tick() {
    const now = performance.now();
    const step = now - this.#ticked;
    if (step < this.#every / 2) return; // the page's timer and the ticker both call
    this.#ticked = now;
    this.#giveUpOld();
    if (this.#link) this.#listen(step);
    else if (now >= this.#retryAt) this.#connect();
  }

  // step: ms since the last time.
  #listen(step) {
    if (this.#isSilent()) return;
    // A heartbeat once a minute would make the user come and go each minute. So none is sent until
    // the page is shown again.
    if (!isHidden() || step < this.#every + GRACE) this.#beat();
  }

  // Cuts a link that is dead. If it would soon count as dead, looks again at that moment.
  #isSilent() {
    const link = this.#link;
    const { silence } = this.#options;
    clearTimeout(this.#alarm);
    link?.wait(Math.max(2 * this.#every, silence / 2));
    if (!link?.isOwed) return false;
    const most = silence + (link.bytes > EASY ? link.bytes / SLOWEST : 0);
    if (link.silent > most) {
      this.#cut('silent');
      return true;
    }
    const left = most - link.silent;
    if (left < this.#every) this.#alarm = setTimeout(() => this.#isSilent(), left + 1);
    return false;
  }

  #beat() {
    const { heartbeat } = this.#options;
    const since = performance.now() - this.#beaten;
    if (!this.#link?.isIn || !heartbeat || since < heartbeat - this.#every / 2) return;
    this.#beaten = performance.now();
    this.#link.request('heartbeat', undefined, () => {});
  }

  // Something may have changed: connects at once, or quickly checks whether the server answers.
  #look() {
    const { heartbeat, silence } = this.#options;
    if (this.#retry) this.#connect();
    if (this.#state !== 'online') return;
    this.#beaten = -Infinity;
    if (heartbeat) this.#beat();
    else this.#link.request('unsubscribe', NOTHING, () => {});
    this.#link.silent = Math.max(this.#link.silent, silence * HASTE);
  }

  #offline() {
    if (this.#link) return this.#cut('offline');
    this.#comeBack(OFFLINE_RETRY);
    const [hint] = CLOSES.offline;
    return this.#change('away', { code: 1006, reason: 'offline', hint, attempt: this.#attempt });
  }

  // The page was hidden or shown.
  #turned() {
    if (isHidden()) {
      this.#ticker ??= startTicker(this.#every, () => this.#tick());
      return;
    }
    this.#ticker?.terminate();
    this.#ticker = null;
    this.#look();
  }

  #watchPage(how) {
    for (const event in this.#pageEvents) {
      const target = event === 'visibilitychange' ? globalThis.document : globalThis;
      target?.[how]?.(event, this.#pageEvents[event]);
    }
  }

  // ---- What comes

  #resume(channel, position) {
    const { epoch, seq } = position ?? {};
    if (typeof epoch !== 'string' || !Number.isInteger(seq)) return;
    const [, kind, name] = channel.match(/^(\w+):(.*)$/s) ?? [];
    if (kind === 'room') this.#wanted.set(channel, ['join', { room: name }]);
    else if (kind === 'topic') this.#wanted.set(channel, ['subscribe', { channel }]);
    else if (kind !== 'user' || (this.userId && name !== this.userId)) return;
    this.#positions.set(channel, { epoch, seq });
  }

  // A position from an ack counts only if there is none: missed messages are still to come.
  #baseline(channel, { epoch, seq }) {
    if (!this.#positions.has(channel)) this.#positions.set(channel, { epoch, seq });
  }

  // False if we have it already.
  #advance(channel, { epoch, seq }) {
    const known = this.#positions.get(channel);
    if (known?.epoch === epoch && known.seq >= seq) return false;
    this.#positions.set(channel, { epoch, seq });
    return true;
  }

  #receive({ event, data, ...meta }) {
    if (meta.epoch !== undefined && !this.#advance(meta.channel, meta)) return;
    if (this.#own.has(meta.origin)) return;
    this.#tellLost(meta.channel); // before messages that come before the last login's ack
    if (event === 'available') return this.#available();
    if (event === 'token_expiring') this.#renew();
    if (event === 'revoked') this.#withdrawn(data.channel);
    if (event === 'joined') this.#joined(data, meta);
    if (event === 'userLeft' && String(data.userId) === this.userId) this.#left(data.room);
    if (event === 'error') this.#listeners.tell('error', new SluiceError(data));
    else this.#listeners.tell(event, data, meta);
    if (event === 'channel_reset') this.#listeners.tell('lost', data);
  }

  // A back end made the user a member of a room, which the node enters for us from this position on.
  // Without a channel, the frame corrects the position.
  #joined({ room, epoch, seq }, { channel }) {
    if (channel === undefined || !this.#positions.has(`room:${room}`)) this.#resume(`room:${room}`, { epoch, seq });
  }

  // Another connection of this user left a room, so this one must not enter it again.
  #left(room) {
    const channel = `room:${room}`;
    if ([...this.#queue].some(({ enters }) => enters === channel)) return;
    this.#wanted.delete(channel);
    if (this.#room === room) this.#room = 'lobby';
    this.#forget(room);
  }

  // A new token does not allow this channel: the node has left it.
  #withdrawn(channel) {
    const [, room] = channel.match(/^room:(.*)$/s) ?? [];
    this.#wanted.delete(channel);
    this.#positions.delete(channel);
    if (room !== undefined) this.#left(room);
  }

  #forget(room) {
    this.#positions.delete(`room:${room}`);
    if (room === `room-${this.#user.csId}`) delete this.#user.csId;
  }

  // ---- What leaves

  // The data in a form that another connection also understands.
  #complete(event, data) {
    if (event === 'sendMessage' && typeof data === 'string') data = { message: data };
    if (data !== undefined && data !== null && !isObject(data)) return data;
    const whole = { ...data };
    if (event === 'join') whole.room ??= 'lobby';
    if (OF_A_ROOM.has(event) && (whole.receiverId ?? whole.peer) === undefined)
      whole.room ??= this.#room;
    if (PAYLOAD[event]) whole.clientMessageId ??= this.#uniqueId();
    return whole;
  }

  #tooMany() {
    const message = `${this.#options.outbox} events are waiting already`;
    return new SluiceError({ code: 'too_many', message });
  }

  #uniqueId() {
    return `${this.#idPrefix}-${++this.#idCount}`;
  }

  #keep(event, data, { progress }, done) {
    if (this.#queue.size >= this.#options.outbox) throw this.#tooMany();
    const item = { event, data, done, progress, sent: false, retries: 0, before: this.#room };
    this.#pack(item);
    this.#want(item);
    this.#queue.add(item);
    this.#pump();
  }

  // The data as text, so that a change of it after emit() does no harm. A long text is in pieces.
  #pack(item) {
    const { piece } = this.#options;
    const field = PAYLOAD[item.event];
    item.json = toJson(item.data);
    if (field && isObject(item.data)) item.messageId = toJson(item.data.clientMessageId);
    item.bytes = bytesOf(item.json ?? '', piece);
    if (item.bytes > piece && typeof item.data[field] === 'string') {
      const { [field]: text, ...head } = item.data;
      item.json = toJson(head);
      item.pieces = split(text, piece);
      item.bytes = utf8.encode(item.json).length + piece;
    }
    if (item.bytes + 128 > FRAME_MOST || item.pieces?.length > PIECES_MOST)
      throw new SluiceError({ code: 'too_large', message: `${item.event} is too large`, field });
  }

  // Notes the rooms and topics that each new connection must enter.
  #want(item) {
    const { event, data } = item;
    if (event === 'join') {
      item.enters = `room:${data.room}`;
      this.#wanted.set(item.enters, ['join', { ...data, id: undefined }]);
      this.#room = data.room;
    } else if (event === 'leave') {
      this.#wanted.delete(`room:${data.room}`);
      if (this.#room === data.room) this.#room = 'lobby';
    } else if (event === 'subscribe' && data?.channel) {
      item.enters = data.channel;
      this.#wanted.set(item.enters, ['subscribe', { channel: item.enters }]);
    } else if (event === 'unsubscribe') {
      this.#wanted.delete(data?.channel);
    }
  }

  // Enters a room or topic again, before anything else.
  #again(channel) {
    const [event, data] = this.#wanted.get(channel) ?? [];
    if (!event || [...this.#queue].some((item) => item.enters === channel)) return;
    const done = (error) => error && this.#listeners.tell('error', error);
    const item = { event, data, done, sent: false, retries: 0, before: 'lobby', enters: channel };
    this.#pack(item);
    this.#queue = new Set([item, ...this.#queue]);
  }

  // Sends the events that may leave now.
  #pump() {
    if (this.#state !== 'online' || this.#stall) return;
    if (this.#failing && this.#flight > 0) return;
    if (this.#failing) return this.#later(this.#failing);
    for (const item of this.#queue) {
      if (!item.sent && !this.#fits(item)) return;
      if (!item.sent && !this.#giveUp(item)) this.#send(item);
      if (item.pieces && item.sent) return; // nothing else is sent with it
    }
  }

  // As many messages are under way as the option window allows. If one of them fails, the node
  // fails those after it, too.
  #fits({ bytes, pieces }) {
    if (this.#flight === 0) return true;
    if (pieces || this.#flightMessages >= this.#options.window) return false;
    return this.#flight < this.#window && this.#flightBytes + bytes <= FLIGHT_MOST;
  }

  #send(item) {
    const [event, json] = item.pieces ? this.#piece(item) : [item.event, this.#named(item)];
    this.#flew(item, 1);
    item.left = mark();
    this.#link.request(event, json, (error, data) => {
      this.#flew(item, -1);
      this.#doubt(item, error);
      if (error) this.#failed(item, error);
      else this.#answered(item, data);
    });
  }

  // Adds the id of the message before it, if that is not answered yet and must not be overtaken.
  #named(item) {
    const last = this.#last;
    if (!item.messageId) return item.json;
    this.#last = item;
    return last?.sent ? `{"after":${last.messageId},${item.json.slice(1)}` : item.json;
  }

  // From when on it may have been stored without our knowledge. The server recognizes a repeat only
  // for the time that it promises from then on.
  #doubt(item, error) {
    const { event, pieces, index, left } = item;
    const isWhole = !pieces || index === pieces.length - 1;
    const isUnknown = error?.code === 'gone' || (error && error.outcome === 'unknown');
    if (PAYLOAD[event] && isWhole && isUnknown) item.doubt ??= left;
  }

  #giveUp(item) {
    const isOld = item.doubt && elapsed(item.doubt) > PROMISE - least(this.#options.silence, 5000);
    if (isOld) this.#settle(item, new SluiceError(UNKNOWN));
    return Boolean(isOld);
  }

  #giveUpOld() {
    for (const item of this.#queue) this.#giveUp(item);
  }

  #flew(item, one) {
    item.sent = one > 0;
    this.#flight += one;
    this.#flightBytes += one * item.bytes;
    if (PAYLOAD[item.event]) this.#flightMessages += one;
  }

  #piece(item) {
    item.index ??= 0;
    item.id ??= this.#uniqueId();
    const { id, index, pieces } = item;
    const head = index === 0 ? { ...JSON.parse(item.json), event: item.event } : {};
    const data = { ...head, id, index, total: pieces.length, data: pieces[index] };
    return ['message_chunk', JSON.stringify(data)];
  }

  #answered(item, data) {
    const total = item.pieces?.length ?? 0;
    const isWhole = !total || item.index === total - 1;
    if (isWhole && PAYLOAD[item.event] && !Number.isInteger(data?.seq)) return this.#unstored(item);
    this.#stalls = this.#leaveAt = this.#moves = 0;
    this.#window = least(WINDOW.most, this.#window + 1);
    if (total) item.index++;
    if (total) this.#tellProgress(item, total);
    if (isWhole) {
      this.#learn(item, data);
      this.#settle(item, undefined, data);
    }
    return this.#pump();
  }

  // It was answered, but stored nowhere.
  #unstored(item) {
    this.#restart(item);
    if (item.retries++ < RETRIES) return this.#hold(UNSTORED);
    this.#settle(item, new SluiceError(UNSTORED));
    return this.#pump();
  }

  #tellProgress({ progress, index }, total) {
    try {
      progress?.(index, total);
    } catch (error) {
      report(error);
    }
  }

  // Takes the positions from an ack.
  #learn({ event, data: sent }, data) {
    if (event === 'join') {
      this.#baseline(`room:${data.room}`, data);
    } else if (event === 'subscribe') {
      this.#baseline(data.channel, data);
    } else if (event === 'leave') {
      this.#forget(sent.room);
    } else if (event === 'unsubscribe') {
      this.#positions.delete(sent.channel);
    } else if (event === 'private_message') {
      for (const channel in data.resume) this.#advance(channel, data.resume[channel]);
    }
  }

  #failed(item, error) {
    if (error.code === 'gone') return this.#restart(item);
    if (isPassing(error)) {
      const last = item.pieces && item.index === item.pieces.length - 1;
      if (last && error.code === 'unavailable') this.#restart(item); // all pieces had come
      return this.#hold(error);
    }
    if (item.pieces && isBroken(error) && item.index > 0 && item.retries++ < RETRIES) {
      this.#restart(item);
      return this.#hold(error);
    }
    const channel = `room:${item.data?.room}`;
    if (error.code === 'not_a_member' && this.#wanted.has(channel) && item.retries++ < RETRIES) {
      this.#restart(item);
      this.#again(channel);
      return this.#hold(error);
    }
    if (item.enters && !this.#positions.has(item.enters)) this.#wanted.delete(item.enters);
    if (item.event === 'join' && this.#room === item.data.room) this.#room = item.before;
    this.#settle(item, error);
    return this.#pump();
  }

  #restart(item) {
    item.id = item.index = undefined;
  }

  // The messages after one that failed fail, too. When all are answered, they are sent again, in
  // order.
  #hold(error) {
    this.#failing = error;
    this.#window = 1;
    return this.#pump();
  }

  // Goes on after a while, or when Redis is back. If the node is without Redis for too long,
  // another one is tried. Until then the socket stays open, since thousands would come back at
  // once.
  #later({ code }) {
    const { patience } = this.#options;
    if (this.#isTold) return this.#goOn();
    let wait = this.#jitter(this.#stalls++);
    if (code === 'unavailable' || code === 'internal') {
      const now = performance.now();
      const most = least(PATIENCE_MOST, patience * 2 ** this.#moves);
      this.#leaveAt ||= now + most * (1 + 0.1 * Math.random()); // not all clients at once
      const left = this.#leaveAt - now;
      if (left <= 0) this.#moves++;
      if (left <= 0) return this.#cut('stalled');
      wait = least(wait, left + 1);
    }
    this.#stall = setTimeout(() => this.#goOn(), wait);
    return undefined;
  }

  #goOn() {
    clearTimeout(this.#stall);
    this.#stall = 0;
    this.#isTold = false;
    this.#failing = null;
    if (this.#state === 'online') this.#pump();
    else this.#login(this.#link);
  }

  // The node reaches Redis again.
  #available() {
    this.#isTold = true;
    if (this.#stall) this.#goOn();
  }

  // The largest message is the most likely one that the server did not take.
  #giveUpBiggest() {
    const sent = [...this.#queue].filter((item) => item.sent).sort((a, b) => b.bytes - a.bytes);
    const error = { code: 'too_large', message: 'the server does not take so big a message' };
    if (sent.length) this.#settle(sent[0], new SluiceError(error));
  }

  #settle(item, error, data) {
    if (!this.#queue.delete(item)) return;
    item.done(error, data);
    if (this.#queue.size === 0) this.#settled();
  }
}
