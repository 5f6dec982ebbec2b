// The fault harness finds out a node that breaks its promise: one that does not heal loses
// messages, one without idempotency duplicates them. (Built by make for this test alone.)
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import path from 'node:path';
import { describe } from 'node:test';
import { ROOT, test } from '../lib/harness.mjs';

// Runs the harness as `make chaos` does; resolves to { code, out }.
function chaos(variant, env) {
  const child = spawn(process.execPath, [path.join(ROOT, 'tests/chaos/main.mjs')], {
    env: { ...process.env, SLUICE_BIN: path.join(ROOT, `build/${variant}/sluice`), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (out += data));
  process.once('exit', () => child.kill('SIGTERM'));
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ code, out }));
  });
}

const counted = (out, name) => Number(out.match(new RegExp(`^${name} +([\\d,]+)$`, 'm'))?.[1]);

// A message that is lost is waited for as long as TEST_PATIENCE says: 30 s.
async function finds(variant, name, only) {
  const env = { SEED: '3', SECONDS: '30', UNTIL_FINDING: '1', ONLY: only, TEST_PATIENCE: '2' };
  const { code, out } = await chaos(variant, env);
  assert.equal(code, 1, out);
  assert.ok(counted(out, name) > 0, out);
  assert.ok(out.includes(`${name.toUpperCase()} `), 'the finding was shown when it was found');
}

describe('side by side', { concurrency: 2 }, () => {
  test('a node that does not heal is found out: messages are lost', { timeout: 120000 }, () =>
    finds('broken-heal', 'lost', 'subscriber links'));

  test('a node without idempotency is found out: messages are duplicated', { timeout: 120000 }, () =>
    finds('broken-idempotency', 'duplicated', 'all links'));
});
