// The cluster page: asks a node for the view of the cluster every two seconds while it is seen,
// and shows what it answers. Whatever comes from there enters the page as text.

import { bytes, clock, duration, millis, number, plural, ranges, turn } from './console-parts.js';
import { drawSpark, element, makeCells, makeSpark, put, reconcile } from './console-parts.js';

const POLL_MS = 2000;
const SEARCH_MS = 6000; // a search is asked again after this
const TIMEOUT_MS = 5000;
const GONE_MS = 60000; // ms for which a node that is gone is still shown
const HISTORY = 60; // points of a sparkline
const TOKEN = 'sluice-admin-token';

const $ = (id) => document.getElementById(id);

let token = '';
let timer;
let asking = false;
let view = null; // the last one
let viewAt = 0; // when it came, in performance.now()
let trouble = ''; // why there is none just now
const history = new Map(); // incarnation → { points, node, goneAt }
let search = newSearch('', 0);

// `number` tells answers to an older one; againAt: when it is to be asked again, in
// performance.now().
function newSearch(text, number) {
  return { text, number, users: [], cursor: '', at: 0, againAt: Infinity, refused: false };
}

// ---- Nodes

const COLUMNS = [
  [3, 'Connections', ({ connections }) => number(connections)],
  [4, 'Users', ({ users }) => number(users)],
  [5, 'Channels', ({ channels }) => number(channels)],
  [7, 'Deliveries/s', (node) => number(node.deliveries_per_second)],
  [8, 'Events/s', (node) => number(node.events_per_second)],
  [9, 'Longest turn', (node) => (node.loop_turn_ms ? turn(node.loop_turn_ms.max) : '–')],
  [10, 'Queued', (node) => bytes(node.queue_bytes)],
  [11, 'Memory', (node) => bytes(node.rss_bytes)],
  [12, 'Up', (node) => duration(node.uptime_s)],
];

function stateOf({ node, goneAt }) {
  if (goneAt) return ['gone', ''];
  if (node.lease_age_ms === null) return ['being reaped', 'bad'];
  if (node.lease_age_ms >= view.lease_timeout_ms) return ['lease expired', 'bad'];
  if (node.lease_age_ms >= view.lease_timeout_ms / 2) return ['lease late', 'wait'];
  if (node.ready) return ['ready', 'good'];
  return node.connections === undefined ? ['no numbers', 'wait'] : ['draining', 'wait'];
}

function makeNode() {
  const row = element('tr');
  for (let i = 0; i < 13; i++) {
    const cell = element('td', '', i >= 2 && i !== 6 ? 'n' : '');
    cell.setAttribute('role', 'cell');
    row.append(cell);
  }
  row.setAttribute('role', 'row');
  const cells = row.children;
  cells[0].append(element('b'), element('small'));
  cells[1].append(element('span'));
  cells[2].dataset.label = 'Lease age';
  for (const [i, label] of COLUMNS) cells[i].dataset.label = label;
  cells[6].className = 'spark';
  cells[6].dataset.label = 'Trend';
  cells[6].append(makeSpark());
  return row;
}

function fillNode(row, known) {
  const { node } = known;
  const cells = row.children;
  const [word, mood] = stateOf(known);
  row.className = known.goneAt ? 'gone' : '';
  put(cells[0].firstChild, node.node);
  const about = [
    node.address,
    node.version && `v${node.version}`,
    node.incarnation.slice(node.node.length + 1),
  ];
  put(cells[0].lastChild, about.filter(Boolean).join(' · '));
  put(cells[1].firstChild, word);
  cells[1].firstChild.className = `chip ${mood}`;
  put(cells[2], known.goneAt || node.lease_age_ms === null ? '–' : millis(node.lease_age_ms));
  cells[2].classList.toggle('alarm', mood === 'bad');
  cells[2].classList.toggle('warn', mood === 'wait' && word === 'lease late');
  for (const [i, , text] of COLUMNS) put(cells[i], known.goneAt ? '–' : text(node));
  cells[9].classList.toggle('warn', node.loop_turn_ms?.max >= 50);
  drawSpark(cells[6].firstChild, known.points);
}

