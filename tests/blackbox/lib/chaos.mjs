// A test that is a storm of random faults with a fixed seed (CHAOS_SEED, CHAOS_FAULTS: others).
// `make chaos` runs it for longer; see tests/chaos.

import assert from 'node:assert/strict';
import { table } from '../../chaos/report.mjs';
import { Storm } from '../../chaos/storm.mjs';
import { test } from './harness.mjs';

// faults: so many at least. has: parts of names, of which one fault each must have been.
export function testFaults(topology, { seed: usual, faults: most, has = [] }) {
  const seed = Number(process.env.CHAOS_SEED || usual);
  const faults = Number(process.env.CHAOS_FAULTS || most);
  const timeout = (150 + 10 * faults) * 1000;
  test(`nothing is lost, comes twice or out of order (seed ${seed})`, { timeout }, async () => {
    const storm = new Storm({ topology, seed, faults, has, shown: true });
    await storm.run();
    const { findings, counts } = storm.ledger;
    const found = findings.map(({ kind, text }) => `${kind}: ${text}`);
    assert.deepEqual(found, [], `${found.join('\n')}\n${table(storm)}`);
    assert.ok(counts.acknowledged > 10 * faults, `only ${counts.acknowledged} messages`);
    assert.ok(counts.received > counts.acknowledged);
  });
}
