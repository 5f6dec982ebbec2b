// The messages of the open conversation, and where in them the reader is.

import {
  $,
  avatar,
  dayName,
  directionOf,
  element,
  isSameDay,
  reconcile,
  timeElement,
  tint,
  unseen,
  withLinks,
} from './dom.js';

const NEAR_END = 48; // px from the end that count as being there
const NEAR_TOP = 400; // px from the top where older messages are asked for
const LONG = 4000; // characters; a longer text is folded
const LONG_LINES = 40;
const FOLDED = 1200;
const FOLDED_LINES = 16;
const IN_A_ROW = 5 * 60000; // ms between messages that stand under one name

// The beginning of a text that is too long for the page, else the text.
function foldText(text) {
  const lines = text.slice(0, LONG).split('\n');
  if (text.length <= LONG && lines.length <= LONG_LINES) return text;
  return lines.slice(0, FOLDED_LINES).join('\n').slice(0, FOLDED);
}

/*
 * `acts` has older(), seen(), retry(entry), discard(entry), nameOf(id).
 */
export class Log {
  #acts;
  #conversation = null;
  #rows = new Map(); // seq → li
  #isAtEnd = true;
  #box = $('log');
  #list = $('messages');

  constructor(acts) {
    this.#acts = acts;
    this.#box.addEventListener('scroll', () => this.#scrolled(), { passive: true });
    $('jump').onclick = () => {
      this.toEnd();
      $('text').focus();
    };
    // What grows at the end, and a keyboard that takes half the screen, leave the end in sight.
    const observer = new ResizeObserver(() => this.#isAtEnd && this.toEnd());
    [this.#box, this.#list, $('pending')].forEach((node) => observer.observe(node));
  }

  get isAtEnd() {
    return this.#isAtEnd;
  }

  // Shows all of a conversation, at the line of new messages or at the end.
  show(conversation) {
    this.#conversation = conversation;
    this.#rows.clear();
    this.#list.replaceChildren();
    const all = [...conversation.messages, ...conversation.notices];
    all.sort((a, b) => a.seq - b.seq).forEach((one) => this.#place(one));
    this.#decorateAll();
    this.pending();
    this.#showEdge();
    this.toEnd();
    const line = this.#list.querySelector('.new');
    if (line) {
      const above = line.getBoundingClientRect().top - this.#box.getBoundingClientRect().top;
      this.#box.scrollTop += Math.min(0, above - this.#box.clientHeight / 3);
    }
    this.#scrolled();
  }

  // Messages came: those of the past stand above, and what the reader looks at stays in place.
  add(fresh, isPast) {
    const fromEnd = this.#box.scrollHeight - this.#box.scrollTop;
    for (const message of fresh) this.#place(message);
    const touched = new Set(fresh.map(({ seq }) => this.#rows.get(seq)));
    for (const row of [...touched]) touched.add(row.nextElementSibling);
    touched.delete(null);
    for (const row of touched) this.#decorate(row);
    this.#showEdge();
    if (this.#isAtEnd) this.toEnd();
    else if (isPast) this.#box.scrollTop = this.#box.scrollHeight - fromEnd;
    this.#scrolled();
  }

  notice(notice) {
    this.#decorate(this.#place(notice));
    if (this.#isAtEnd) this.toEnd();
  }

  // Old messages left the conversation.
  trim() {
    const first = this.#conversation.messages[0].seq;
    for (const [seq, row] of this.#rows) {
      if (seq >= first) continue;
      row.remove();
      this.#rows.delete(seq);
    }
    this.#decorate(this.#list.firstElementChild);
    this.#showEdge();
  }

  marks() {
    const { messages, me, peerRead } = this.#conversation;
    for (let i = messages.length - 1; i >= 0; i--) {
      const { seq, from } = messages[i];
      const row = this.#rows.get(seq);
      if (from !== me || !row) continue;
      const isRead = seq <= peerRead;
      if (isRead && row.classList.contains('read')) return;
      this.#mark(row, isRead);
    }
  }

  names() {
    for (const node of this.#list.querySelectorAll('b[data-user]')) {
      const name = this.#acts.nameOf(node.dataset.user);
      if (node.textContent !== name) node.textContent = name;
    }
  }

  pending() {
    const shown = this.#conversation.pending.filter(({ isShown }) => isShown);
    const update = (row, { progress = 0 }) => {
      const part = progress > 0 ? ` ${Math.floor(progress * 100)} %` : '';
      row.querySelector('.meta')?.replaceChildren(`Sending…${part}`);
    };
    const keyOf = ({ id, error }) => `${id}${error ? ' failed' : ''}`;
    reconcile($('pending'), shown, keyOf, (entry) => this.#pendingRow(entry), update);
    if (this.#isAtEnd) this.toEnd();
  }

  // The line of new messages moved.
  redraw() {
    this.#decorateAll();
  }

  toEnd() {
    this.#isAtEnd = true;
    this.#box.scrollTop = this.#box.scrollHeight;
  }

  // How many are below, for one who reads above.
  showJump(unread) {
    $('jump').hidden = this.#isAtEnd;
    $('jump-count').textContent = unread > 0 ? `${unread} new` : 'Latest';
  }

  #scrolled() {
    const { scrollHeight, scrollTop, clientHeight } = this.#box;
    this.#isAtEnd = scrollHeight - scrollTop - clientHeight < NEAR_END;
    if (scrollTop < NEAR_TOP && this.#conversation?.hasMore) this.#acts.older();
    this.#acts.seen();
  }

  #showEdge() {
    const { isLoaded, hasMore, messages, isRoom, isRefused } = this.#conversation;
    const start = isRoom
      ? 'This is where the room begins.'
      : 'This is where the conversation begins.';
    const none = isRoom
      ? 'Nobody has said anything here yet.'
      : 'You have not written to each other yet.';
    const end = messages.length ? start : none;
    $('edge').textContent =
      isRefused ? '' : !isLoaded || hasMore ? 'Reading what was said…' : end;
  }

  // ---- Rows

  #place(one) {
    const row = one.from === undefined ? this.#noticeRow(one) : this.#messageRow(one);
    Object.assign(row, { seq: one.seq, message: one });
    let above = this.#list.lastElementChild;
    while (above && above.seq > one.seq) above = above.previousElementSibling;
    if (above) above.after(row);
    else this.#list.prepend(row);
    this.#rows.set(one.seq, row);
    return row;
  }

  #noticeRow({ text }) {
    return element('li', { class: 'notice' }, element('p', { dir: 'auto' }, text));
  }

  #messageRow({ from, text, time, seq }) {
    const { me, isRoom, peerRead } = this.#conversation;
    const name = this.#acts.nameOf(from);
    const isMine = from === me;
    const who = element('b', { dir: 'auto', 'data-user': from, title: from }, name);
    const meta = element('span', { class: 'meta' }, timeElement(time));
    const bubble = element(
      'div',
      { class: 'bubble', dir: directionOf(text) },
      who,
      this.#text(text),
      meta,
    );
    const row = element('li', { class: isMine ? 'line mine' : 'line' }, bubble);
    if (!isMine && isRoom) row.prepend(avatar(from, name));
    if (isMine) this.#mark(row, seq <= peerRead);
    return tint(row, from);
  }

  #mark(row, isRead) {
    row.classList.toggle('read', isRead);
    row.querySelector('.mark')?.remove();
    const sign = element('span', { 'aria-hidden': 'true' }, isRead ? '✓✓' : '✓');
    const mark = element('span', { class: 'mark', title: isRead ? 'Read' : 'Sent' }, sign);
    mark.append(unseen(isRead ? 'Read' : 'Sent'));
    row.querySelector('.meta').append(mark);
  }

  // A text of another is never anything but text. A very long one is folded.
  #text(text) {
    const body = element('div', { class: 'text' });
    const folded = foldText(text);
    if (folded === text) {
      body.append(...withLinks(text));
      return body;
    }
    const fold = element('button', { type: 'button', class: 'fold', 'aria-expanded': 'false' });
    const what = document.createTextNode('');
    const show = (isOpen) => {
      what.data = isOpen ? text : `${folded}…`;
      fold.textContent = isOpen
        ? 'Show less'
        : `Show all (${text.length.toLocaleString()} characters)`;
      fold.setAttribute('aria-expanded', String(isOpen));
    };
    fold.onclick = () => show(fold.getAttribute('aria-expanded') === 'false');
    show(false);
    body.append(what, fold);
    return body;
  }

  #pendingRow(entry) {
    const { error, text } = entry;
    const row = element('li', { class: error ? 'line mine failed' : 'line mine' });
    const bubble = element(
      'div',
      { class: 'bubble', dir: directionOf(text) },
      this.#text(text),
    );
    row.append(bubble);
    if (!error) {
      bubble.append(element('span', { class: 'meta' }));
      return row;
    }
    const button = (label, act) => {
      const made = element('button', { type: 'button', class: 'plain' }, label);
      made.onclick = () => act(entry);
      return made;
    };
    const why = element('p', { class: 'why', role: 'alert' }, `Not sent: ${error.message}`);
    row.append(
      element(
        'div',
        { class: 'again' },
        why,
        button('Send again', this.#acts.retry),
        button('Discard', this.#acts.discard),
      ),
    );
    return row;
  }

  // ---- What a row shows because of the one above it: the day, the line of new messages, the name

  #decorateAll() {
    for (const row of this.#list.children) this.#decorate(row);
  }

  #decorate(row) {
    if (!row) return;
    const { divider } = this.#conversation;
    const { message } = row;
    const above = row.previousElementSibling?.message;
    row.querySelectorAll(':scope > .day, :scope > .new').forEach((line) => line.remove());
    if (message.from === undefined) return;

    const before = this.#messageAbove(row);
    const isNewDay = !before || !isSameDay(before.time, message.time);
    const isNew = divider > 0 && message.seq > divider && (!before || before.seq <= divider);
    const line = (name, text) => element('div', { class: name }, element('span', {}, text));
    if (isNew) row.prepend(line('new', 'New messages'));
    if (isNewDay) row.prepend(line('day', dayName(message.time)));
    const isSame = above?.from === message.from && message.time - above.time < IN_A_ROW;
    row.classList.toggle('more', isSame && !isNewDay && !isNew);
  }

  #messageAbove(row) {
    let above = row.previousElementSibling;
    while (above && above.message.from === undefined) above = above.previousElementSibling;
    return above?.message;
  }
}
