// Nothing acknowledged is ever lost, whatever dies: half a minute of random faults with a fixed
// seed (CHAOS_SEED, CHAOS_SECONDS: others). `make chaos` runs it for longer; see tests/chaos.
import assert from 'node:assert/strict';
import { test } from '../lib/harness.mjs';
import { table } from '../../chaos/report.mjs';
import { Storm } from '../../chaos/storm.mjs';

const SEED = Number(process.env.CHAOS_SEED || 7);
const SECONDS = Number(process.env.CHAOS_SECONDS || 30);

test(
  `under random faults nothing is lost, comes twice or out of order (seed ${SEED})`,
  { timeout: (SECONDS + 140) * 1000 },
  async () => {
    const storm = new Storm({ seed: SEED, seconds: SECONDS, shown: true });
    await storm.run();
    const { findings, counts } = storm.ledger;
    const found = findings.map(({ kind, text }) => `${kind}: ${text}`);
    assert.deepEqual(found, [], `${found.join('\n')}\n${table(storm)}`);
    assert.ok(storm.done.length > SECONDS / 6, `only ${storm.done.length} faults`);
    assert.ok(counts.acknowledged > 2 * SECONDS, `only ${counts.acknowledged} messages`);
    assert.ok(counts.received > counts.acknowledged);
  },
);
