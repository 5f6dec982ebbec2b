// The log's epoch is lost while the nodes run: what was delivered is not delivered again.
import assert from 'node:assert/strict';
import { cluster, inRoom, test } from '../lib/harness.mjs';
import { chatTexts, range } from '../lib/frames.mjs';
import { fence } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

test('the meta of a room is deleted between two messages', async () => {
  const [ann, bob] = await inRoom(nodes, 'r', 'ann', 'bob');
  const send = (message) => ann.emit('sendMessage', { room: 'r', message });
  const hear = (message) =>
    Promise.all(
      [ann, bob].map((client) =>
        client.next('chatMessage', { match: ({ data }) => data.message === message }),
      ),
    );
  for (const i of range(1, 5)) await send(`m${i}`);
  await hear('m5');
  await redis.cli('DEL', 'sluice:{room:r}:meta');
  await send('m6');
  await hear('m6');
  await send('m7');
  await hear('m7');
  await fence(redis, [ann, bob]);
  for (const client of [ann, bob]) {
    assert.deepEqual(chatTexts(client), range(1, 7).map((i) => `m${i}`));
    await client.none('channel_reset');
  }
});