// Nodes of this view, and those that went not long ago.
function learnNodes() {
  const now = performance.now();
  const seen = new Set(view.nodes.map(({ incarnation }) => incarnation));
  for (const node of view.nodes) {
    const known = history.get(node.incarnation) ?? { points: [] };
    known.points.push(node.deliveries_per_second ?? 0);
    known.points.splice(0, known.points.length - HISTORY);
    Object.assign(known, { node, goneAt: 0 });
    history.set(node.incarnation, known);
  }
  for (const [incarnation, known] of history) {
    if (!seen.has(incarnation)) known.goneAt ||= now;
    if (known.goneAt && now - known.goneAt > GONE_MS) history.delete(incarnation);
  }
}

function showNodes() {
  const all = [...history.values()].sort(
    (a, b) =>
      a.node.node.localeCompare(b.node.node, 'en', { numeric: true }) || a.goneAt - b.goneAt,
  );
  reconcile($('nodes').tBodies[0], all, ({ node }) => node.incarnation, makeNode, fillNode);
}

// ---- Rooms, users

function showRooms() {
  reconcile(
    $('rooms').tBodies[0],
    view.rooms,
    ({ room }) => room,
    () => makeCells(['', 'n', 'n']),
    (row, { room, online, total }) => {
      [room, number(online), number(total)].forEach((text, i) => put(row.children[i], text));
    },
  );
}

function makeUser({ id }) {
  const row = makeCells(['', '', 'n']);
  const button = element('button', id, 'user');
  button.addEventListener('click', () => showUser(id));
  row.firstChild.append(button);
  return row;
}

function fillUser(row, user) {
  put(row.children[1], user.username ?? '');
  put(row.children[2], `${duration(user.last_heartbeat_age_ms / 1000)} ago`);
}

function showUsers() {
  const exact = ({ id }) => id === search.text;
  const users = [...(search.text ? search.users : view.online.users)].sort(
    (a, b) => exact(b) - exact(a) || a.id.localeCompare(b.id, 'en', { numeric: true }),
  );
  reconcile($('online').tBodies[0], users, ({ id }) => id, makeUser, fillUser);
  $('more').hidden = !search.text || !search.cursor;
  const count = view.online.count;
  let words = `${plural(count, 'user')}`;
  if (search.text) {
    words = search.at ? `${plural(users.length, 'user')} found` : 'Searching …';
    if (search.refused) words = 'No id looks like this.';
    if (search.at && search.cursor) words += ' so far';
  } else if (users.length < count) {
    words += `; the ${number(users.length)} heard last`;
  }
  $('found').setAttribute('aria-live', search.text ? 'polite' : 'off'); // a user that searches waits for the result
  put($('found'), words);
}

async function runSearch(from = '') {
  const mine = ++search.number;
  const { text } = search;
  search.againAt = Infinity;
  if (!text) return;
  let cursor = from;
  let users = from ? search.users : [];
  try {
    // A step of the search may look at many users and find none; then the search goes on.
    for (let tries = 0; tries < 50; tries++) {
      const query = `search=${encodeURIComponent(text)}${cursor && `&cursor=${cursor}`}`;
      const answer = await ask(`api/v1/online?${query}`);
      if (mine !== search.number) return;
      users = [
        ...users,
        ...answer.users.filter(({ id }) => !users.some((other) => other.id === id)),
      ];
      cursor = answer.cursor ?? '';
      if (!cursor || answer.users.length) break;
    }
  } catch (error) {
    if (mine !== search.number) return;
    search.refused = error.status === 400;
    if (search.refused) {
      if (view) showUsers();
      return;
    }
    if (!from) search.againAt = 0; // with the next view
    say(error);
    return;
  }
  const at = performance.now();
  Object.assign(search, { users, cursor, at, againAt: from ? Infinity : at + SEARCH_MS });
  if (view) showUsers();
}

async function showUser(id) {
  const dialog = $('user');
  const body = $('user-body');
  put($('user-title'), id);
  body.replaceChildren(element('p', '…'));
  dialog.showModal();
  try {
    body.replaceChildren(...describe(await ask(`api/v1/users/${encodeURIComponent(id)}`)));
  } catch (error) {
    body.replaceChildren(
      element('p', error.status === 404 ? 'This user is not known any more.' : error.message),
    );
  }
}

function describe(user) {
  const parts = [
    element(
      'p',
      `${user.username} · ${user.role} · ${user.online ? 'online' : `last seen ${clock(user.last_seen)}`}`,
    ),
    element('h3', plural(user.connections.length, 'connection')),
  ];
  if (user.connections.length) {
    const table = element('table');
    const head = element('tr');
    for (const word of ['Node', 'Door', 'Address', 'Since']) {
      const cell = element('th', word);
      cell.scope = 'col';
      head.append(cell);
    }
    table.append(element('thead', head), element('tbody'));
    for (const { node, door, address, since } of user.connections) {
      const row = element('tr');
      row.append(...[node, door, address, clock(since)].map((text) => element('td', text)));
      table.tBodies[0].append(row);
    }
    parts.push(table);
  }
  parts.push(element('h3', plural(user.rooms.length, 'room')));
  const list = element('ul');
  list.append(...[...user.rooms].sort().map((room) => element('li', room)));
  parts.push(list);
  return parts;
}

