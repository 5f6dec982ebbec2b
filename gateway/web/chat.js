// The chat page. A Connection speaks the protocol (gateway/PROTOCOL.md) and knows nothing of the
// page; the View is the page and knows nothing of the protocol. What joins them is at the end.

const ROOM = 'lobby';
const BEAT = 2000; // ms between heartbeats
const SILENCE = 15000; // a beat unanswered for so long: the connection is dead
const PAUSE = 250; // before the first attempt to come back; doubles up to PAUSE_MOST
const PAUSE_MOST = 5000;
const PAGE = 50; // messages of history
const SHOWN_MOST = 500; // older ones leave the page

// Full jitter: those who were cut off together do not come back together.
const jitter = (attempt) => Math.random() * Math.min(PAUSE_MOST, PAUSE * 2 ** attempt);
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const isPassing = (error) => error.code === 'unavailable' || error.code === 'rate_limited';

/*
 * One user in one room, over as many sockets as it takes. `handler` has
 *   connected(node)             logged in and in the room
 *   away()                      not any more; it comes back by itself
 *   refused(error)              the server does not let this user in: the end
 *   event(name, data, channel)  an event of the server
 *   lost(channel)               there may be holes in what came of the channel
 *   sent(id, seq)               a message of ours is stored
 *   failed(id, error)           a message of ours never will be
 */
class Connection {
  #socket = null;
  #timer = 0; // of the heartbeat
  #attempt = 0;
  #owed = 0; // since when the server owes us a frame; 0: it does not
  #acks = new Map(); // number → { resolve, reject }, of this socket
  #ackCount = 0;
  #positions = new Map(); // channel → { epoch, seq }: the last that we have
  #outbox = new Map(); // clientMessageId → message, in order, until acknowledged
  #idPrefix = crypto.getRandomValues(new Uint32Array(2)).join('-');
  #ready = false; // what is said may leave at once

  constructor(url, user, room, handler) {
    Object.assign(this, { url, user, room, handler });
    this.#connect();
  }

  // Sends an event; resolves to its ack. Rejects with its error, or { code: 'gone' }.
  request(event, data) {
    const ack = ++this.#ackCount;
    return new Promise((resolve, reject) => {
      if (this.#socket?.readyState !== WebSocket.OPEN) return reject({ code: 'gone' });
      this.#acks.set(ack, { resolve, reject });
      this.#socket.send(JSON.stringify({ event, data, ack }));
    });
  }

  // As request, again and again while the server cannot.
  async insist(event, data) {
    const socket = this.#socket;
    for (let attempt = 1; socket === this.#socket; attempt++) {
      try {
        return await this.request(event, data);
      } catch (error) {
        if (!isPassing(error)) throw error;
      }
      await sleep(jitter(attempt));
    }
    throw { code: 'gone' };
  }

  // Sends a message to the room, now or as soon as there is a way; returns its id.
  say(message) {
    const id = `${this.#idPrefix}-${++this.#ackCount}`;
    this.#outbox.set(id, message);
    if (this.#ready) this.#transmit(id, message);
    return id;
  }

  #connect() {
    const socket = new WebSocket(this.url);
    this.#socket = socket;
    this.#owed = Date.now();
    socket.onopen = () => this.#enter();
    socket.onmessage = ({ data }) => socket === this.#socket && this.#receive(JSON.parse(data));
    socket.onclose = () => socket === this.#socket && this.#comeBack();
    this.#timer = setInterval(() => this.#beat(), BEAT);
  }

  #end() {
    const socket = this.#socket;
    clearInterval(this.#timer);
    this.#socket = null;
    this.#ready = false;
    socket.close();
    for (const { reject } of this.#acks.values()) reject({ code: 'gone' });
    this.#acks.clear();
  }

  #comeBack() {
    this.#end();
    this.handler.away();
    setTimeout(() => this.#connect(), jitter(this.#attempt++));
  }

  // Login, room, then what is not acknowledged. What was missed comes behind the login's ack.
  async #enter() {
    const resume = this.#positions.size ? Object.fromEntries(this.#positions) : undefined;
    try {
      const { node, lost = [], resume: now } = await this.insist('login', { ...this.user, resume });
      for (const channel of lost) this.#positions.delete(channel);
      for (const channel in now) this.#baseline(channel, now[channel]);
      lost.forEach((channel) => this.handler.lost(channel));
      const { room, epoch, seq } = await this.insist('join', { room: this.room });
      this.#baseline(`room:${room}`, { epoch, seq });
      this.#attempt = 0;
      this.handler.connected(node);
      this.#flush();
    } catch (error) {
      if (!error.code) throw error;
      if (error.code === 'gone') return;
      this.#end();
      this.handler.refused(error);
    }
  }

  // A position from an ack counts only where there is none: what was missed is still to come.
  #baseline(channel, position) {
    if (!this.#positions.has(channel)) this.#positions.set(channel, position);
  }

  #advance({ channel, epoch, seq }) {
    const known = this.#positions.get(channel);
    if (known?.epoch !== epoch || known.seq < seq) this.#positions.set(channel, { epoch, seq });
  }

