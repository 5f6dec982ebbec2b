// The left column: rooms, private conversations, the people of a room.

import { $, avatar, element, moveByArrows, reconcile, setText, unseen } from './dom.js';

const PEOPLE_MOST = 200; // rows; a room may have many more members

/*
 * `acts` has open(key), join(name).
 */
export class Sidebar {
  #acts;
  #store;
  #open = null; // the conversation that is open

  constructor(store, acts) {
    this.#store = store;
    this.#acts = acts;
    moveByArrows($('side'));
    $('add').onclick = () => this.#showJoin($('join').hidden);
    $('join').onsubmit = (event) => {
      event.preventDefault();
      const name = $('room').value;
      if (name.trim() === '') return;
      this.#showJoin(false);
      this.#acts.join(name);
    };
    $('join').onkeydown = (event) => {
      if (event.key === 'Escape') this.#showJoin(false);
    };
  }

  #showJoin(isShown) {
    $('join').hidden = !isShown;
    $('add').setAttribute('aria-expanded', String(isShown));
    $('room').value = '';
    $(isShown ? 'room' : 'add').focus();
  }

  // room: the one whose people are listed.
  render(open, room) {
    this.#open = open;
    const store = this.#store;
    const byKey = ({ key }) => key;
    const make = (conversation) => this.#conversationRow(conversation);
    const update = (row, conversation) => this.#updateConversation(row, conversation);
    reconcile($('rooms'), store.rooms, byKey, make, update);
    reconcile($('peers'), store.peers, byKey, make, update);
    $('private').hidden = store.peers.length === 0;
    $('no-rooms').hidden = store.rooms.length > 0;
    $('present').hidden = !room;
    if (room) this.#people(room);
  }

  #people(room) {
    setText($('people-room'), room.name);
    setText($('people-count'), `${room.online} online`);
    const people = this.#store.listed(room);
    const shown = people.slice(0, PEOPLE_MOST);
    const make = (person) => this.#personRow(person);
    const update = (row, person) => this.#updatePerson(row, person);
    reconcile($('people'), shown, ({ id }) => id, make, update);
    const left = Math.max(room.total, people.length) - shown.length;
    setText($('others'), left > 0 ? `and ${left.toLocaleString()} more` : '');
    $('alone').hidden = room.members.size !== 1;
  }

  // ---- Rows

  #conversationRow({ key, isRoom, name }) {
    const sign = isRoom
      ? element('span', { class: 'hash', 'aria-hidden': 'true' }, '#')
      : this.#face(name);
    const label = element('span', { class: 'name', dir: 'auto' });
    const button = element('button', { type: 'button', class: 'row' }, sign, label);
    button.append(
      element('span', { class: 'presence unseen' }),
      element('span', { class: 'badge' }),
    );
    button.onclick = () => this.#acts.open(key);
    return element('li', {}, button);
  }

  #updateConversation(row, conversation) {
    const { isRoom, name, unread } = conversation;
    const button = row.firstElementChild;
    setText(button.querySelector('.name'), this.#store.titleOf(conversation));
    if (!isRoom) this.#showPresence(button, name);
    this.#showUnread(button, unread);
    if (conversation === this.#open) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
  }

  #personRow({ id }) {
    const name = element('span', { class: 'name', dir: 'auto' });
    const presence = element('span', { class: 'presence unseen' });
    if (id === this.#store.me) {
      const you = element('span', { class: 'you' }, 'you');
      return element(
        'li',
        {},
        element('span', { class: 'row' }, this.#face(id), name, presence, you),
      );
    }
    const button = element('button', { type: 'button', class: 'row', title: `Write to ${id}` });
    button.append(this.#face(id), name, presence, element('span', { class: 'badge' }));
    button.onclick = () => this.#acts.open(`user:${id}`);
    return element('li', {}, button);
  }

  #updatePerson(row, { id, name }) {
    const inner = row.firstElementChild;
    setText(inner.querySelector('.name'), name);
    this.#showPresence(inner, id);
    if (id !== this.#store.me)
      this.#showUnread(inner, this.#store.get(`user:${id}`)?.unread ?? 0);
  }

  #face(id) {
    const attributes = { class: 'face', 'aria-hidden': 'true' };
    return element('span', attributes, avatar(id, this.#store.nameOf(id)));
  }

  #showPresence(row, id) {
    const { online } = this.#store.person(id);
    row.dataset.online = online === undefined ? 'unknown' : String(online);
    const text = online === undefined ? '' : online ? ', online' : ', away';
    setText(row.querySelector('.presence'), text);
  }

  #showUnread(row, unread) {
    const badge = row.querySelector('.badge');
    const shown = unread > 99 ? '99+' : String(unread);
    row.classList.toggle('has-unread', unread > 0);
    if (badge.dataset.count === shown) return;
    badge.dataset.count = shown;
    badge.replaceChildren();
    if (unread > 0) badge.append(shown, unseen(' unread'));
  }
}
