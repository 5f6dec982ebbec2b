// Official clients under random faults: while `recovered` is true nothing is missing, twice or out
// of order. For longer: SECONDS=600 SEED=3 node --test tests/blackbox/socketio-recovery/random.test.mjs
// (ONLY=part of a fault's name).
import assert from 'node:assert/strict';
import { test } from '../lib/harness.mjs';
import { Storm } from '../lib/recovery-storm.mjs';

const SECONDS = Number(process.env.SECONDS || 20);
const SEED = Number(process.env.SEED || 7);

test(`under random faults (seed ${SEED})`, { timeout: (SECONDS + 120) * 1000 }, async () => {
  const storm = new Storm({ seed: SEED, seconds: SECONDS, only: process.env.ONLY });
  await storm.run();
  const { comings, heard, faults, findings } = storm;
  console.log(JSON.stringify({ SEED, SECONDS, comings, heard, faults }));
  const found = findings.map(({ kind, text }) => `${kind}: ${text}`);
  assert.deepEqual(found.length, 0, found.join('\n'));
  // How much comes to pass depends on the machine: a quiet one gets through ten times as much.
  assert.ok(heard > 5 * SECONDS, `${heard} messages were heard`);
  if (process.env.ONLY) return;
  const share = comings.recovered / (comings.recovered + comings.lost);
  assert.ok(comings.recovered > SECONDS / 4, `${comings.recovered} were recovered`);
  assert.ok(share >= 0.8, `${comings.lost} were not recovered`);
});
