// What was missed comes with one resume, however large: messages that do not fit into max-queue
// together, and one that was sent in chunks among small ones.
import assert from 'node:assert/strict';
import { cluster, login, test } from '../lib/harness.mjs';
import { range } from '../lib/frames.mjs';

const { nodes } = await cluster({ nodes: 2 });
const ROOMY = { maxPayload: 1 << 28 };

async function absent(user) {
  const client = await login(nodes[1], user);
  const positions = structuredClone(client.positions);
  await client.close();
  return positions;
}

async function resumed(user, resume, lengths) {
  for (const node of nodes) {
    const client = await login(node, user, { resume }, ROOMY);
    assert.equal(client.ack.recovered, true);
    const got = [];
    for (const _ of lengths) {
      const { seq, data } = await client.next('new_private_message', { timeout: 10000 });
      got.push([seq, data.content.length]);
    }
    assert.deepEqual(got, lengths.map((length, i) => [i + 1, length]));
    await client.none('channel_reset');
    assert.ok(client.isOpen);
    await client.close();
  }
}

test('eight messages of 900 kB', async () => {
  const resume = await absent('bob');
  const ann = await login(nodes[0], 'ann');
  const lengths = range(1, 8).map((i) => 900000 + i);
  for (const length of lengths) {
    await ann.emit('private_message', { receiverId: 'bob', content: 'x'.repeat(length) });
  }
  await resumed('bob', resume, lengths);
});

test('a chunked message of 4 MB between two of 100 kB', async () => {
  const resume = await absent('cat');
  const ann = await login(nodes[0], 'ann');
  const small = () =>
    ann.emit('private_message', { receiverId: 'cat', content: 's'.repeat(100000) });
  await small();
  for (const index of range(0, 3)) {
    const first = index === 0 && { event: 'private_message', receiverId: 'cat' };
    const data = 'z'.repeat(1020000);
    await ann.emit('message_chunk', { id: 'k', index, total: 4, data, ...first });
  }
  await small();
  await resumed('cat', resume, [100000, 4080000, 100000]);
});
