// The tables of `make bench`: medians, ratios to Sluice with the least and the most, latencies, CPU
// by process, growth. Printed, and written as Markdown to table.md.

import fs from 'node:fs';
import path from 'node:path';
import { decimal, say, whole } from './lib.mjs';
import { plots } from './plots.mjs';

export function median(all) {
  const [list, half] = [[...all].sort((a, b) => a - b), Math.floor(all.length / 2)];
  return all.length % 2 ? list[half] : (list[half - 1] + list[half]) / 2;
}
// The median, and the least and the most if there are several.
function spread(all, digits) {
  if (!all.length) return '–';
  const [least, most] = [Math.min(...all), Math.max(...all)].map((value) => decimal(value, digits));
  return decimal(median(all), digits) + (all.length > 1 ? ` (${least} to ${most})` : '');
}
const us = (value) => decimal(value, value < 1 ? 2 : value < 30 ? 1 : 0);
const ms = (value) => decimal(value / 1000, value < 10000 ? 2 : 1);
const cores = (value) => decimal(value, 2);
const hundreds = (value) => whole(Math.round(value / 100) * 100);

// A figure: of which work's result, what it is, and how it is written.
const F = {
  pacedCpu: ['paced', (r) => r.node_us, us],
  fullCpu: ['full', (r) => r.node_us, us],
  fullRate: ['full', (r) => r.deliveries / r.seconds, hundreds],
  oneCpu: ['one', (r) => r.node_us, us],
  oneRedis: ['one', (r) => r.redis_us, us],
  oneRate: ['oneFull', (r) => r.messages / r.seconds, hundreds],
  oneFullCpu: ['oneFull', (r) => r.node_us, us],
  oneFullRedis: ['oneFull', (r) => r.redis_us, us],
  idle: ['idle', (r) => r.open_bytes, whole],
  connects: ['idle', (r) => r.opened_a_second, hundreds],
};
const percentiles = (work) => ['p50_us', 'p99_us', 'p999_us'].map((of) => [work, (r) => r[of], ms]);
const processes = (work) =>
  ['nodes', 'redis', 'client', 'others'].map((who) => [work, (r) => r.cores[who], cores]);

// Columns: a title, and figures that are told in one cell.
const MEDIANS = [
  ['1 to 1,000 at 40/s: CPU µs a delivery', F.pacedCpu],
  ['1 to 1,000, 16 under way: CPU µs a delivery / deliveries/s', F.fullCpu, F.fullRate],
  ['1:1 at 2,000/s: CPU µs a message, server / Redis', F.oneCpu, F.oneRedis],
  ['1:1, 256 under way: messages/s / server µs / Redis µs', F.oneRate, F.oneFullCpu, F.oneFullRedis],
  ['idle connection, bytes', F.idle],
  ['two nodes, ms: p50 / p99 / p99.9', ...percentiles('two')],
  ['connects/s', F.connects],
];
const RATIOS = [
  ['1 to 1,000 at 40/s: CPU', F.pacedCpu],
  ['16 under way: CPU', F.fullCpu],
  ['16 under way: deliveries/s', F.fullRate],
  ['1:1 at 2,000/s: CPU', F.oneCpu],
  ['1:1 at 2,000/s: Redis', F.oneRedis],
  ['1:1, 256 under way: messages/s', F.oneRate],
  ['1:1, 256: CPU', F.oneFullCpu],
  ['1:1, 256: Redis', F.oneFullRedis],
  ['idle bytes', F.idle],
  ['connects/s', F.connects],
];
const WORKS = { paced: '1 to 1,000 at 40/s', full: '1 to 1,000, 16 under way', one: '1:1 at 2,000/s', oneFull: '1:1, 256 under way', two: 'two nodes, 1:1 at 500/s' };
const columns = (figures, works) => works.map((work) => [WORKS[work], ...figures(work)]);