// ---- Redis and the sums

function showTiles() {
  const live = view.nodes;
  const sum = (field) => live.reduce((all, node) => all + (node[field] ?? 0), 0);
  put($('sum-nodes'), number(live.length));
  put($('sum-online'), number(view.online.count));
  put($('sum-connections'), number(sum('connections')));
  put($('sum-deliveries'), number(sum('deliveries_per_second')));
  const memory = mastersOf(view).reduce((all, one) => all + (one.used_memory ?? 0), 0);
  put($('sum-memory'), bytes(memory));
  document.title = `${plural(live.length, 'node')}, ${number(view.online.count)} online – Sluice cluster`;
}

// A Cluster's masters; one Redis is the only one.
const mastersOf = ({ redis }) => redis.masters ?? [redis];

const roundTrip = ({ latency_ms: ms }) => [
  'Round trip',
  `${ms.toFixed(1)} ms`,
  ms >= 100 ? 'warn' : '',
];

function redisRows(redis) {
  const used = redis.maxmemory ? redis.used_memory / redis.maxmemory : 0;
  const evicts = redis.maxmemory && redis.maxmemory_policy !== 'noeviction';
  const state = (good) => (good ? 'ok' : 'failed');
  return [
    ['Role', redis.role ?? '–', redis.role && redis.role !== 'master' ? 'alarm' : ''],
    ...(redis.latency_ms === undefined ? [] : [roundTrip(redis)]),
    [
      'Memory limit',
      redis.maxmemory ? `${Math.round(used * 100)} % of ${bytes(redis.maxmemory)}` : 'none',
      used >= 0.95 ? 'alarm' : used >= 0.8 ? 'warn' : '',
    ],
    ['When full', redis.maxmemory_policy ?? '–', evicts ? 'warn' : ''],
    ['Evicted keys', number(redis.evicted_keys), redis.evicted_keys > 0 ? 'alarm' : ''],
    ['Operations/s', number(redis.ops_per_second), ''],
    ['Clients', number(redis.clients), ''],
    ['Replicas', number(redis.replicas), ''],
    ['Append-only file', redis.appendonly ? 'on' : 'off', redis.appendonly === false ? 'warn' : ''],
    [
      'Last write to it',
      redis.appendonly ? state(redis.last_write_ok) : '–',
      redis.appendonly && !redis.last_write_ok ? 'alarm' : '',
    ],
    [
      'Last snapshot',
      state(redis.last_save_ok ?? true),
      redis.last_save_ok === false ? 'alarm' : '',
    ],
    ['Up', duration(redis.uptime_s), ''],
    ['Version', redis.version ?? '–', ''],
    ['Run', redis.run_id?.slice(0, 12) ?? '–', ''],
  ];
}

function fillFigures(list, rows) {
  rows.forEach(([word, text, mood], i) => {
    if (!list.children[i]) {
      const pair = element('div', element('dt', word));
      pair.append(element('dd'));
      list.append(pair);
    }
    const value = list.children[i].lastChild;
    put(value, text);
    value.className = mood;
  });
}

function makeMaster() {
  const section = element('section', element('h3'));
  section.firstChild.append(element('span'), ' ', element('small'));
  section.append(element('dl', '', 'figures'));
  return section;
}

function fillMaster(section, master) {
  const [name, about] = section.firstChild.children;
  put(name, `Master ${master.run_id?.slice(0, 12) ?? ''}`.trim());
  put(about, `partitions ${ranges(master.partitions)}`);
  fillFigures(section.lastChild, redisRows(master));
}

function showRedis() {
  const { redis, degraded = [] } = view;
  fillFigures($('redis'), redis.masters ? [roundTrip(redis)] : redisRows(redis));
  reconcile(
    $('masters'),
    redis.masters ?? [],
    ({ run_id, partitions }) => run_id ?? partitions[0],
    makeMaster,
    fillMaster,
  );
  $('degraded').hidden = !degraded.length;
  const which = `${degraded.length === 1 ? 'partition' : 'partitions'} ${ranges(degraded)}`;
  put(
    $('degraded'),
    `Without a master: ${which} of ${view.partitions}. Their rooms and users are missing here.`,
  );
}

