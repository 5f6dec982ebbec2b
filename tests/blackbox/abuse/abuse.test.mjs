// A part of `make abuse`: users who chat feel little of it when a stranger does his worst, and none
// of them is closed. The bound for time is generous, since other tests run beside it on a node that
// is built to find faults; those for closes, errors and memory are exact.
import assert from 'node:assert/strict';
import { abuse } from '../../abuse/abuse.mjs';
import { test } from '../lib/harness.mjs';

const LIMIT = 64; // MiB: --memory-limit
const ASAN = 4; // what a sanitized node needs besides, as a factor

test('users chat on under abuse', async () => {
  const { rows } = await abuse({
    names: ['handshake flood', 'login storm', 'chunk hoards', 'readers that never read'],
    users: 60,
    windows: 2,
    ratio: 10,
    floor: 100,
    limit: LIMIT,
    memory: LIMIT * ASAN,
    env: { ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0:exitcode=99:quarantine_size_mb=8' },
  });
  for (const { attack, broken, attacker, ...row } of rows) {
    assert.deepEqual(broken, [], `${attack}: ${JSON.stringify(row)}; the attacker: ${attacker}`);
  }
});
