// What the benchmarks share: settings, the load client, cores, tables of text.

import { execFile, execFileSync } from 'node:child_process';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

export const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
export const LOAD = path.join(ROOT, 'build/bench/load');
process.env.SLUICE_BIN ??= path.join(ROOT, 'build/sluice'); // read by the harness of the tests

export const say = (text = '') => console.log(text);
export const decimal = (number, digits) => number.toFixed(digits);
export const whole = (number) => Math.round(number).toLocaleString('en');
export const machine = () =>
  `${os.cpus().length} cores, ${os.cpus()[0].model.trim()}, load ${decimal(os.loadavg()[0], 2)} before`;

export function setting(name, initial) {
  const value = Number(process.env[name] || initial);
  if (Number.isInteger(value) && value > 0) return value;
  console.error(`bench: ${name} is "${process.env[name]}": must be a whole number above 0`);
  process.exit(1);
}

export function table(rows, indent = '  ') {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  for (const row of rows) {
    const cells = row.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i])));
    say(`${indent}${cells.join('  ')}`.trimEnd());
  }
}

// Binds processes with all their threads to cores, as taskset(1) writes them.
export function pin(cores, ...pids) {
  for (const pid of pids) execFileSync('taskset', ['-a', '-p', '-c', cores, String(pid)], { stdio: 'ignore' });
}

// Runs the load client to its end; resolves to what it measured.
export function load(mode, settings, redis, servers) {
  const pairs = Object.entries({ ...settings, redis: redis.pid });
  const args = [mode, ...pairs.map(([name, value]) => `${name}=${value}`)];
  for (const { port, pid } of servers) args.push(`127.0.0.1:${port}:${pid}`);
  return new Promise((resolve, reject) => {
    const timeout = ((settings.seconds ?? 10) + 240) * 1000;
    const child = execFile(LOAD, args, { timeout, killSignal: 'SIGKILL' }, (error, out, text) => {
      process.off('exit', end);
      const reason = text.trim() || error?.signal || error?.message;
      if (error) reject(new Error(`${mode}: ${reason}`));
      else resolve(JSON.parse(out));
    });
    const end = () => child.kill('SIGKILL');
    process.on('exit', end);
  });
}
