// The plots of `make bench`: a growth curve each, with the median as a line and the least and the
// most as a band, and bars of CPU a delivery. Plain SVG, with no script and no font of its own.

import fs from 'node:fs';
import path from 'node:path';
import { median } from './report.mjs';

const COLORS = ['#0b63ce', '#d1495b', '#6b7280', '#e09f3e', '#2a9d8f', '#8e5ea2'];
const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [720, 400, 60, 190, 68, 52];
const whole = (number) => number.toLocaleString('en');
const text = (x, y, words, more = '') => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${more}>${words}</text>`;

// Round numbers from 0 to at least most.
function steps(most) {
  const size = 10 ** Math.floor(Math.log10(most / 4));
  const step = [1, 2, 2.5, 5, 10].map((n) => n * size).find((one) => one * 5 >= most);
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, i) => Number((i * step).toPrecision(6)));
}

function svg(height, title, under, parts) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}"
 font-family="system-ui, 'DejaVu Sans', sans-serif" font-size="13" fill="#374151">
<rect width="100%" height="100%" fill="#fff"/>
${text(20, 26, title, 'font-size="16" font-weight="600" fill="#111827"')}
${text(20, 44, under, 'font-size="12" fill="#6b7280"')}
${parts.join('\n')}
</svg>
`;
}

// Moves labels apart that would cover each other.
function apart(labels) {
  labels.sort((a, b) => a.y - b.y).forEach((label, i) => i && (label.y = Math.max(label.y, labels[i - 1].y + 16)));
  return labels;
}

function curve(session, name, rows) {
  const points = [...new Set(rows.map((row) => row.n))];
  const lines = Object.keys(session.titles).flatMap((server) => {
    const at = points.map((n) => rows.filter((row) => row.name === server && row.n === n).map((row) => row.result.node_us));
    return at.every((all) => all.length) ? [{ server, at }] : [];
  });
  const ticks = steps(Math.max(...lines.flatMap(({ at }) => at.flat())));
  const x = (i) => LEFT + (i / (points.length - 1)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - (value / ticks.at(-1)) * (HEIGHT - TOP - BOTTOM);
  const at = (value, i) => `${x(i).toFixed(1)},${y(value).toFixed(1)}`;
  const grid = ticks.flatMap((tick) => [
    `<path d="M${LEFT} ${y(tick).toFixed(1)}H${WIDTH - RIGHT}" stroke="${tick ? '#e5e7eb' : '#9ca3af'}"/>`,
    text(LEFT - 8, y(tick) + 4, whole(tick), 'text-anchor="end"'),
  ]);
  const axis = points.map((n, i) => text(x(i), HEIGHT - BOTTOM + 20, whole(n), 'text-anchor="middle"'));
  const drawn = lines.flatMap(({ at: all }, k) => {
    const color = COLORS[k % COLORS.length];
    const band = [...all.map((v, i) => at(Math.max(...v), i)), ...all.map((v, i) => at(Math.min(...v), i)).reverse()];
    return [
      `<polygon points="${band.join(' ')}" fill="${color}" opacity="0.15"/>`,
      `<polyline points="${all.map((v, i) => at(median(v), i)).join(' ')}" fill="none" stroke="${color}" stroke-width="2.5" stroke-linejoin="round"/>`,
      ...all.map((v, i) => `<circle cx="${x(i).toFixed(1)}" cy="${y(median(v)).toFixed(1)}" r="3.5" fill="${color}"/>`),
    ];
  });
  const labels = apart(lines.map(({ server, at: all }, k) => ({ server, color: COLORS[k % COLORS.length], y: y(median(all.at(-1))) + 4 })));
  const names = labels.map((label) => text(WIDTH - RIGHT + 12, label.y, session.titles[label.server], `fill="${label.color}" font-weight="600"`));
  names.push(text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, name, 'text-anchor="middle"'));
  return svg(HEIGHT, `CPU of the servers a delivery, by ${name}`, 'µs; the median, and the least and the most of the runs', [...grid, ...axis, ...drawn, ...names]);
}

function bars(session, title, work, of) {
  const all = Object.keys(session.titles).flatMap((name) => {
    const values = session.table.filter((row) => row.name === name && row.work === work).map((row) => of(row.result));
    return values.length ? [{ name, values, value: median(values) }] : [];
  });
  all.sort((a, b) => a.value - b.value);
  const [left, row] = [200, 26];
  const most = steps(Math.max(...all.flatMap(({ values }) => values))).at(-1);
  const x = (value) => left + (value / most) * (WIDTH - left - 70);
  const drawn = all.flatMap(({ name, values, value }, i) => {
    const y = TOP - 6 + i * row;
    const color = name.startsWith('sluice') ? COLORS[0] : name.startsWith('limit') ? '#cbd5e1' : '#94a3b8';
    const range = `M${x(Math.min(...values)).toFixed(1)} ${y + 9}H${x(Math.max(...values)).toFixed(1)}`;
    return [
      text(left - 10, y + 14, session.titles[name], 'text-anchor="end"'),
      `<rect x="${left}" y="${y}" width="${(x(value) - left).toFixed(1)}" height="18" rx="2" fill="${color}"/>`,
      `<path d="${range}" stroke="#111827" stroke-width="1.5"/>`,
      text(x(Math.max(...values)) + 8, y + 14, value < 10 ? value.toFixed(2) : value.toFixed(0)),
    ];
  });
  return svg(TOP + 8 + all.length * row, title, 'µs; the median, and the least and the most of the runs', drawn);
}

// Returns the names of the files.
export function plots(session, dir) {
  const files = {};
  for (const name of new Set(session.growth.map((row) => row.curve)))
    files[`growth-${name}.svg`] = curve(session, name, session.growth.filter((row) => row.curve === name));
  files['paced.svg'] = bars(session, 'CPU of the server a delivery: 1 to 1,000 subscribers at 40/s', 'paced', (r) => r.node_us);
  files['saturated.svg'] = bars(session, 'CPU of the server a delivery: 1 to 1,000, 16 under way', 'full', (r) => r.node_us);
  for (const [file, content] of Object.entries(files)) fs.writeFileSync(path.join(dir, file), content);
  return Object.keys(files);
}
