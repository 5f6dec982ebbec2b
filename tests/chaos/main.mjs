#!/usr/bin/env node
// make chaos [TOPOLOGY=single|sentinel|cluster] [WAIT=1] [SEED=7] [SECONDS=60] [FAULTS=100]
//            [ONLY=part of a fault's name] [FAST=1]
//
// Three nodes, Redis and a crowd under random faults: nothing acknowledged may be lost, come twice
// or out of order, and presence must be right after each storm. Ends with 0 if that is so. What
// only a master had that died may be lost, if everybody was told who can be; with WAIT=1 the nodes
// wait for a replica (redis-wait), and nothing may. SLUICE_BIN names another program than
// build/sluice; UNTIL_FINDING=1 ends with the first storm that found something.

import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from '../blackbox/lib/waiting.mjs';

// This must come before the harness reads it.
process.env.SLUICE_BIN = path.resolve(process.env.SLUICE_BIN || path.join(ROOT, 'build/sluice'));
const { stopAll } = await import('../blackbox/lib/harness.mjs');
const { Storm } = await import('./storm.mjs');
const { progress, table } = await import('./report.mjs');

function setting(name, otherwise) {
  const text = process.env[name];
  if (!text) return otherwise;
  if (!/^\d+$/.test(text)) {
    console.error(`chaos: ${name} must be a number, not "${text}"`);
    process.exit(2);
  }
  return Number(text);
}

const seed = setting('SEED', Math.floor(Math.random() * 1e6));
const faults = setting('FAULTS', 0);
const seconds = setting('SECONDS', faults ? 0 : 60);
const wait = Boolean(setting('WAIT', 0));
const topology = process.env.TOPOLOGY || 'single';
const untilFinding = Boolean(setting('UNTIL_FINDING', 0));
const terminal = process.stdout.isTTY;
const say = (text) => process.stdout.write(`${terminal ? '\r\x1b[K' : ''}${text}\n`);

const clock = (ms) => new Date(ms).toISOString().slice(11, 23);

function onFault({ name, slot, begin, over, acked, healed }) {
  const lasted = `${((over - begin) / 1000).toFixed(1)} s`;
  const after = `acked after ${acked} ms, healed after ${healed} ms`;
  say(`${clock(begin)} ${name}${slot ? ` (${slot})` : ''}: ${lasted}; ${after}`);
}

function onFinding({ kind, text, at }) {
  say(`\n${kind.toUpperCase()} ${new Date(at).toISOString()} ${text}`);
  const lately = storm.done.slice(-12).concat([...storm.running]);
  const times = ({ name, slot, begin, over }) =>
    `    ${clock(begin)} to ${over ? clock(over) : 'now'} ${name} ${slot ?? ''}`;
  say(`  the last faults:\n${lately.map(times).join('\n')}\n  logs: ${storm.world?.logs}`);
}

let storm;
try {
  if (!fs.existsSync(process.env.SLUICE_BIN)) throw new Error(`no ${process.env.SLUICE_BIN}`);
  const { ONLY: only } = process.env;
  const told = { onFinding, onFault };
  storm = new Storm({ topology, wait, seed, seconds, faults, only, untilFinding, ...told });
} catch (error) {
  console.error(`chaos: ${error.message}`);
  process.exit(2);
}
const limits = [seconds && `SECONDS=${seconds}`, faults && `FAULTS=${faults}`];
const words = (...all) => all.filter(Boolean).join(' ');
const which = words(`TOPOLOGY=${topology}`, wait && 'WAIT=1', `SEED=${seed}`);
say(`chaos: ${words(which, ...limits)}`);
process.on('exit', () => {
  if (storm.world && !storm.ledger.findings.length) storm.world.forget();
});

const shown = setInterval(
  () => {
    if (!storm.crowd) return;
    const line = progress(storm);
    if (terminal) process.stdout.write(`\r\x1b[K${line.slice(0, process.stdout.columns - 1)}`);
    else say(line);
  },
  terminal ? 250 : 5000,
);

try {
  await storm.run();
} catch (error) {
  storm.ledger.finding('harness', error.stack);
}
clearInterval(shown);
say(`\n${which}, ${storm.seconds.toFixed(0)} s\n${storm.crowd ? table(storm) : ''}`);
const { findings } = storm.ledger;
if (findings.length) say(`\n${findings.length} findings; logs in ${storm.world?.logs}`);
await stopAll().catch((error) => say(error.stack));
process.exit(findings.length ? 1 : 0);
