// Runs the binary as a command that is expected to end by itself.

import { spawn } from 'node:child_process';
import { BINARY } from './servers.mjs';

// Resolves to { code, signal, out, err, all }; what is still there after `timeout` is killed.
export function runProgram(args = [], { env = {}, timeout = 10000 } = {}) {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !key.startsWith('SLUICE_')),
  );
  const asan = { ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0:exitcode=99' };
  return new Promise((resolve, reject) => {
    const child = spawn(BINARY, args, { env: { ...clean, ...asan, ...env } });
    const result = { out: '', err: '', late: false };
    const timer = setTimeout(() => {
      result.late = true;
      child.kill('SIGKILL');
    }, timeout);
    child.stdout.on('data', (data) => (result.out += data));
    child.stderr.on('data', (data) => (result.err += data));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ ...result, code, signal, all: result.out + result.err });
    });
  });
}
