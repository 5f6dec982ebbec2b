// A peer that answers no WebSocket ping is cut and goes offline.
import assert from 'node:assert/strict';
import { cluster, connect, login, test } from './lib/harness.mjs';

test('no pong: cut and announced; pongs keep a silent client', async (t) => {
  const args = ['--ping-interval', '300ms', '--ping-timeout', '500ms'];
  const { nodes, stop } = await cluster({ nodes: 2, args });
  t.after(stop);
  const ann = await login(nodes[0], 'ann');
  const eve = await connect(nodes[1], { autoPong: false });
  await eve.emit('login', { userId: 'eve' });
  for (const client of [ann, eve]) await client.emit('join', { room: 'r' });
  await ann.next('user_offline', { timeout: 10000, match: (frame) => frame.data === 'eve' });
  await eve.closed;
  assert.ok(ann.isOpen);
});