// ---- How it stands

// Said once when it changes, so that it is not read out again and again.
function showState() {
  const state = $('state');
  state.dataset.state = trouble ? 'away' : view ? 'live' : 'out';
  put(state, trouble ? 'Away' : view ? 'Live' : 'Not connected');
  state.title = view ? `Answered by ${view.node}` : ''; // behind a proxy another one each time
  $('view').classList.toggle('stale', Boolean(trouble));
  $('banner').hidden = !trouble;
  $('banner').firstElementChild?.remove();
  put($('banner'), trouble);
  showAge();
}

// The age next to the trouble grows; it is outside the live region, so that it is not read out.
function showAge() {
  if (!trouble || !view) return;
  let age = $('banner').querySelector('span');
  if (!age) {
    age = element('span');
    age.setAttribute('aria-hidden', 'true');
    $('banner').append(age);
  }
  put(age, ` What is shown is ${duration((performance.now() - viewAt) / 1000)} old.`);
}

function show(next) {
  view = next;
  viewAt = performance.now();
  trouble = '';
  learnNodes();
  showTiles();
  showNodes();
  showRooms();
  showUsers();
  showRedis();
  showState();
}

function say(error) {
  if (error.status === 401 || error.status === 404) {
    openDoor(
      error.status === 401
        ? 'The node refuses this token.'
        : 'The node was started without an admin token.',
    );
    return;
  }
  if (trouble === error.message) {
    showAge();
    return;
  }
  trouble = error.message;
  showState();
}

// ---- Asking

class Refusal extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

async function ask(path) {
  let response;
  try {
    response = await fetch(path, {
      headers: { authorization: `Bearer ${token}` },
      cache: 'no-store',
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
  } catch {
    throw new Refusal('No node answers.', 0);
  }
  if (response.ok) return response.json();
  const { error } = await response.json().catch(() => ({}));
  const words = {
    unavailable: 'Redis does not answer the node.',
    unauthorized: 'The node refuses this token.',
  };
  throw new Refusal(
    words[error?.code] ?? error?.message ?? `No node answers (${response.status}).`,
    response.status,
  );
}

async function poll() {
  clearTimeout(timer);
  if (asking || !token || document.hidden) return;
  asking = true;
  const asked = token;
  try {
    const answer = await ask('api/v1/cluster');
    if (token === asked) enter(answer);
  } catch (error) {
    if (token === asked) say(error);
  }
  asking = false;
  if (performance.now() > search.againAt && !trouble) runSearch();
  if (token) timer = setTimeout(poll, POLL_MS);
}

// ---- In and out

function enter(answer) {
  $('door').hidden = true;
  $('view').hidden = false;
  $('forget').hidden = false;
  sessionStorage.setItem(TOKEN, token);
  show(answer);
}

function openDoor(refusal = '') {
  token = '';
  view = null;
  trouble = '';
  history.clear();
  clearTimeout(timer);
  sessionStorage.removeItem(TOKEN);
  $('user').close();
  $('view').hidden = true;
  $('forget').hidden = true;
  $('door').hidden = false;
  put($('refusal'), refusal);
  showState();
  document.title = 'Sluice cluster';
  $('token').focus();
}

// A token in the fragment (never sent to a server) goes from the address bar at once.
function takeToken() {
  let given = location.hash.slice(1);
  try {
    given = decodeURIComponent(given);
  } catch {
    // a token with a bare % in it
  }
  if (given) window.history.replaceState(null, '', location.pathname + location.search);
  token = given || token || sessionStorage.getItem(TOKEN) || '';
  if (token) poll();
  else openDoor();
}

$('door').addEventListener('submit', (event) => {
  event.preventDefault();
  token = $('token').value.trim();
  $('token').value = '';
  put($('refusal'), '');
  poll();
});
$('forget').addEventListener('click', () => openDoor());
$('search').addEventListener('submit', (event) => event.preventDefault());
let typing;
$('text').addEventListener('input', () => {
  search = newSearch($('text').value.trim(), search.number + 1);
  clearTimeout(typing);
  typing = setTimeout(runSearch, 250);
  if (view) showUsers();
});
$('more').addEventListener('click', () => runSearch(search.cursor));
document.addEventListener('visibilitychange', poll);
window.addEventListener('hashchange', takeToken);
takeToken();
