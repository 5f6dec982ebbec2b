// A `join` of a room that is still being caught up must not answer the end of the log as position:
// a client that is cut then would lose what lies between.
import assert from 'node:assert/strict';
import { cluster, connect, inRoom, login, test } from '../lib/harness.mjs';
import { logged, range, seqs } from '../lib/frames.mjs';

const COUNT = 600;
const { nodes } = await cluster({ nodes: 2 });

test('its position is not ahead of what was sent before it', async () => {
  const [ann, bob] = await inRoom(nodes, 'r', 'ann', 'bob');
  await bob.close();
  const message = 'y'.repeat(20000);
  const send = () => ann.emit('sendMessage', { room: 'r', message });
  for (let i = 0; i < COUNT; i += 50) await Promise.all(range(1, 50).map(send));

  const back = await connect(nodes[1], { positions: bob.positions });
  back.pauseReading();
  const entered = back.emit('login', { userId: 'bob', resume: bob.positions });
  const joined = back.emit('join', { room: 'r' });
  await nodes[1].get('/healthz');
  back.resumeReading();
  assert.equal((await entered).recovered, true);
  const ack = await joined;
  const at = back.frames.findIndex(({ data }) => data?.room === 'r' && data.epoch === ack.epoch);
  const before = back.frames.slice(0, at).filter(({ event }) => event === 'chatMessage');
  assert.ok(before.length < COUNT, 'it was still being caught up');
  assert.ok(ack.seq <= before.length, `position ${ack.seq} after ${before.length} messages`);

  // All the same, everything comes once.
  await back.next('chatMessage', { timeout: 10000, match: ({ seq }) => seq === COUNT });
  const messages = logged(back, 'room:r').filter(({ event }) => event === 'chatMessage');
  assert.deepEqual(seqs(messages), range(1, COUNT));
});
