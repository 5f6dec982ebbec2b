// `make bench`: everything side by side (sides.mjs). From the environment (or make's command line):
//
//     RUNS=5           of each measurement, interleaved
//     SECONDS=3        of each measured window
//     ONLY=NAME,…      of the servers: sluice, uwebsockets, limit, … (rivals/servers.mjs), or of the
//                      parts that measure Sluice alone: workers, idle, fairness, … (parts.mjs)
//     CENTRIFUGO=PATH  the program of Centrifugo
//     REPORT=1         makes the tables and plots again from build/bench/results.json, which has
//                      the runs that are done
//
// Tables are printed and are in build/bench/table.md, plots beside it. Where others use the machine,
// a session of its own with all the weight that there is gives figures that can be compared (as root):
//
//     setsid -w sh -c 'echo -20 >/proc/self/autogroup; exec make bench'

import fs from 'node:fs';
import path from 'node:path';
import { LOAD, ROOT } from './lib.mjs';

async function main() {
  const { REPORT, ONLY } = process.env;
  const dir = path.join(ROOT, 'build/bench');
  if (REPORT) {
    const { report } = await import('./report.mjs');
    return report(JSON.parse(fs.readFileSync(path.join(dir, 'results.json'))), dir);
  }
  for (const file of [LOAD, process.env.SLUICE_BIN]) {
    if (!fs.existsSync(file)) throw new Error(`${file} is not there: make bench builds it`);
  }
  const { PARTS, parts } = await import('./parts.mjs');
  const { rivals } = await import('./rivals/servers.mjs');
  const { sides } = await import('./sides.mjs');
  const only = ONLY?.split(',').filter(Boolean);
  const unknown = only?.find((name) => !PARTS.includes(name) && !rivals[name]);
  if (unknown) throw new Error(`there is no "${unknown}": ${[...Object.keys(rivals), ...PARTS].join(', ')}`);
  const some = only?.filter((name) => PARTS.includes(name)) ?? [];
  const servers = only?.filter((name) => rivals[name]);
  if (some.length) await parts(some);
  if (!only || servers.length) await sides(servers);
}

main().then(
  () => process.exit(0),
  (error) => {
    console.error(`bench: ${error.message}`);
    process.exit(1);
  },
);
