// Building the page: elements, lists that keep their elements, names, times and text.

export const $ = (id) => document.getElementById(id);

// An element with attributes (those that are null or undefined are left out) and content. Strings
// become text, whatever is in them.
export function element(tag, attributes = {}, ...content) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) made.setAttribute(name, value);
  }
  made.append(...content);
  return made;
}

export const unseen = (text) => element('span', { class: 'unseen' }, text);

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/*
 * Makes the children of `parent` those of `items`, in order. An item that was there keeps its
 * element, and so the focus. keyOf(item): a string; make(item): an element; update(element, item).
 */
export function reconcile(parent, items, keyOf, make, update) {
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    let child = before.get(key);
    if (child) before.delete(key);
    else (child = make(item)).dataset.key = key;
    update(child, item);
    if (child === at) at = at.nextElementSibling;
    else parent.insertBefore(child, at);
  }
  for (const gone of before.values()) gone.remove();
}

// Up, Down, Home and End go from button to button of the lists in `region`.
export function moveByArrows(region) {
  region.addEventListener('keydown', (event) => {
    const row = event.target.closest('ul button');
    if (!row || event.ctrlKey || event.altKey || event.metaKey) return;
    const all = [...region.querySelectorAll('ul button')];
    const at = all.indexOf(row);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: all.length - 1 }[event.key];
    if (!all[to]) return;
    event.preventDefault();
    all[to].focus();
  });
}

// ---- People

// The id of whoever calls themselves so: no white space, control characters, colons, braces.
export const idOf = (name) =>
  name
    .normalize('NFC')
    .trim()
    .replace(/[\s:{}\p{Cc}\p{Cs}]+/gu, '-');

export const roomOf = (name) =>
  name
    .normalize('NFC')
    .trim()
    .replace(/^#/, '')
    .replace(/[\s{}\p{Cc}\p{Cs}]+/gu, '-');

// A colour of their own, the same on every page.
export function tint(node, user) {
  let hash = 0;
  for (const c of user) hash = Math.imul(hash ^ c.codePointAt(0), 2654435761);
  node.style.setProperty('--hue', ((hash >>> 8) % 24) * 15);
  return node;
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const firstOf = (name) =>
  graphemes.segment(name)[Symbol.iterator]().next().value?.segment ?? '?';

export const avatar = (user, name) =>
  tint(
    element('span', { class: 'avatar', 'aria-hidden': 'true' }, firstOf(name).toUpperCase()),
    user,
  );

// ---- Times

const clock = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
const day = { weekday: 'long', day: 'numeric', month: 'long' };
const dayThisYear = new Intl.DateTimeFormat(undefined, day);
const dayOfAnyYear = new Intl.DateTimeFormat(undefined, { ...day, year: 'numeric' });

export function timeElement(ms) {
  const when = new Date(ms);
  const attributes = { datetime: when.toISOString(), title: when.toLocaleString() };
  return element('time', attributes, clock.format(when));
}

export function dayName(ms) {
  const when = new Date(ms);
  const isThisYear = when.getFullYear() === new Date().getFullYear();
  return (isThisYear ? dayThisYear : dayOfAnyYear).format(when);
}

export const isSameDay = (a, b) => new Date(a).toDateString() === new Date(b).toDateString();

// ---- Text

// By the first letter, as dir="auto" would have it; but that takes seconds for a megabyte.
const RIGHT_TO_LEFT = /^\P{L}*[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/u;
export const directionOf = (text) => (RIGHT_TO_LEFT.test(text.slice(0, 200)) ? 'rtl' : 'ltr');

const LINK = /\bhttps?:\/\/[^\s<>"]+/giu;

// Without the punctuation that ends the sentence, or the bracket that the link stands in.
function trimLink(link) {
  const count = (c) => link.split(c).length - 1;
  let unopened = count(')') - count('(');
  let end = link.length;
  for (; end > 0; end--) {
    const last = link[end - 1];
    if (last === ')' ? unopened-- <= 0 : !/[.,;:!?'"*\]}…]/u.test(last)) break;
  }
  return link.slice(0, end);
}

function linkElement(link) {
  if (!URL.canParse(link)) return link;
  const { href, protocol } = new URL(link);
  if (protocol !== 'http:' && protocol !== 'https:') return link;
  return element('a', { href, target: '_blank', rel: 'noopener noreferrer nofollow' }, link);
}

// The text as nodes, with what looks like a link made one.
export function withLinks(text) {
  const nodes = [];
  let at = 0;
  for (const { 0: found, index } of text.matchAll(LINK)) {
    const link = trimLink(found);
    nodes.push(text.slice(at, index), linkElement(link));
    at = index + link.length;
  }
  nodes.push(text.slice(at));
  return nodes.filter((node) => node !== '');
}
