// The users in the rooms: their names, and whether they are online.

import { idOf } from './dom.js';
import { MEMBERS, roomKey } from './store.js';

const PAUSE = 2000; // ms between two reads of a room's members
const PAUSE_BIG = 10000;
const BIG = 250; // members
const PAGE = 250; // members of an answer

// A username counts only if it belongs to the id, so that no user passes for another.
export const nameFor = (id, username) => (username && idOf(username) === id ? username : id);

/*
 * Keeps the store's people. Rosters and single events change them at once; names, and members who
 * are away, are read by all_member when something is not known.
 * `acts` has changed(), unread(id, count): so many private messages of theirs are not read.
 */
export class People {
  #sluice;
  #store;
  #acts;
  #resting = new Map(); // room → { again }, for a while after its members were read

  constructor(sluice, store, acts) {
    this.#sluice = sluice;
    this.#store = store;
    this.#acts = acts;
    const inRoom = (ids, { channel }) => this.#roster(store.get(channel), ids);
    const listeners = {
      onlineUsers: inRoom,
      Online_user: inRoom,
      userJoined: ({ room, userId }) => this.#came(store.get(roomKey(room)), String(userId)),
      userLeft: ({ room }) => this.#left(store.get(roomKey(room))),
      user_online: (id) => this.#presence(id, true),
      user_offline: (id) => this.#presence(id, false),
      update_member_list: (data) => this.#counts(data),
      state: ({ state }) =>
        state === 'online' && store.rooms.forEach((room) => this.refresh(room)),
    };
    for (const [event, listener] of Object.entries(listeners)) sluice.on(event, listener);
  }

  // Reads the members of the room: now, or later if they were read just before.
  refresh(room) {
    const rest = this.#resting.get(room);
    if (rest) {
      rest.again = true;
      return;
    }
    const state = { again: false };
    this.#resting.set(room, state);
    const end = () => {
      this.#resting.delete(room);
      if (state.again) this.refresh(room);
    };
    setTimeout(end, room.total > BIG ? PAUSE_BIG : PAUSE);
    this.#read(room);
  }

  // All that the page shows are read, some at a time.
  async #read(room) {
    const list = [];
    try {
      let page = {};
      do {
        page = await this.#sluice.emit('all_member', {
          ...room.target,
          limit: PAGE,
          cursor: page.cursor,
        });
        list.push(...(page.members ?? page)); // an older node answers with an array
      } while (page.cursor && list.length < MEMBERS);
    } catch {
      return; // left meanwhile, or closed
    }
    this.#store.members(room, list, nameFor);
    for (const { id, message_count: count } of list) {
      if (count > 0 && String(id) !== this.#store.me) this.#acts.unread(String(id), count);
    }
    this.#acts.changed();
  }

  #presence(id, isOnline) {
    this.#store.person(String(id)).online = isOnline;
    this.#acts.changed();
  }

  #roster(room, ids) {
    if (!room) return;
    if (!this.#store.roster(room, ids)) this.refresh(room);
    this.#acts.changed();
  }

  #came(room, id) {
    if (!room) return;
    if (!this.#store.enter(room, id)) this.refresh(room);
    this.#acts.changed();
  }

  // The user may still be online elsewhere.
  #left(room) {
    if (room) this.refresh(room);
  }

  #counts({ room: name, online, total }) {
    const room = this.#store.get(roomKey(name));
    if (!room) return;
    const isKnown = room.members.size === total && room.online === online;
    Object.assign(room, { online, total });
    if (!isKnown) this.refresh(room);
    this.#acts.changed();
  }
}
