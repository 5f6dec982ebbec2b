// The data of the page: conversations and people. This file knows neither the page nor the network.

const KEPT = 500; // messages of a conversation, unless the user looks at its past
const ROSTER = 100; // ids that a roster names at most
export const MEMBERS = 1000; // of a room, those who were seen last: no more are read
const collator = new Intl.Collator();

export const roomKey = (room) => `room:${room}`;
export const userKey = (user) => `user:${user}`;

// A message as the page wants it, from what chatMessage and new_private_message carry.
export function messageOf({ seq, userId, senderId, message, content, timestamp }) {
  const body = message === undefined ? content : message;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return { seq, from: String(userId ?? senderId), text, time: timestamp };
}

export class Conversation {
  messages = []; // { seq, from, text, time }, by seq
  notices = []; // { seq, text }: half a seq above the message that they stand under
  pending = []; // of mine, not stored yet: { id, text, progress?, error?, isShown }
  typing = new Map(); // user → the timer that ends it
  typedAt = 0; // when the last typing event of mine left
  draft = '';
  isLoaded = false; // the latest page of history was read
  isRefused = false; // the user may not enter
  loading = null; // a promise, while history is being read
  hasMore = false; // history has older ones
  life = 0; // counts resets
  read = 0; // I have read up to this
  toldRead = 0; // and the server was told
  peerRead = 0; // the other user has read up to this
  divider = 0; // messages of a higher seq were new when I came; 0: none
  counted = 0; // unread, as the server says, until the history is loaded
  members = new Set(); // of a room
  online = 0;
  total = 0;

  constructor(key, me) {
    this.key = key;
    this.me = me;
    this.isRoom = key.startsWith('room:');
    this.name = key.slice(key.indexOf(':') + 1); // the room, or the other one's id
  }

  // The fields that name it in history, read and typing.
  get target() {
    return this.isRoom ? { room: this.name } : { peer: this.name };
  }

  get latest() {
    return this.messages.at(-1)?.seq ?? 0;
  }

  get unread() {
    if (!this.isLoaded) return this.counted;
    let count = 0;
    for (let i = this.messages.length - 1; i >= 0; i--) {
      const { seq, from } = this.messages[i];
      if (seq <= this.read) return count;
      if (from !== this.me) count++;
    }
    return this.hasMore ? count + this.messages[0].seq - this.read - 1 : count;
  }

  // Searches from the end, since most messages that are asked for are there.
  has(seq) {
    const last = this.messages.findLast((message) => message.seq <= seq);
    return last?.seq === seq;
  }

  // Does this message show that the log began again? In a log the time never falls.
  isRestartedBy({ seq, time }) {
    const last = this.messages.at(-1);
    return last !== undefined && seq <= last.seq && time > last.time;
  }

  // Takes messages in any order, as often as they come; returns those that are new here.
  add(messages) {
    const fresh = messages.filter(({ seq }) => !this.has(seq));
    if (fresh.length === 0) return fresh;
    const isInOrder = fresh[0].seq > this.latest;
    this.messages.push(...fresh);
    if (!isInOrder || fresh.length > 1) this.messages.sort((a, b) => a.seq - b.seq);
    return fresh;
  }

  // A message of mine is stored. It may have come as an event before its ack; it is shown once.
  hidePending(text) {
    const same = this.pending.find((one) => one.isShown && !one.error && one.text === text);
    if (same) same.isShown = false;
    return Boolean(same);
  }

  settle(entry) {
    this.pending = this.pending.filter((one) => one !== entry);
  }

  notice(text) {
    const below = this.notices.at(-1)?.seq ?? 0;
    const seq =
      Math.floor(below) === this.latest ? (below + this.latest + 1) / 2 : this.latest + 0.5;
    const notice = { seq, text };
    this.notices.push(notice);
    return notice;
  }

  // Sets the line of new messages, when the user looks (again) at unread messages.
  divide() {
    this.divider = this.unread > 0 && this.read > 0 ? this.read : 0;
  }

  forgetOldest() {
    if (this.messages.length <= KEPT * 1.2) return false;
    this.messages = this.messages.slice(-KEPT);
    this.notices = this.notices.filter(({ seq }) => seq > this.messages[0].seq);
    this.hasMore = true;
    return true;
  }

  // Forgets all messages, since some may be missing between them.
  reset() {
    this.life++;
    Object.assign(this, {
      messages: [],
      notices: [],
      isLoaded: false,
      loading: null,
      read: 0,
      toldRead: 0,
    });
    Object.assign(this, { hasMore: false, counted: 0, divider: 0, peerRead: 0 });
  }
}

export class Store {
  conversations = new Map(); // key → Conversation, in the order of their coming
  people = new Map(); // id → { id, name, online }; online is undefined while nobody has said

  constructor(me) {
    this.me = me;
  }

  has(key) {
    return this.conversations.has(key);
  }

  get(key) {
    return this.conversations.get(key);
  }

  open(key) {
    let found = this.conversations.get(key);
    if (!found) this.conversations.set(key, (found = new Conversation(key, this.me)));
    return found;
  }

  close(key) {
    this.conversations.delete(key);
  }

  get all() {
    return [...this.conversations.values()];
  }

  get rooms() {
    return this.all.filter(({ isRoom }) => isRoom);
  }

  get peers() {
    return this.all.filter(({ isRoom }) => !isRoom);
  }

  get unread() {
    return this.all.reduce((sum, { unread }) => sum + unread, 0);
  }

  person(id) {
    let found = this.people.get(id);
    if (!found) this.people.set(id, (found = { id, name: id, online: undefined }));
    return found;
  }

  nameOf(id) {
    return this.people.get(id)?.name ?? id;
  }

  titleOf({ isRoom, name }) {
    return isRoom ? name : this.nameOf(name);
  }

  // Takes the answer of all_member. nameFor(id, username) returns the name to show.
  members(room, list, nameFor) {
    room.members = new Set(list.map(({ id }) => String(id)));
    for (const { id, username, online } of list) {
      Object.assign(this.person(String(id)), { name: nameFor(String(id), username), online });
    }
    if (list.length < MEMBERS) room.online = list.filter(({ online }) => online).length;
    room.total = list.length < MEMBERS ? list.length : Math.max(room.total, list.length);
  }

  // A user is in the room, and online. False if the user was no member so far.
  enter(room, id) {
    const isMember = room.members.has(id);
    this.person(id).online = true;
    room.members.add(id);
    return isMember;
  }

  // Takes a roster: the users that are online in a room, unless the list is cut off. False if it
  // differs from what is known: a user is new, or is missing.
  roster(room, ids) {
    const here = new Set(ids.map(String));
    const isWhole = here.size < ROSTER;
    if (isWhole) room.online = here.size;
    let isKnown = true;
    for (const id of here) isKnown = this.enter(room, id) && isKnown;
    const isMissed = (id) => isWhole && this.person(id).online && !here.has(id);
    return isKnown && ![...room.members].some(isMissed);
  }

  // The members of a room in the order to show: I first, then those online, each by name.
  listed(room) {
    const rank = ({ id, online }) => (id === this.me ? 0 : online ? 1 : 2);
    return [...room.members]
      .map((id) => this.person(id))
      .sort((a, b) => rank(a) - rank(b) || collator.compare(a.name, b.name));
  }
}
