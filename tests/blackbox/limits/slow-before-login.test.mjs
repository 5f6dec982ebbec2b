// A connection whose login failed, and that reads no answers, is closed as slow; the node goes on.
import assert from 'node:assert/strict';
import { cluster, connect, login, test, until } from '../lib/harness.mjs';
import { refused } from '../lib/frames.mjs';
import { metric } from '../lib/registry.mjs';

const args = ['--max-queue', '4096', '--close-timeout', '200ms'];
const { nodes, stop } = await cluster({ nodes: 2, args });

test('heartbeats without reading, behind a login that was refused', async () => {
  const slow = await connect(nodes[0]);
  await refused(slow.emit('login', { userId: 'x', csId: 'a b' }), 'bad_field', 'csId');
  slow.pauseReading();
  const beat = `{"event":"heartbeat","ack":"${'a'.repeat(64)}"}`;
  const alone = async () => {
    for (let i = 0; i < 10000; i++) slow.raw(beat);
    return (await metric(nodes[0], 'sluice_connections')) === 1; // the one that asks
  };
  await until(alone, { timeout: 15000, what: 'the connection is closed' });
  slow.resumeReading();
  await slow.closed;
  const ann = await login(nodes[0], 'ann');
  assert.deepEqual(await ann.emit('heartbeat', {}), {});
  await stop(); // fails if a sanitizer spoke
});
