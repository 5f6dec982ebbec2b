// The tables of `make bench`: medians, ratios to Sluice with the least and the most, latencies, CPU
// by process, growth. Printed, and written as Markdown to table.md.

import fs from 'node:fs';
import path from 'node:path';
import { decimal, say, whole } from './lib.mjs';
import { plots } from './plots.mjs';

const sorted = (all) => [...all].sort((a, b) => a - b);
export function median(all) {
  const [list, half] = [sorted(all), Math.floor(all.length / 2)];
  return all.length % 2 ? list[half] : (list[half - 1] + list[half]) / 2;
}
const spread = (all, digits) => {
  if (!all.length) return '–';
  const [least, most] = [Math.min(...all), Math.max(...all)];
  return `${decimal(median(all), digits)} (${decimal(least, digits)} to ${decimal(most, digits)})`;
};
const us = (value) => (value < 1 ? decimal(value, 2) : decimal(value, value < 30 ? 1 : 0));
const ms = (value) => decimal(value / 1000, value < 10000 ? 2 : 1);

// What the table has: a title, the work, the figure of its result, and how it is written.
export const METRICS = [
  ['1 to 1,000 at 40/s: CPU µs a delivery', 'paced', (r) => r.node_us, us],
  ['1 to 1,000, 16 under way: CPU µs a delivery', 'full', (r) => r.node_us, us],
  ['the same: deliveries/s', 'full', (r) => r.deliveries / r.seconds, whole],
  ['1:1 at 2,000/s: CPU µs a message, server', 'one', (r) => r.node_us, us],
  ['the same: Redis', 'one', (r) => r.redis_us, us],
  ['1:1, 256 under way: messages/s', 'oneFull', (r) => r.messages / r.seconds, whole],
  ['the same: CPU µs, server', 'oneFull', (r) => r.node_us, us],
  ['the same: Redis', 'oneFull', (r) => r.redis_us, us],
  ['idle connection, bytes', 'idle', (r) => r.open_bytes, whole],
  ['connects/s', 'idle', (r) => r.opened_a_second, whole],
];

function aligned(rows) {
  const widths = rows[0].map((_, i) => Math.max(3, ...rows.map((row) => row[i].length)));
  const line = (row) => `| ${row.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join(' | ')} |`;
  const rule = `|${widths.map((width, i) => (i ? `${'-'.repeat(width + 1)}:` : '-'.repeat(width + 2))).join('|')}|`;
  return [line(rows[0]), rule, ...rows.slice(1).map(line)].join('\n');
}

export function report(session, dir) {
  const { table, growth, titles, versions } = session;
  const names = Object.keys(titles);
  const results = (name, work) => table.filter((row) => row.name === name && row.work === work);
  const figures = (name, work, of) => results(name, work).map((row) => of(row.result));
  const told = (name, work, of, how) => {
    const all = figures(name, work, of);
    return all.length ? how(median(all)) : '–';
  };
  const ratios = (name, work, of) =>
    results(name, work).flatMap(({ run, result }) => {
      const base = results('sluice', work).find((row) => row.run === run);
      return base ? [of(result) / of(base.result)] : [];
    });
  const parts = [];
  const add = (title, rows) => parts.push(`${title}\n\n${aligned(rows)}`);

  const columns = (list, cell) => [['', ...list.map(([title]) => title)], ...names.map((name) => [titles[name], ...list.map((one) => cell(name, one))])];
  add('Medians.', columns(METRICS, (name, [, work, of, how]) => told(name, work, of, how)));
  if (names.includes('sluice') && names.length > 1)
    add('Times the figure of Sluice in the same run: median (least to most).', columns(METRICS, (name, [, work, of]) => spread(ratios(name, work, of), 2)));

  const latencies = [['1 to 1,000 at 40/s', 'paced'], ['1:1 at 2,000/s', 'one'], ['two nodes, 1:1 at 500/s', 'two']];
  add(
    'Latency from publisher to subscriber, ms: p50 / p99 / p99.9.',
    columns(latencies, (name, [, work]) =>
      ['p50_us', 'p99_us', 'p999_us'].map((of) => told(name, work, (r) => r[of], ms)).join(' / ')),
  );

  const works = [['1 to 1,000 at 40/s', 'paced'], ['1 to 1,000, 16 under way', 'full'], ['1:1 at 2,000/s', 'one'], ['1:1, 256 under way', 'oneFull']];
  add(
    'CPU by process, cores: server / Redis / load client / all else on the machine.',
    columns(works, (name, [, work]) =>
      ['nodes', 'redis', 'client', 'others'].map((who) => told(name, work, (r) => r.cores[who], (v) => decimal(v, 2))).join(' / ')),
  );

  for (const curve of new Set(growth.map((row) => row.curve))) {
    const points = [...new Set(growth.filter((row) => row.curve === curve).map((row) => row.n))];
    const of = (name, n) => growth.filter((row) => row.curve === curve && row.n === n && row.name === name).map((row) => row.result.node_us);
    const growing = names.filter((name) => growth.some((row) => row.name === name));
    add(`CPU µs of the servers a delivery, by ${curve}: median (least to most).`, [
      [curve, ...points.map(whole)],
      ...growing.map((name) => [titles[name], ...points.map((n) => spread(of(name, n), 1))]),
    ]);
  }

  const wrong = table.filter(({ result }) => result.disordered);
  for (const { name, run, work, result } of wrong) parts.push(`Out of order: ${titles[name]}, ${work}, run ${run}: ${whole(result.disordered)}.`);
  const known = names.filter((name) => versions[name]).map((name) => `${titles[name]} ${versions[name]}`);
  const head = [
    `${session.date}, ${session.cores} cores (${session.model}), load ${decimal(session.load, 2)} before; servers on one core,`,
    `Redis ${session.redis} and the load on the rest; 128-byte payloads; ${session.runs} runs of ${session.seconds} s, interleaved, in`,
    `${whole(session.minutes)} minutes. ${known.join('; ')}; Node ${session.node}.`,
  ].join('\n');
  const text = `${[head, ...parts].join('\n\n')}\n`;
  fs.writeFileSync(path.join(dir, 'table.md'), text);
  say(text);
  const drawn = plots(session, dir);
  say(`In ${path.relative(process.cwd(), dir) || '.'}: table.md, results.json, ${drawn.join(', ')}`);
}
