// The ack of a login overflows its own connection's queue: closed as slow; the node goes on.
import assert from 'node:assert/strict';
import { cluster, hasComeTo, login, test } from './lib/harness.mjs';
import { range } from './lib/frames.mjs';

const { nodes, stop } = await cluster({ nodes: 2, args: ['--max-queue', '65536'] });

test('a client that logs in again and again without reading', async () => {
  const resume = Object.fromEntries(
    range(1, 300).map((i) => [`topic:${'t'.repeat(100)}${i}`, { epoch: '', seq: 0 }]),
  );
  const slow = await login(nodes[0], 'bob'); // a first message may not be so long
  await slow.emit('login', { userId: 'bob', resume });
  slow.pauseReading();
  const again = JSON.stringify({ event: 'login', data: { userId: 'bob', resume }, ack: 1 });
  for (let i = 0; i < 400; i++) slow.raw(again);
  // The node takes no more, or has taken all.
  const socket = slow.socket._socket;
  const left = () => socket.writableLength;
  for (let before = -1; left() !== before && left() > 0 && !socket.destroyed; ) {
    before = left();
    await hasComeTo(() => left() !== before, 1000);
  }
  slow.resumeReading();
  assert.equal((await slow.closed).code, 1013);
  const ann = await login(nodes[0], 'ann');
  await ann.emit('heartbeat', {});
  await stop(); // fails if a sanitizer spoke
});
