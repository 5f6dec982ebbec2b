// A test that is half a minute of random faults with a fixed seed (CHAOS_SEED, CHAOS_SECONDS:
// others). `make chaos` runs it for longer; see tests/chaos.

import assert from 'node:assert/strict';
import { table } from '../../chaos/report.mjs';
import { Storm } from '../../chaos/storm.mjs';
import { test } from './harness.mjs';

const SECONDS = Number(process.env.CHAOS_SECONDS || 30);

// faults: so many a second, at least. has: parts of names, of which one fault each must have been.
export function testFaults(topology, { seed: usual, faults, has = [] }) {
  const seed = Number(process.env.CHAOS_SEED || usual);
  const timeout = (SECONDS + 140) * 1000;
  test(`nothing is lost, comes twice or out of order (seed ${seed})`, { timeout }, async () => {
    const storm = new Storm({ topology, seed, seconds: SECONDS, shown: true });
    await storm.run();
    const { findings, counts } = storm.ledger;
    const found = findings.map(({ kind, text }) => `${kind}: ${text}`);
    assert.deepEqual(found, [], `${found.join('\n')}\n${table(storm)}`);
    assert.ok(storm.done.length > SECONDS * faults, `only ${storm.done.length} faults`);
    const names = storm.done.map(({ name }) => name);
    for (const part of seed === usual ? has : []) {
      assert.ok(names.some((name) => name.includes(part)), `no fault was ${part}: ${names}`);
    }
    assert.ok(counts.acknowledged > 2 * SECONDS, `only ${counts.acknowledged} messages`);
    assert.ok(counts.received > counts.acknowledged);
  });
}
