// A resume of many topics, each with much missed: together more than max-queue, all of it comes.
import assert from 'node:assert/strict';
import { cluster, login, test } from '../lib/harness.mjs';
import { logged, range, seqs } from '../lib/frames.mjs';

const TOPICS = 60;
const EACH = 5;
const BYTES = 60000;
const { nodes } = await cluster({ nodes: 2 });

test('all that was missed comes in order and the connection stays', async () => {
  const channels = range(1, TOPICS).map((i) => `topic:t${i}`);
  const bob = await login(nodes[1], 'bob');
  await Promise.all(channels.map((channel) => bob.emit('subscribe', { channel })));
  await bob.close();
  const ann = await login(nodes[0], 'ann');
  for (const channel of channels) {
    const data = 'y'.repeat(BYTES);
    await Promise.all(range(1, EACH).map(() => ann.emit('publish', { channel, data })));
  }
  const back = await login(nodes[1], 'bob', { resume: bob.positions });
  assert.equal(back.ack.recovered, true);
  for (let i = 0; i < TOPICS * EACH; i++) await back.next('message', { timeout: 10000 });
  for (const channel of channels) {
    assert.deepEqual(seqs(logged(back, channel)), range(1, EACH), channel);
  }
  await back.none('channel_reset');
  assert.ok(back.isOpen);
});
