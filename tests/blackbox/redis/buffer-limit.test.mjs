// Redis drops a subscriber that reads too slowly (client-output-buffer-limit): the node heals.
import assert from 'node:assert/strict';
import { chats } from '../lib/frames.mjs';
import { cluster, inRoom, sleep, test, unmanaged } from '../lib/harness.mjs';

unmanaged('the proxy reads for a node that stands still');

test('a node that stood still gets all that Redis threw away', async (t) => {
  const config = { 'client-output-buffer-limit': 'pubsub 256kb 128kb 1' };
  const { redis, nodes, stop } = await cluster({ nodes: 2, redis: { config } });
  t.after(stop);
  const [ann, bob] = await inRoom(nodes, 'r', 'ann', 'bob');
  nodes[1].suspend();
  const big = 'x'.repeat(10000); // of strings over 16 KB Valkey counts little more than a pointer
  const killed = async () =>
    /scheduled to be closed ASAP for overcoming of output buffer/.test(redis.log());
  let n = 0;
  while (!(await killed())) {
    assert.ok(++n < 3000, 'Redis cuts the subscriber');
    await ann.emit('sendMessage', { room: 'r', message: `${n} ${big}` });
    if (n % 20 === 0) await sleep(10);
  }
  nodes[1].resume();
  await bob.next('chatMessage', { timeout: 15000, match: ({ seq }) => seq === n });
  const numbers = chats(bob)
    .map(({ data }) => Number(data.message.split(' ')[0]));
  assert.deepEqual(
    numbers,
    Array.from({ length: n }, (_, i) => i + 1),
  );
  await bob.none('channel_reset');
  await nodes[1].untilReady();
});
