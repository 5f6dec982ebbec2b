// max-subscriptions counts what a connection has and what a further login would add.
import assert from 'node:assert/strict';
import { cluster, login, test } from '../lib/harness.mjs';
import { range, refused } from '../lib/frames.mjs';
import { metric } from '../lib/registry.mjs';

const MOST = 10;
const { nodes } = await cluster({ nodes: 2, args: ['--max-subscriptions', String(MOST)] });
const topics = (from, to) =>
  Object.fromEntries(range(from, to).map((i) => [`topic:t${i}`, { epoch: '', seq: 0 }]));

test('logging in again and again does not get past the limit', async () => {
  const ann = await login(nodes[0], 'ann', { resume: topics(1, 5) });
  for (let i = 0; i < 3; i++) {
    const again = { userId: 'ann', resume: topics(6 + 5 * i, 10 + 5 * i) };
    await refused(ann.emit('login', again), 'too_many', 'resume');
  }
  assert.ok((await metric(nodes[0], 'sluice_channels')) <= MOST);
  // What it has may be named again, and there is room for some more.
  await ann.emit('login', { userId: 'ann', resume: topics(1, 7) });
  await ann.emit('publish', { channel: 'topic:t7', data: 'x' });
  await ann.next('message');
});
