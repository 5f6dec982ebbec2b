// `make bench`: Sluice, what else passes messages on, and programs that do nothing but that, side by
// side by one load client (build/bench/load). Servers have core 0; Redis, the load and this have the
// others. Run k of every server comes before run k+1 of any; a ratio is of one run.

import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { decimal, load, pin, ROOT, setting } from './lib.mjs';
import { report } from './report.mjs';
import { rivals } from './rivals/servers.mjs';
import { startRedis } from '../blackbox/lib/servers.mjs';

const SERVERS = '0';
const REST = os.cpus().length > 1 ? `1-${os.cpus().length - 1}` : '0';
const PAIRS = 128;

// What is measured of each: on how many processes, and what the load does.
const WORK = {
  paced: [1, 'fanout', { subs: 1000, pubs: 1, rate: 40 }],
  full: [1, 'fanout', { subs: 1000, pubs: 1, window: 16 }],
  one: [1, 'pairs', { pairs: PAIRS, rate: 2000 }],
  oneFull: [1, 'pairs', { pairs: PAIRS }],
  two: [2, 'pairs', { pairs: PAIRS, rate: 500 }],
  idle: [1, 'idle', { conns: 10000 }],
};

// As much a second is delivered at each point of a curve.
const CURVES = {
  subscribers: [[10, 100, 1000, 10000], (n) => [1, 'fanout', { subs: n, pubs: 1, rate: 40000 / n }]],
  channels: [[1, 10, 100, 1000, 10000], (n) => [1, 'fanout', { subs: n, topics: n, pubs: 4, rate: 2000 }]],
  nodes: [[1, 2, 3, 4], (n) => [n, 'fanout', { subs: 1000, pubs: 1, rate: 40 }]],
};
const GROWS = ['sluice', 'uwebsockets', 'limit'];

const progress = (text) => process.stderr.write(`${text}\n`);

// Those that can be had, with their versions.
function choose(names) {
  const chosen = {};
  for (const name of names) {
    const { version, why } = rivals[name].what();
    if (why) progress(`without ${rivals[name].title}: ${why}`);
    else chosen[name] = version;
  }
  return chosen;
}

async function measure(name, redis, [count, mode, settings], window) {
  const { dialect, start } = rivals[name];
  const { servers, stop } = await start(redis, count);
  try {
    pin(SERVERS, ...servers.map(({ pid }) => pid));
    return await load(mode, { as: dialect, ...window, ...settings }, redis, servers);
  } finally {
    await stop();
    await redis.ask(['FLUSHALL']);
  }
}

// One run of everything: its results are appended to the session's table and growth.
async function measureAll({ table, growth, titles, seconds }, redis, run, note) {
  const window = { seconds, warmup: seconds > 2 ? 1000 : 500 };
  const short = { seconds: Math.ceil(seconds / 2), warmup: 500 };
  const into = async (list, row, work, time) => {
    try {
      list.push({ ...row, run, result: await measure(row.name, redis, work, time) });
    } catch (error) {
      progress(`${titles[row.name]}: ${error.message}`);
    }
  };
  for (const name of Object.keys(titles)) {
    note(titles[name]);
    for (const [work, what] of Object.entries(WORK)) {
      if (what[0] > 1 && rivals[name].alone) continue;
      await into(table, { name, work }, what, window);
    }
  }
  const growing = GROWS.filter((name) => titles[name]);
  for (const [curve, [points, work]] of growing.length ? Object.entries(CURVES) : []) {
    note(`growth of ${curve}`);
    for (const n of points) {
      for (const name of growing) await into(growth, { curve, n, name }, work(n), short);
    }
  }
}

export async function sides(only) {
  const [runs, seconds] = [setting('RUNS', 5), setting('SECONDS', 3)];
  const versions = choose(only ?? Object.keys(rivals));
  const redis = await startRedis({ appendfsync: 'everysec' });
  pin(REST, process.pid, redis.pid);
  const [info] = await redis.ask(['INFO', 'server']);
  const session = {
    date: new Date().toISOString().slice(0, 10),
    cores: os.cpus().length,
    model: os.cpus()[0].model.trim(),
    load: os.loadavg()[0],
    redis: info.match(/redis_version:(\S+)/)[1],
    node: process.version,
    seconds,
    versions,
    titles: Object.fromEntries(Object.keys(versions).map((name) => [name, rivals[name].title])),
    table: [], // of { name, work, run, result }
    growth: [], // of { curve, n, name, run, result }
  };
  const began = Date.now();
  const minutes = () => (Date.now() - began) / 60000;
  const dir = path.join(ROOT, 'build/bench');
  for (let run = 1; run <= runs; run++) {
    const note = (what) => progress(`${decimal(minutes(), 1)} min, run ${run} of ${runs}: ${what}`);
    await measureAll(session, redis, run, note);
    Object.assign(session, { runs: run, minutes: minutes() });
    fs.writeFileSync(path.join(dir, 'results.json'), JSON.stringify(session, null, 1));
  }
  await redis.stop();
  report(session, dir);
}
