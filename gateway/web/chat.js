// The chat page: joins what the server tells (session.js, store.js) and what the user sees
// (sidebar.js, log.js, composer.js). The address says which conversation is open: #room:lobby.

import { asks } from './asks.js';
import { Composer } from './composer.js';
import { ConnectionState } from './connection.js';
import { $, avatar, element, idOf, roomOf, setText } from './dom.js';
import { Log } from './log.js';
import { Session } from './session.js';
import { roomKey } from './store.js';
import { Sidebar } from './sidebar.js';
import { bearerOf, takeFromAddress } from './token.js';

const narrow = matchMedia('(max-width: 38rem)');
const ANNOUNCED = 200; // characters of a message that are read out
const LISTS_PAUSE = 80; // ms between two renderings of the lists

let session = null;
let store = null;
let sidebar, log, composer;
let open = null; // the conversation
let lastRoom = null; // whose people are listed
let listsTimer = 0;
let listedAt = 0;

// ---- The conversation that is open

const keyInAddress = () => {
  try {
    return decodeURIComponent(location.hash.slice(1));
  } catch {
    return '';
  }
};
const addressOf = (key) => `#${encodeURIComponent(key).replace('%3A', ':')}`;

function conversationOf(key) {
  if (store.has(key)) return store.get(key);
  const [, kind, name] = /^(room|user):(.+)$/su.exec(key) ?? [];
  if (kind === 'room') return roomOf(name) ? session.join(roomOf(name)) : null;
  if (kind !== 'user') return null;
  const id = store.people.has(name) ? name : idOf(name);
  return id === '' || id === session.me ? null : session.openPeer(id);
}

// Shows what the address names. On a narrow screen no name means the list.
function route() {
  const token = takeFromAddress();
  if (token) return signIn(token);
  if (!session) return;
  let conversation = conversationOf(keyInAddress());
  if (!conversation && !narrow.matches) {
    conversation = open ?? store.rooms[0] ?? store.peers[0] ?? null;
    if (conversation) history.replaceState(history.state, '', addressOf(conversation.key));
  }
  document.body.dataset.view = conversation ? 'talk' : 'list';
  show(conversation);
}

// From the list on a narrow screen, the way back leads to it.
function go(key) {
  const isFromList = narrow.matches && document.body.dataset.view === 'list';
  if (isFromList) history.pushState({ isFromList }, '', addressOf(key));
  else history.replaceState(history.state, '', addressOf(key));
  route();
  if (narrow.matches) $('title').focus();
  else composer.focus();
}

function goBack() {
  const key = open?.key;
  if (history.state?.isFromList) {
    addEventListener('popstate', () => focusRow(key), { once: true });
    history.back();
    return;
  }
  history.replaceState(null, '', location.pathname);
  route();
  focusRow(key);
}

function focusRow(key) {
  const row = document.querySelector(`#side li[data-key="${CSS.escape(key ?? '')}"] button`);
  (row ?? $('add')).focus();
}

function show(conversation) {
  if (conversation === open) return lists();
  open = conversation;
  $('talk').hidden = !open;
  if (!open) return lists();
  if (open.isRoom) lastRoom = open;
  open.divide();
  composer.open(open, store.titleOf(open));
  log.show(open);
  typing(open);
  lists();
}

function leave() {
  const gone = open;
  session.leave(gone);
  announce(gone.isRoom ? `You left ${gone.name}` : `${store.titleOf(gone)} is off the list`);
  closed();
}

function left(room) {
  announce(`You left ${room.name} elsewhere`);
  if (room === open) closed();
  else lists();
}

// The conversation that was open is gone.
function closed() {
  open = null;
  history.replaceState(history.state, '', location.pathname);
  if (narrow.matches) return goBack();
  route();
  if (open) composer.focus();
  else $('add').focus();
}

// ---- What the user sees follows what changed

const isAttending = () => document.visibilityState === 'visible' && document.hasFocus();

// The user sees the end of the conversation, so it counts as read.
function seen() {
  if (!open) return;
  if (log.isAtEnd && isAttending()) session.markRead(open);
  log.showJump(open.unread);
}

// Renders the lists soon, but not for each message of a busy room.
function lists() {
  const pause = Math.max(0, listedAt + LISTS_PAUSE - performance.now());
  listsTimer ||= setTimeout(renderLists, pause);
}

