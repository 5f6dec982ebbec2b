// Runs the binary as a command that is expected to end by itself.

import { spawn } from 'node:child_process';
import { BINARY } from './servers.mjs';
import { PATIENCE } from './waiting.mjs';

/*
 * Resolves to { code, signal, late, out, err, all }. `late`: it did not end by itself, and was
 * killed: after `timeout`, when its output matched `serves`, or when the promise `over` resolved.
 */
export function runProgram(args = [], options = {}) {
  const { env = {}, timeout = 10000 * PATIENCE, serves, over } = options;
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !key.startsWith('SLUICE_')),
  );
  const asan = { ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0:exitcode=99' };
  return new Promise((resolve, reject) => {
    const child = spawn(BINARY, args, { env: { ...clean, ...asan, ...env } });
    const result = { out: '', err: '', late: false };
    const kill = () => {
      result.late = true;
      child.kill('SIGKILL');
    };
    const timer = setTimeout(kill, timeout);
    over?.then(kill);
    child.stdout.on('data', (data) => {
      result.out += data;
      if (serves?.test(result.out)) kill();
    });
    child.stderr.on('data', (data) => (result.err += data));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ ...result, code, signal, all: result.out + result.err });
    });
  });
}
