// Between the server and the store: sends what the user does, and keeps what comes.

import { nameFor, People } from './people.js';
import { Sluice } from './sluice.js';
import { messageOf, roomKey, Store, userKey } from './store.js';

const PAGE = 50; // messages of history
const TYPING_PAUSE = 3000; // ms between two typing events of mine
const TYPING_LASTS = 5000;
const READ_PAUSE = 250; // ms in which read marks gather
const REMEMBERED = 40; // private conversations that the next visit shows

/*
 * One user's conversations. It calls `page` when something changed:
 *   messages(conversation, fresh, isPast)  messages came, or (fresh null) all were read again
 *   pending(conversation)                  what is being sent
 *   marks(conversation)                    the other one's read mark
 *   typing(conversation)
 *   lists()                                conversations, unread counts, people
 *   state(change)                          as sluice.js tells it
 *   left(conversation)                     it is closed: the user left the room elsewhere
 *   lost(conversation, from, to)           messages may be missing
 *   notice(conversation, text)             the operator sent a text (no conversation: to all)
 */
export class Session {
  #page;
  #sent = 0; // messages of mine so far
  #readTimers = new Map(); // conversation → timer
  #people;
  #tabs; // tells this user's other tabs what was read here
  #memory; // where this user's conversations are remembered
  #logins = 0;