function aligned(rows) {
  const widths = rows[0].map((_, i) => Math.max(3, ...rows.map((row) => row[i].length)));
  const cell = (text, i) => (i ? text.padStart(widths[i]) : text.padEnd(widths[i]));
  const rule = widths.map((width, i) => (i ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)));
  return [rows[0].map(cell), rule, ...rows.slice(1).map((row) => row.map(cell))]
    .map((row) => `| ${row.join(' | ')} |`)
    .join('\n');
}

function head({ date, cores, model, load, redis, node, runs, seconds, minutes, titles, versions }) {
  const known = Object.keys(titles).filter((name) => versions[name]);
  return [
    `${date}: ${cores} cores (${model}), load ${decimal(load, 2)} before; servers on one core, Redis ${redis} and the`,
    `load on the rest; 128-byte payloads; ${runs} runs of ${seconds} s, interleaved, ${whole(minutes)} minutes. ${node} is Node;`,
    `${known.map((name) => `${titles[name]}: ${versions[name]}`).join('; ')}.`,
  ].join('\n');
}

export function report(session, dir) {
  const { table, growth, titles } = session;
  const names = Object.keys(titles);
  const results = (name, work) => table.filter((row) => row.name === name && row.work === work);
  const told = (name, [work, of, how]) => {
    const all = results(name, work).map(({ result }) => of(result));
    return all.length ? how(median(all)) : '–';
  };
  const ratio = (name, [work, of]) => {
    const base = Object.fromEntries(results('sluice', work).map(({ run, result }) => [run, of(result)]));
    return spread(results(name, work).flatMap(({ run, result }) => (base[run] ? [of(result) / base[run]] : [])), 2);
  };
  const parts = [head(session)];
  const add = (title, list, cell) => {
    const rows = names.map((name) => [titles[name], ...list.map(([, ...figures]) => cell(name, figures))]);
    parts.push(title, aligned([['', ...list.map(([heading]) => heading)], ...rows]));
  };
  const inOne = (separator) => (name, figures) => figures.map((figure) => told(name, figure)).join(separator);
  add('Medians.', MEDIANS, inOne(' / '));
  if (names.includes('sluice') && names.length > 1)
    add('Times the figure of Sluice in the same run: the median (the least to the most).', RATIOS, (name, [figure]) => ratio(name, figure));
  add('From publisher to subscriber, ms: p50 / p99 / p99.9.', columns(percentiles, ['paced', 'full', 'one', 'oneFull', 'two']), inOne(' / '));
  add('CPU by process, cores: server / Redis / load client / all else on the machine.', columns(processes, ['paced', 'full', 'one', 'oneFull']), inOne(' / '));

  for (const curve of new Set(growth.map((row) => row.curve))) {
    const points = [...new Set(growth.filter((row) => row.curve === curve).map((row) => row.n))];
    const of = (name, n) =>
      growth.filter((row) => row.curve === curve && row.n === n && row.name === name).map(({ result }) => result.node_us);
    const growing = names.filter((name) => points.some((n) => of(name, n).length));
    parts.push(
      `CPU µs of the servers a delivery, by ${curve}: the median (the least to the most).`,
      aligned([[curve, ...points.map(whole)], ...growing.map((name) => [titles[name], ...points.map((n) => spread(of(name, n), 1))])]),
    );
  }
  for (const { name, run, work, result } of table.filter((row) => row.result.disordered))
    parts.push(`Out of order: ${titles[name]}, ${WORKS[work]}, run ${run}: ${whole(result.disordered)}.`);
  const joined = results('sluice', 'idle').map(({ result }) => result.joined_bytes);
  if (joined.length) parts.push(`A connection to Sluice that is logged in and in a room of 10,000: ${whole(median(joined))} bytes.`);
  const windows = [...table, ...growth].filter(({ result }) => result.cores);
  const disturbed = windows.filter(({ result }) => result.cores.others > 0.25).length;
  if (disturbed) parts.push(`All else took more than a quarter of a core in ${disturbed} of ${windows.length} windows.`);
  const text = `${parts.join('\n\n')}\n`;
  fs.writeFileSync(path.join(dir, 'table.md'), text);
  say(text);
  say(`In ${path.relative(process.cwd(), dir)}: table.md, results.json, ${plots(session, dir).join(', ')}`);
}
