// A chunked message behind one that failed fails too: sent again, they come in order.
import assert from 'node:assert/strict';
import { chats } from '../lib/frames.mjs';
import { cluster, inRoom, test } from '../lib/harness.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

test('message_chunk behind a message that Redis broke off', async () => {
  const [ann, bob] = await inRoom(nodes, 'good', 'ann', 'bob');
  await ann.emit('join', { room: 'bad' });
  await redis.cli('SET', 'sluice:{room:bad}:log', 'no stream'); // appends to it fail
  const send = (room, message) => ann.emit('sendMessage', { room, message });
  const chunk = () =>
    ann.emit('message_chunk', {
      id: 'k', index: 0, total: 1, event: 'sendMessage', room: 'good', data: 'C',
    });

  // In one segment, so that all of them are there while the first is on its way.
  ann.socket._socket.cork();
  const all = [send('bad', 'A'), send('good', 'B'), chunk()];
  ann.socket._socket.uncork();
  const reasons = (await Promise.allSettled(all)).map(({ reason }) => [reason?.code, reason?.outcome]);
  // The script broke in the middle: what it had written by then stays.
  const broken = ['unavailable', 'unknown'];
  const refused = ['unavailable', 'refused'];
  assert.deepEqual(reasons, [broken, refused, refused]);
  await send('good', 'B');
  await chunk();
  await send('good', 'D');
  await bob.next('chatMessage', { match: ({ data }) => data.message === 'D' });
  const got = chats(bob);
  assert.deepEqual(got.map(({ data }) => data.message), ['B', 'C', 'D']);
});