  #receive(frame) {
    this.#owed = 0;
    if (frame.event !== undefined) {
      if (frame.epoch) this.#advance(frame);
      if (frame.event === 'channel_reset') this.handler.lost(frame.data.channel);
      else this.handler.event(frame.event, frame.data, frame.channel);
      return;
    }
    const waiting = this.#acks.get(frame.ack);
    this.#acks.delete(frame.ack);
    if (frame.error) waiting?.reject(frame.error);
    else waiting?.resolve(frame.data);
  }

  #beat() {
    if (this.#owed && Date.now() - this.#owed > SILENCE) return this.#comeBack();
    this.#owed ||= Date.now();
    this.request('heartbeat').catch(() => {});
  }

  #flush() {
    this.#ready = true;
    for (const [id, message] of this.#outbox) this.#transmit(id, message);
  }

  async #transmit(id, message) {
    try {
      const data = { room: this.room, message, clientMessageId: id };
      const { seq } = await this.request('sendMessage', data);
      this.#outbox.delete(id);
      this.handler.sent(id, seq);
    } catch (error) {
      if (error.code === 'gone') return;
      if (isPassing(error) || error.code === 'not_a_member') return this.#stall();
      this.#outbox.delete(id);
      this.handler.failed(id, error);
    }
  }

  // The messages behind one that failed fail too; all of them leave again, in order. The room may
  // have been left elsewhere, or lost with Redis.
  async #stall() {
    if (!this.#ready) return;
    const socket = this.#socket;
    this.#ready = false;
    await sleep(PAUSE + jitter(2));
    if (socket === this.#socket) this.#enter();
  }
}

const $ = (id) => document.getElementById(id);

function element(tag, className, ...content) {
  const made = document.createElement(tag);
  made.className = className;
  made.append(...content); // strings become text, whatever is in them
  return made;
}

// An element about a user, in a colour of their own that is the same on every page.
function userElement(tag, user, me, ...content) {
  const made = element(tag, user === me ? 'mine' : '', ...content);
  let hue = 0;
  for (const c of user) hue = (hue * 31 + c.codePointAt(0) * 47) % 360;
  made.style.setProperty('--hue', hue);
  return made;
}

class View {
  #me = '';
  #seen = new Set(); // seqs
  #pending = new Map(); // clientMessageId → li

  // The room for the user `me`; the door, and why it is shut, for nobody.
  show(me, refusal = '') {
    this.#me = me;
    $('door').hidden = Boolean(me);
    $('room').hidden = !me;
    $('refusal').textContent = refusal;
    $(me ? 'text' : 'name').focus();
  }

  // state: out, away or in
  state(state, text) {
    $('state').textContent = text;
    $('state').dataset.state = state;
  }