  constructor(userId, username, page, token) {
    this.me = userId;
    this.store = new Store(userId);
    this.#page = page;
    this.#memory = `sluice:${userId}`;
    this.store.person(userId).name = nameFor(userId, username);
    const resume = { [userKey(userId)]: this.#remembered().inbox };
    this.sluice = new Sluice(undefined, { userId, username, token }, { resume });
    this.#people = new People(this.sluice, this.store, {
      changed: () => page.lists(),
      unread: (id, count) => this.#unread(id, count),
    });
    this.#listen();
    this.#tabs = new BroadcastChannel(this.#memory);
    this.#tabs.onmessage = ({ data }) => this.#readElsewhere(data);
    this.#recall();
  }

  async close() {
    this.flush();
    this.#tabs.close();
    await this.sluice.close(2000);
  }

  // ---- Conversations

  // The conversations that were open at the last visit.
  #recall() {
    const { rooms, people } = this.#remembered();
    for (const room of rooms) this.join(room);
    for (const { id, name } of people) {
      this.store.person(id).name = nameFor(id, name);
      this.openPeer(id);
    }
  }

  #remembered() {
    let known = {};
    try {
      known = JSON.parse(localStorage.getItem(this.#memory)) ?? {};
    } catch {} // another page may have written there
    return { rooms: known.rooms ?? ['lobby'], people: known.people ?? [], inbox: known.inbox };
  }

  // Changes what is remembered by this one only: other tabs have theirs.
  #remember({ isRoom, name }, isKept) {
    let { rooms, people } = this.#remembered();
    if (isRoom) {
      rooms = rooms.filter((room) => room !== name).concat(isKept ? name : []);
    } else {
      const person = { id: name, name: this.store.nameOf(name) };
      people = people.filter(({ id }) => id !== name).concat(isKept ? person : []);
    }
    this.#save({ rooms, people: people.slice(-REMEMBERED) });
  }

  // How far the inbox was read: the next visit gets what came since, also from strangers.
  #rememberInbox() {
    const inbox = this.sluice.positions[userKey(this.me)];
    if (inbox) this.#save({ inbox });
  }

  #save(what) {
    try {
      localStorage.setItem(this.#memory, JSON.stringify({ ...this.#remembered(), ...what }));
    } catch {} // full, or not allowed
  }

  // Returns the room's conversation at once; its messages come later.
  join(name) {
    const known = this.store.get(roomKey(name));
    if (known) return known;
    const room = this.store.open(roomKey(name));
    this.#remember(room, true);
    this.#enter(room);
    this.#page.lists();
    return room;
  }

  async #enter(room) {
    try {
      const { seq } = await this.sluice.emit('join', { room: room.name });
      this.#people.refresh(room);
      await this.load(room);
      // A user that was never here has nothing unread.
      if (room.read === 0 && seq > 0) this.markRead(room, seq);
    } catch (error) {
      if (this.sluice.state === 'closed') return; // all of the user was refused, not the room
      this.#remember(room, false);
      room.isRefused = true;
      this.#page.messages(room, [], true);
      this.#page.notice(room, `You could not enter: ${error.message}`);
    }
  }

  leave(conversation) {
    this.#close(conversation);
    if (conversation.isRoom) this.sluice.emit('leave', conversation.target).catch(() => {});
    this.#page.lists();
  }

  // Of me: in another tab, or on another device.
  #leftElsewhere({ room, userId }) {
    const conversation = this.store.get(roomKey(room));
    if (!conversation || String(userId) !== this.me) return;
    this.#close(conversation);
    this.#page.left(conversation);
  }

  #close(conversation) {
    this.store.close(conversation.key);
    this.#remember(conversation, false);
  }

  openPeer(id) {
    const known = this.store.get(userKey(id));
    if (known) return known;
    const conversation = this.store.open(userKey(id));
    this.#remember(conversation, true);
    this.load(conversation);
    this.#page.lists();
    return conversation;
  }

  // ---- History

  // The latest page, once.
  load(conversation) {
    if (conversation.isLoaded) return Promise.resolve();
    conversation.loading ??= this.#read(conversation, { marks: true });
    return conversation.loading;
  }

  // The page before what there is, if there is one.
  older(conversation) {
    const { isLoaded, hasMore, messages } = conversation;
    if (!isLoaded || !hasMore || conversation.loading) return;
    conversation.loading = this.#read(conversation, { before: messages[0].seq });
  }

  async #read(conversation, which) {
    const { life } = conversation;
    try {
      const asked = { ...conversation.target, limit: PAGE, ...which };
      const { messages, more, read } = await this.sluice.emit('history', asked);
      if (conversation.life !== life) return;
      conversation.hasMore = more;
      conversation.isLoaded = true;
      conversation.loading = null;
      this.#takeMarks(conversation, read);
      const fresh = conversation.add(messages.map(messageOf));
      this.#page.messages(conversation, which.marks ? null : fresh, true);
    } catch (error) {
      if (conversation.life === life)
        Object.assign(conversation, { loading: null, hasMore: false });
      if (error.code === 'closed') return;
      this.#page.notice(conversation, `The history could not be read: ${error.message}`);
    }
    this.#page.lists();
  }

  #takeMarks(conversation, marks = {}) {
    const { me } = this;
    conversation.read = Math.max(conversation.read, marks[me] ?? 0);
    if (!conversation.isRoom) {
      conversation.peerRead = Math.max(conversation.peerRead, marks[conversation.name] ?? 0);
    }
  }

  // ---- What the user does

  async send(conversation, text) {
    const entry = { id: ++this.#sent, text, isShown: true };
    conversation.pending.push(entry);
    conversation.typedAt = 0;
    this.#page.pending(conversation);
    const { name, isRoom } = conversation;
    const [event, data] = isRoom
      ? ['sendMessage', { room: name, message: text }]
      : ['private_message', { receiverId: name, content: text }];
    const progress = (done, total) => {
      entry.progress = done / total;
      this.#page.pending(conversation);
    };
    try {
      const { seq, timestamp } = await this.sluice.emit(event, data, { progress });
      conversation.settle(entry);
      this.#page.pending(conversation);
      this.#add(conversation, { seq, from: this.me, text, time: timestamp });
    } catch (error) {
      Object.assign(entry, { error, isShown: true });
      this.#page.pending(conversation);
    }
  }

  // Sends a message that failed once more, after all others.
  async retry(conversation, entry) {
    conversation.settle(entry);
    if (entry.error?.code === 'not_a_member') {
      await this.sluice.emit('join', conversation.target).catch(() => {});
    }
    this.send(conversation, entry.text);
  }

  discard(conversation, entry) {
    conversation.settle(entry);
    this.#page.pending(conversation);
  }

  // Tells the others now and then that I am typing.
  type(conversation) {
    const { isRoom, name, typedAt } = conversation;
    if (Date.now() - typedAt < TYPING_PAUSE) return;
    conversation.typedAt = Date.now();
    this.sluice.emit('typing', isRoom ? { room: name } : { receiverId: name }).catch(() => {});
  }

  markRead(conversation, seq = conversation.latest) {
    if (seq <= conversation.read || !conversation.isLoaded) return;
    conversation.read = seq;
    this.#tabs.postMessage({ key: conversation.key, read: seq });
    this.#page.lists();
    this.#tellRead(conversation);
  }

  // At once, and after a pause what was read meanwhile.
  #tellRead(conversation) {
    if (this.#readTimers.has(conversation) || conversation.toldRead === conversation.read)
      return;
    const { target, read } = conversation;
    conversation.toldRead = read;
    this.sluice.emit('read', { ...target, seq: read }).catch(() => {});
    this.#readTimers.set(
      conversation,
      setTimeout(() => this.#pauseEnds(conversation), READ_PAUSE),
    );
  }

  #pauseEnds(conversation) {
    clearTimeout(this.#readTimers.get(conversation));
    this.#readTimers.delete(conversation);
    this.#tellRead(conversation);
  }

  // The page may be closed, so what was gathered is sent now.
  flush() {
    this.#rememberInbox();
    for (const conversation of [...this.#readTimers.keys()]) this.#pauseEnds(conversation);
  }

  #readElsewhere({ key, read }) {
    const conversation = this.store.get(key);
    if (!conversation || read <= conversation.read) return;
    conversation.read = read;
    this.#page.lists();
  }

  // ---- What the server says

  #listen() {
    const { sluice, store } = this;
    const page = this.#page;
    const listeners = {
      chatMessage: (data) => this.#came(store.get(roomKey(data.room)), data),
      new_private_message: (data) => this.#private(data),
      message_read: (data) => this.#peerRead(data),
      typing: (data) => this.#typing(data),
      message: (data, { channel }) => page.notice(store.get(channel), String(data)),
      userLeft: (data) => this.#leftElsewhere(data),
      revoked: ({ channel }) => this.#withdrawn(channel),
      token_expiring: ({ expiresIn }) => this.#expiring(expiresIn),
      lost: (lost) => this.#lost(lost),
      state: (change) => this.#state(change),
    };
    for (const [event, listener] of Object.entries(listeners)) sluice.on(event, listener);
  }

  // The token does not allow this room any more.
  #withdrawn(channel) {
    const room = this.store.get(channel);
    if (!room) return;
    this.#page.notice(null, `Your token no longer allows ${room.name}`);
    this.#leftElsewhere({ room: room.name, userId: this.me });
  }

  #expiring(ms) {
    const seconds = Math.ceil(ms / 1000);
    this.#page.notice(null, `Your token ends in ${seconds} s: sign out, and come in with a new one`);
  }

  #other = ({ senderId, receiverId }) =>
    String(senderId) === this.me ? String(receiverId) : String(senderId);

  #state(change) {
    if (change.state === 'online') {
      this.#logins++;
      this.#rememberInbox();
    }
    this.#page.state(change);
  }

  #private(data) {
    this.#came(this.openPeer(this.#other(data)), data);
    this.#rememberInbox();
  }

  // A message of mine may come before its ack.
  #came(conversation, data) {
    if (!conversation) return;
    const message = messageOf(data);
    const isMine = message.from === this.me && !conversation.has(message.seq);
    if (isMine && conversation.hidePending(message.text)) this.#page.pending(conversation);
    this.#add(conversation, message);
  }

  #add(conversation, message) {
    this.#stopTyping(conversation, message.from);
    if (conversation.isRestartedBy(message)) this.#restart(conversation);
    const fresh = conversation.add([message]);
    if (fresh.length) this.#page.messages(conversation, fresh, false);
    this.#page.lists();
  }

  #peerRead({ userId, peer, seq }) {
    const conversation = this.store.get(userKey(userId));
    if (!conversation || String(peer) !== this.me || seq <= conversation.peerRead) return;
    conversation.peerRead = seq;
    this.#page.marks(conversation);
  }

  #typing({ userId, senderId, room }) {
    const user = String(userId ?? senderId);
    const conversation = this.store.get(room === undefined ? userKey(user) : roomKey(room));
    if (!conversation || user === this.me) return;
    clearTimeout(conversation.typing.get(user));
    const end = () => this.#stopTyping(conversation, user);
    conversation.typing.set(user, setTimeout(end, TYPING_LASTS));
    this.#page.typing(conversation);
  }

  #stopTyping(conversation, user) {
    if (!conversation.typing.has(user)) return;
    clearTimeout(conversation.typing.get(user));
    conversation.typing.delete(user);
    this.#page.typing(conversation);
  }

  // Private messages from before this page was opened that are not read yet.
  #unread(id, count) {
    const conversation = this.openPeer(id);
    if (!conversation.isLoaded) conversation.counted = count;
  }

  // ---- What is gone

  #lost({ channel, from, to }) {
    const isInbox = channel === userKey(this.me);
    if (isInbox && from === undefined && this.#logins === 1) return; // all is being read anyway
    const hit = isInbox ? this.store.peers : [this.store.get(channel)].filter(Boolean);
    for (const conversation of hit) {
      this.#restart(conversation).then(() => this.#page.lost(conversation, from, to));
    }
  }

  // Its messages and read marks belong to a log that is gone.
  #restart(conversation) {
    conversation.reset();
    this.#page.messages(conversation, null, true);
    return this.load(conversation);
  }
}