function renderLists() {
  listsTimer = 0;
  listedAt = performance.now();
  if (!session) return; // it ended meanwhile
  if (!lastRoom || !store.has(lastRoom.key)) lastRoom = store.rooms[0] ?? null;
  sidebar.render(open, lastRoom);
  log.names();
  heading();
  seen();
}

function heading() {
  const { unread } = store;
  const place = open ? `${store.titleOf(open)} · Sluice` : 'Sluice';
  document.title = unread > 0 ? `(${unread}) ${place}` : place;
  setText($('back-count'), unread > 0 ? String(unread) : '');
  setText($('back-label'), unread > 0 ? ' unread, back to the list' : 'Back to the list');
  if (!open) return;
  $('talk').dataset.kind = open.isRoom ? 'room' : 'user';
  setText($('title'), store.titleOf(open));
  $('leave').textContent = open.isRoom ? 'Leave' : 'Close';
  $('leave').setAttribute(
    'aria-label',
    open.isRoom ? `Leave ${open.name}` : 'Close this conversation',
  );
  setText($('about'), about(open));
}

function about({ isRoom, name, online, total }) {
  if (isRoom) return total > 0 ? `${online} of ${total} online` : '';
  const state = store.person(name).online;
  return state === undefined ? 'Private' : state ? 'Online' : 'Away';
}

function typing(conversation) {
  if (conversation !== open) return;
  const names = [...open.typing.keys()].map((id) => store.nameOf(id));
  const who =
    names.length > 3 ? 'Several people' : names.join(', ').replace(/, ([^,]*)$/, ' and $1');
  const verb = names.length > 1 ? 'are' : 'is';
  setText($('typing'), names.length ? `${who} ${verb} typing…` : '');
}

function announce(text) {
  $('announcer').append(element('p', {}, text));
  while ($('announcer').childElementCount > 20) $('announcer').firstElementChild.remove();
}

function messages(conversation, fresh, isPast) {
  if (!isPast) fresh.forEach((message) => announceMessage(conversation, message));
  if (conversation !== open) {
    if (!isPast) conversation.forgetOldest();
    return;
  }
  if (fresh === null) {
    open.divide();
    return log.show(open);
  }
  const isMissed =
    !isPast && !(isAttending() && log.isAtEnd) && fresh.some(({ from }) => from !== open.me);
  const mark = open.divider;
  if (isMissed && open.divider < open.read) open.divide();
  if (!isPast && fresh.some(({ from }) => from === open.me)) open.divider = 0;
  if (open.divider !== mark) log.redraw();
  log.add(fresh, isPast);
  if (log.isAtEnd && open.forgetOldest()) log.trim();
}

function announceMessage(conversation, { from, text }) {
  if (from === session.me) return;
  const said = text.length > ANNOUNCED ? `${text.slice(0, ANNOUNCED)}…` : text;
  if (conversation === open) announce(`${store.nameOf(from)}: ${said}`);
  else if (!conversation.isRoom) announce(`Private message from ${store.nameOf(from)}`);
}

// A line in the conversation that is open, or in the one given, about what happened.
function notice(conversation, text) {
  conversation ??= open ?? lastRoom;
  if (!conversation) return;
  const made = conversation.notice(text);
  if (conversation === open) log.notice(made);
  announce(text);
}

function lost(conversation, from, to) {
  const which =
    from === undefined || !conversation.isRoom ? 'Some messages' : `Messages ${from} to ${to}`;
  notice(conversation, `${which} may be missing here: the server has them no more`);
}

// ---- In and out

const connection = new ConnectionState({ back: (text) => notice(null, text), refused });

const page = {
  messages,
  typing,
  lists,
  left,
  state: (change) => connection.changed(change),
  lost,
  notice,
  pending: (conversation) => conversation === open && log.pending(),
  marks: (conversation) => conversation === open && log.marks(),
};

function send(text) {
  log.toEnd();
  session.send(open, text);
}

