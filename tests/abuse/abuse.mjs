// Two nodes and a Redis, on which a crowd of well-behaved users chats, while one attacker after the
// other does its worst. What must hold for the crowd is checked for each attack:
//   - the p99 of a message, from its sender to all others in the room, is at most `ratio` times
//     what it is without abuse (medians of windows; the quiet ones stand around each attack, since
//     the machine may be busy with other things)
//   - no well-behaved connection is closed, none of their events fails
//   - the memory of each node stays within `memory`
//   - nobody is let in who should not be
// Attackers are other processes at nice 19: they stand for other machines, whose work costs this
// one nothing. Their rates are bounded for the same reason (attacks.mjs).

import { fork, spawn } from 'node:child_process';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { connect, sleep, startNode, startRedis } from '../blackbox/lib/harness.mjs';
import { memory } from '../blackbox/lib/processes.mjs';
import { IDENTITY } from '../blackbox/lib/token.mjs';
import { attacks } from './attacks.mjs';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const median = (list) => [...list].sort((a, b) => a - b)[Math.floor((list.length - 1) / 2)];
const MIB = 1024 * 1024;

class Crowd {
  #child;
  #ended;

  constructor(settings) {
    this.#child = fork(here('crowd.mjs'), [JSON.stringify(settings)]);
    this.#ended = new Promise((_, reject) => {
      this.#child.once('exit', (code) => reject(new Error(`the crowd ended with ${code}`)));
    });
    this.#ended.catch(() => {});
    this.ready = this.#answer();
  }

  #answer() {
    return Promise.race([this.#ended, new Promise((resolve) => this.#child.once('message', resolve))]);
  }

  async window(ms) {
    const answer = this.#answer();
    this.#child.send({ window: ms });
    const result = await answer;
    // JSON has no Infinity: nothing came at all.
    return { ...result, p50: result.p50 ?? Infinity, p99: result.p99 ?? Infinity };
  }

  end() {
    this.#child.send({ end: true });
  }
}

// Resolves when the attack has begun, to { over }, a promise of what the attacker counted.
async function attack(name, { urls, identity, ms }) {
  const child = spawn(process.execPath, [here('attacker.mjs'), name, JSON.stringify({ urls, identity, ms })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    os.setPriority(child.pid, 19);
  } catch {
    // it has ended already
  }
  let text = '';
  const counts = () => text.match(/^\{.*/m)?.[0] ?? '{"failed":1}';
  const over = new Promise((resolve) => child.on('close', () => resolve(JSON.parse(counts()))));
  await new Promise((resolve) => {
    child.on('close', resolve);
    child.stdout.on('data', (data) => {
      text += data;
      resolve();
    });
  });
  return { over };
}

const sum = (windows, of) => windows.reduce((total, window) => total + of(window), 0);
const values = (object) => Object.values(object).reduce((a, b) => a + b, 0);

function judge({ quiet, loud, counts, rss, limits }) {
  const p99 = (windows) => median(windows.map((window) => window.p99));
  const [before, during] = [Math.max(limits.floor, p99(quiet)), p99(loud)];
  const all = [...quiet, ...loud];
  const errors = {};
  for (const window of all) {
    for (const [code, n] of Object.entries(window.errors)) errors[code] = (errors[code] ?? 0) + n;
  }
  const row = {
    'p99 quiet': p99(quiet),
    'p99 abuse': during,
    ratio: during / before,
    closed: sum(all, (window) => window.closed.length),
    errors: values(errors),
    'RSS MiB': rss,
    broken: [],
  };
  if (!(row.ratio <= limits.ratio)) row.broken.push(`p99 ${row.ratio.toFixed(1)} times`);
  if (row.closed) row.broken.push(`closed: ${[...new Set(all.flatMap((window) => window.closed))]}`);
  if (row.errors) row.broken.push(`errors: ${JSON.stringify(errors)}`);
  if (limits.memory && rss > limits.memory) row.broken.push(`RSS over ${limits.memory} MiB`);
  if (counts['LET IN']) row.broken.push(`${counts['LET IN']} let in`);
  row.attacker = Object.entries(counts)
    .map(([what, n]) => `${what} ${n}`)
    .join(', ');
  return row;
}

/*
 * Runs attacks; resolves to their rows. Options:
 *   names     of the attacks, default: all
 *   users     of the crowd; windows: of a second, for each of quiet and abuse
 *   ratio     the most that p99 may grow; floor: ms, a smaller p99 counts as this much, since it is
 *             not told from the machine's own noise
 *   memory    MiB that a node may have; limit: --memory-limit of the nodes, in MiB
 *   args, env  further arguments of the nodes, and their environment
 *   onRow     called with each row
 */
export async function abuse({
  names = Object.keys(attacks),
  users = 200,
  windows = 5,
  ratio = 3,
  floor = 15,
  memory: most,
  limit = 256,
  args = [],
  env = {},
  onRow = () => {},
}) {
  const redis = await startRedis();
  const settings = [...IDENTITY, '--memory-limit', `${limit}M`, '--deflate', '--rate-limit', '200', ...args];
  const nodes = [];
  for (const id of ['n1', 'n2']) nodes.push(await startNode({ redis, id, args: settings, env, shown: false }));
  const urls = nodes.map((node) => node.url);
  const stranger = await connect(nodes[0]);
  const identity = await stranger.emit('login', { userId: 'nobody' }).then(
    () => false,
    (error) => error.code === 'unauthorized',
  );
  stranger.terminate();
  const crowd = new Crowd({ urls, users, rooms: Math.ceil(users / 20), every: 4000, identity });
  await crowd.ready;
  await sleep(2000);
  const rows = [];
  const quietly = async (count) => {
    const all = [];
    for (let i = 0; i < count; i++) all.push(await crowd.window(1000));
    return all;
  };
  let quiet = await quietly(windows);
  for (const name of names) {
    let rss = 0;
    const watch = setInterval(() => (rss = Math.max(rss, ...nodes.map((node) => memory(node, 'VmRSS')))), 100);
    const { over } = await attack(name, { urls, identity, ms: (windows + 2) * 1000 });
    await sleep(1500);
    const loud = await quietly(windows);
    const counts = await over;
    clearInterval(watch);
    await sleep(1500);
    const after = await quietly(windows);
    const row = judge({ quiet: [...quiet, ...after], loud, counts, rss, limits: { ratio, floor, memory: most } });
    rows.push({ attack: name, ...row });
    onRow(rows.at(-1));
    quiet = after;
  }
  crowd.end();
  const [, held] = (await redis.cli('INFO', 'memory')).match(/used_memory:(\d+)/);
  for (const node of nodes) await node.stop();
  await redis.stop();
  return { rows, identity, redis: Number(held) / MIB };
}
