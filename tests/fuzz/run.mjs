// Runs the libFuzzer targets in the folder FUZZERS (default: build/fuzz), one after the other, and
// prints a table. The exit status is 1 if one has a finding, or has no seeds.
//
//     SECONDS=60 node tests/fuzz/run.mjs [NAME...]   only targets whose name contains a NAME
//
// A target begins with the seeds of tests/fuzz/corpus/NAME and with what earlier runs found,
// which is kept in build/fuzz/corpus/NAME. Inputs that are findings go to build/fuzz/findings.
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const FUZZ = path.join(ROOT, 'build/fuzz');
const BUILT = path.resolve(ROOT, process.env.FUZZERS || FUZZ);
const SECONDS = Number(process.env.SECONDS || 60);
const FINDINGS = path.join(FUZZ, 'findings');
const EXECUTED = path.join(FUZZ, 'executed.json'); // by all runs so far, for each target

const wanted = process.argv.slice(2);
const targets = fs
  .readdirSync(path.join(ROOT, 'tests/fuzz'))
  .filter((name) => /^fuzz_\w+\.c$/.test(name))
  .map((name) => name.slice('fuzz_'.length, -'.c'.length))
  .filter((name) => wanted.length === 0 || wanted.some((part) => name.includes(part)))
  .sort();

function executedSoFar() {
  try {
    return JSON.parse(fs.readFileSync(EXECUTED, 'utf8'));
  } catch {
    return {};
  }
}

function note(name, executions) {
  const all = executedSoFar();
  all[name] = (all[name] ?? 0) + executions;
  fs.writeFileSync(EXECUTED, JSON.stringify(all, null, 2));
  return all[name];
}

function fuzz(name) {
  const seeds = path.join(ROOT, 'tests/fuzz/corpus', name);
  const corpus = path.join(FUZZ, 'corpus', name);
  fs.mkdirSync(corpus, { recursive: true });
  fs.mkdirSync(FINDINGS, { recursive: true });
  if (!fs.existsSync(seeds)) return { name, executions: 0, corpus: 0, finding: 'no seeds' };
  return new Promise((resolve) => {
    const child = spawn(
      path.join(BUILT, `fuzz_${name}`),
      [
        corpus,
        seeds,
        `-max_total_time=${SECONDS}`,
        '-timeout=10',
        '-max_len=4096',
        '-print_final_stats=1',
        `-artifact_prefix=${FINDINGS}/${name}-`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let text = '';
    child.stderr.on('data', (chunk) => {
      text = (text + chunk).slice(-65536);
    });
    child.on('error', (error) => resolve({ name, executions: 0, corpus: 0, finding: error.code }));
    child.on('close', (code) => {
      const executions = Number(/number_of_executed_units: (\d+)/.exec(text)?.[1] ?? 0);
      const rate = Number(/average_exec_per_sec: *(\d+)/.exec(text)?.[1] ?? 0);
      const from = Math.max(0, text.search(/ERROR:|runtime error:/));
      if (code !== 0) process.stdout.write(text.slice(from));
      const written = /Test unit written to (\S+)/.exec(text)?.[1];
      const where = (written && path.relative(ROOT, written)) || `ended with ${code}`;
      const finding = code === 0 ? '' : where;
      resolve({ name, executions, rate, corpus: fs.readdirSync(corpus).length, finding });
    });
  });
}

const columns = (first, ...others) =>
  console.log(first.padEnd(10) + others.map((cell) => ` ${String(cell).padStart(13)}`).join(''));

columns('target', 'executions', 'exec/s', 'in all', 'corpus', 'findings');
let findings = 0;
for (const name of targets) {
  const result = await fuzz(name);
  findings += result.finding === '' ? 0 : 1;
  const total = note(name, result.executions);
  columns(name, result.executions, result.rate ?? 0, total, result.corpus, result.finding || 0);
}
console.log(`${targets.length} targets, ${findings} with a finding`);
process.exitCode = targets.length === 0 || findings > 0 ? 1 : 0;