// By a name, or by a token, which says who it is.
function enter(name, token) {
  const bearer = token ? bearerOf(token) : { userId: idOf(name), username: name };
  if (!bearer) return ask('That is no token: it has three parts, with dots between them.');
  const { userId, username } = bearer;
  sessionStorage.setItem(token ? 'token' : 'name', token || name);
  connection.changed({ state: 'connecting' });
  session = new Session(userId, username, page, token);
  ({ store } = session);
  sidebar = new Sidebar(store, {
    open: go,
    join: (room) => roomOf(room) && go(roomKey(roomOf(room))),
  });
  log = new Log({
    seen,
    older: () => session.older(open),
    retry: (entry) => {
      session.retry(open, entry);
      composer.focus();
    },
    discard: (entry) => {
      session.discard(open, entry);
      composer.focus();
    },
    nameOf: (id) => store.nameOf(id),
  });
  composer = new Composer({ send, typing: () => session.type(open) });
  for (const [key, draft] of Object.entries(drafts()))
    if (store.has(key)) store.get(key).draft = draft;
  $('self').replaceChildren(
    avatar(userId, username ?? userId),
    element('span', { class: 'name', dir: 'auto' }, store.nameOf(userId)),
  );
  $('refusal').textContent = '';
  $('door').hidden = true;
  $('app').hidden = false;
  route();
  if (!narrow.matches) composer.focus();
}

// Begins the page again, without anything of this session but what is given here.
function restart(kept) {
  session = null;
  sessionStorage.clear();
  for (const [key, value] of Object.entries(kept)) sessionStorage.setItem(key, value);
  location.replace(location.pathname);
}

async function signOut() {
  const asked = sessionStorage.getItem('asks');
  sessionStorage.clear();
  await session.close();
  restart(asked ? { asks: asked } : {});
}

async function signIn(token) {
  await session?.close();
  restart({ token });
}

// The server does not let this user in. Shows the login form again, with the reason.
function refused({ code, message }) {
  const had = sessionStorage.getItem('token');
  const isOfTokens = code === 'unauthorized' || code === 'revoked' || had !== null;
  let refusal = message;
  if (code === 'unauthorized') refusal = had ? `The server refuses this token: ${message}.` : '';
  else if (code === 'revoked') refusal = 'The tokens of this user are revoked. A new one is good again.';
  restart({ refusal, ...(isOfTokens && { asks: 'token' }) });
}

// The login form, by name or, if the server asks for that, by token. (The node that refused may ask
// for something else than the one that gave the page.)
function ask(refusal) {
  const byToken = (sessionStorage.getItem('asks') ?? asks) === 'token';
  $('by-name').hidden = byToken;
  $('by-token').hidden = !byToken;
  $('name').required = !byToken;
  $('token').required = byToken;
  $('refusal').textContent = refusal;
  (byToken ? $('token') : $('name')).focus();
}

function drafts() {
  try {
    return JSON.parse(sessionStorage.getItem('drafts')) ?? {};
  } catch {
    return {};
  }
}

// The page goes: it may come again.
function keep() {
  if (!session) return;
  session.flush();
  const kept = store.all
    .filter(({ draft }) => draft)
    .map(({ key, draft }) => [key, draft.slice(0, 1e5)]);
  sessionStorage.setItem('drafts', JSON.stringify(Object.fromEntries(kept)));
}

$('door').onsubmit = (event) => {
  event.preventDefault();
  const name = $('name').value.trim();
  const token = $('token').value.trim();
  if (token) enter('', token);
  else if (idOf(name) !== '') enter(name);
};
$('token').onkeydown = (event) => {
  if (event.key !== 'Enter') return;
  event.preventDefault();
  $('door').requestSubmit();
};
$('back').onclick = goBack;
$('leave').onclick = leave;
$('out').onclick = signOut;
$('skip').onclick = () => composer.focus();
addEventListener('popstate', route);
addEventListener('focus', () => session && seen());
document.addEventListener('visibilitychange', () => session && seen());
narrow.addEventListener('change', route);
addEventListener('pagehide', keep);
// A keyboard that lies over the page (iOS) leaves the rest of the screen to it.
visualViewport?.addEventListener('resize', () => {
  const { height, scale } = visualViewport;
  if (scale === 1) document.body.style.height = `${height}px`;
});
addEventListener('beforeunload', (event) => {
  const isOnItsWay = ({ error }) => !error;
  if (store?.all.some(({ pending }) => pending.some(isOnItsWay))) event.preventDefault();
});

const given = takeFromAddress(); // by a link
if (given) sessionStorage.setItem('asks', 'token');
const token = given || sessionStorage.getItem('token');
const name = sessionStorage.getItem('name');
const refusal = sessionStorage.getItem('refusal') ?? '';
sessionStorage.removeItem('refusal');
if (token) sessionStorage.setItem('asks', 'token');
if (token || name) enter(name, token);
else ask(refusal);
