// Words, numbers and parts of the cluster page.

// ---- Words and numbers

const whole = new Intl.NumberFormat('en');
export const number = (n) => (n === undefined ? '–' : whole.format(n));

export function bytes(n) {
  if (n === undefined) return '–';
  for (const unit of ['B', 'KiB', 'MiB']) {
    if (n < 1024) return `${n < 10 && unit !== 'B' ? n.toFixed(1) : Math.round(n)} ${unit}`;
    n /= 1024;
  }
  return `${n.toFixed(1)} GiB`;
}

export function duration(s) {
  if (s === undefined) return '–';
  if (s < 60) return `${Math.floor(s)} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export const millis = (ms) => (ms < 10000 ? `${(ms / 1000).toFixed(1)} s` : duration(ms / 1000));
export const turn = (ms) => (ms < 10 ? `${ms.toFixed(1)} ms` : `${number(Math.round(ms))} ms`);
export const plural = (n, word) => `${number(n)} ${word}${n === 1 ? '' : 's'}`;
// [0, 1, 2, 5] is "0–2, 5".
export function ranges(numbers) {
  const runs = [];
  for (const n of numbers) {
    if (runs.at(-1)?.[1] === n - 1) runs.at(-1)[1] = n;
    else runs.push([n, n]);
  }
  return runs.map(([from, to]) => (from === to ? `${from}` : `${from}–${to}`)).join(', ');
}
export const clock = (ms) => {
  const at = new Date(ms);
  const today = at.toDateString() === new Date().toDateString();
  return today ? at.toLocaleTimeString() : at.toLocaleString();
};

// ---- The page's parts

export function element(name, content = '', classes = '') {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  if (content instanceof Node) made.append(content);
  else made.textContent = content;
  return made;
}

// Text that did not change is left alone: a selection in it stays.
export function put(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Brings a table's rows in line with `items`. A row stays that of its key, and one whose neighbours
// come and go does not move: focus stays in it.
export function reconcile(body, items, keyOf, make, fill) {
  const rows = new Map([...body.children].map((row) => [row.dataset.key, row]));
  const wanted = new Set(items.map(keyOf));
  for (const [key, row] of rows) if (!wanted.has(key)) row.remove();
  items.forEach((item, i) => {
    const key = keyOf(item);
    const row = rows.get(key) ?? make(item);
    row.dataset.key = key;
    fill(row, item);
    if (body.children[i] !== row) body.insertBefore(row, body.children[i] ?? null);
  });
}

export function makeCells(classes) {
  const row = element('tr');
  for (const one of classes) row.append(element('td', '', one));
  return row;
}

// ---- Sparklines

const FEWEST = 15; // points that fill the width

export function makeSpark() {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('viewBox', '0 0 100 24');
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(document.createElementNS(svg.namespaceURI, 'polyline'));
  return svg;
}

export function drawSpark(svg, points) {
  const most = Math.max(1, ...points);
  const width = Math.max(points.length, FEWEST);
  const step = 100 / (width - 1);
  const from = width - points.length;
  const at = points.map((n, i) => [
    ((from + i) * step).toFixed(1),
    (22 - (20 * n) / most).toFixed(1),
  ]);
  svg.firstChild.setAttribute('points', at.join(' '));
}
