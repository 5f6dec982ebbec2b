// The ack of a login overflows its own connection's queue: closed as slow; the node goes on.
import assert from 'node:assert/strict';
import { cluster, login, test, until } from '../lib/harness.mjs';
import { range } from '../lib/frames.mjs';
import { metric } from '../lib/registry.mjs';

const { nodes, stop } = await cluster({ nodes: 2, args: ['--max-queue', '65536'] });

test('a client that logs in again and again without reading', async () => {
  const resume = Object.fromEntries(
    range(1, 300).map((i) => [`topic:${'t'.repeat(100)}${i}`, { epoch: '', seq: 0 }]),
  );
  const slow = await login(nodes[0], 'bob'); // a first message may not be so long
  await slow.emit('login', { userId: 'bob', resume });
  slow.pauseReading();
  const again = JSON.stringify({ event: 'login', data: { userId: 'bob', resume }, ack: 1 });
  const closed = async () => {
    for (let i = 0; i < 10; i++) slow.raw(again);
    return (await metric(nodes[0], 'sluice_closes_total', { code: 1013 })) === 1;
  };
  await until(closed, { timeout: 50000, every: 100, what: 'closed as slow' });
  slow.resumeReading();
  assert.equal((await slow.closed).code, 1013);
  const ann = await login(nodes[0], 'ann');
  await ann.emit('heartbeat', {});
  await stop(); // fails if a sanitizer spoke
});
