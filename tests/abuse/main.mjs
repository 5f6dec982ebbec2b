#!/usr/bin/env node
// make abuse [ONLY=part of an attack's name] [WINDOWS=5] [USERS=200]
//
// 200 well-behaved users chat on two nodes while one attacker after the other does its worst
// (abuse.mjs). A table at the end; ends with 1 if something did not hold.

import path from 'node:path';
import { ROOT } from '../blackbox/lib/waiting.mjs';

// This must come before the harness reads it.
process.env.SLUICE_BIN = path.resolve(process.env.SLUICE_BIN || path.join(ROOT, 'build/sluice'));
const { stopAll } = await import('../blackbox/lib/harness.mjs');
const { abuse } = await import('./abuse.mjs');
const { attacks } = await import('./attacks.mjs');

const LIMIT = 256; // MiB: --memory-limit
const only = process.env.ONLY;
const names = Object.keys(attacks).filter((name) => !only || name.includes(only));
const fixed = (n) => (Number.isFinite(n) ? n.toFixed(1) : 'none came');
const shown = ({ attack, ratio, closed, errors, broken, ...row }) => ({
  attack,
  'p99 quiet': fixed(row['p99 quiet']),
  'p99 abuse': fixed(row['p99 abuse']),
  ratio: fixed(ratio),
  closed,
  errors,
  'RSS MiB': fixed(row['RSS MiB']),
  'what broke': broken.join('; '),
});

const { rows, identity, redis } = await abuse({
  names,
  users: Number(process.env.USERS || 200),
  windows: Number(process.env.WINDOWS || 5),
  ratio: 3,
  memory: LIMIT,
  limit: LIMIT,
  onRow(row) {
    console.log(`${row.attack}: p99 ${fixed(row['p99 quiet'])} → ${fixed(row['p99 abuse'])} ms. ${row.attacker}`);
    if (row.broken.length) console.log(`    BROKEN ${row.broken.join('; ')}`);
  },
});
console.table(rows.map(shown));
console.log(`times in ms; identity ${identity ? 'on' : 'off'}; memory-limit ${LIMIT} MiB; Redis has ${redis.toFixed(0)} MiB`);
await stopAll();
process.exit(rows.some(({ broken }) => broken.length) ? 1 : 0);