  roster(users) {
    $('online').replaceChildren(...users.map((user) => userElement('li', user, this.#me, user)));
    this.count(users.length);
  }

  count(online) {
    $('count').textContent = online;
  }

  clear() {
    this.#seen.clear();
    $('messages').replaceChildren();
  }

  // Messages of the room, in any order and as often as they come; each is shown once, by its
  // seq. Those of the past are not read out.
  add(messages, past = false) {
    const log = $('log');
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
    log.ariaLive = past ? 'off' : 'polite';
    for (const message of messages) if (!this.#seen.has(message.seq)) this.#insert(message);
    while ($('messages').childElementCount > SHOWN_MOST) $('messages').firstChild.remove();
    if (atEnd || past) log.scrollTop = log.scrollHeight;
  }

  #insert({ userId: user, message, timestamp, seq }) {
    this.#seen.add(seq);
    for (const [id, li] of this.#pending) if (li.seq === seq) this.#settle(id);

    const when = new Date(timestamp);
    const time = element('time', '', when.toTimeString().slice(0, 5));
    time.dateTime = when.toISOString();
    time.title = when.toLocaleString();
    const text = typeof message === 'string' ? message : JSON.stringify(message);
    const what = [element('b', '', user), ' ', time, ' ', element('span', 'text', text)];
    const li = Object.assign(userElement('li', user, this.#me, ...what), { seq, user, timestamp });

    let above = $('messages').lastElementChild;
    while (above?.seq > seq) above = above.previousElementSibling;
    if (above) above.after(li);
    else $('messages').prepend(li);
    this.#group(li);
    this.#group(li.nextElementSibling);
  }

  // What a user says in a row, within minutes, stands under one name.
  #group(li) {
    const above = li?.previousElementSibling;
    li?.classList.toggle('more', above?.user === li.user && li.timestamp - above.timestamp < 3e5);
  }

  // A message that is on its way: dimmed, until the room has it.
  pending(id, text) {
    this.#pending.set(id, userElement('li', this.#me, this.#me, element('span', 'text', text)));
    $('pending').append(this.#pending.get(id));
    $('log').scrollTop = $('log').scrollHeight;
  }

  sent(id, seq) {
    if (this.#seen.has(seq)) this.#settle(id);
    else this.#pending.get(id).seq = seq;
  }

  failed(id, why) {
    this.#pending.get(id).append(element('small', '', `Not sent: ${why}`));
  }

  #settle(id) {
    this.#pending.get(id)?.remove();
    this.#pending.delete(id);
  }
}

function enter(name) {
  // An id has no white space, control characters, colons or braces.
  const userId = name.replace(/[\s:{}\p{Cc}\p{Cs}]+/gu, '-');
  const url = `${location.origin.replace('http', 'ws')}/ws`;
  const isHere = (channel) => channel === `room:${ROOM}`;
  let whole = false; // history was read

  async function readHistory() {
    whole = true;
    try {
      const { messages } = await connection.insist('history', { room: ROOM, limit: PAGE });
      view.add(messages, true);
    } catch {
      whole = false; // the next connected() asks again
    }
  }

  const events = {
    chatMessage: (data) => data.room === ROOM && view.add([data]),
    onlineUsers: (users, channel) => isHere(channel) && view.roster(users),
    update_member_list: (data) => data.room === ROOM && view.count(data.online),
  };
  const connection = new Connection(url, { userId, username: name }, ROOM, {
    connected(node) {
      view.state('in', `Connected to ${node}`);
      if (!whole) readHistory();
    },
    away: () => view.state('away', 'Connection lost, coming back…'),
    refused(error) {
      view.state('out', 'Not connected');
      view.show('', error.message ?? error.code);
    },
    event: (event, data, channel) => events[event]?.(data, channel),
    lost(channel) {
      if (!isHere(channel)) return;
      view.clear();
      readHistory();
    },
    sent: (id, seq) => view.sent(id, seq),
    failed: (id, error) => view.failed(id, error.message ?? error.code),
  });
  $('say').onsubmit = (event) => {
    event.preventDefault();
    const text = $('text').value;
    if (text.trim() === '') return;
    $('text').value = '';
    view.pending(connection.say(text), text);
  };
  view.state('away', 'Connecting…');
  view.show(userId);
}

const view = new View();
$('name').value = sessionStorage.getItem('name') ?? '';
$('door').onsubmit = (event) => {
  event.preventDefault();
  const name = $('name').value.replace(/\p{Cs}/gu, '').trim();
  if (name === '') return;
  sessionStorage.setItem('name', name);
  enter(name);
};
