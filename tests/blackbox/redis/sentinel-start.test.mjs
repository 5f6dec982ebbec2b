// A node finds the master by its Sentinels, and serves.
import assert from 'node:assert/strict';
import { login, only, startNode, test } from '../lib/harness.mjs';
import { sentinelCluster } from '../lib/sentinels.mjs';

only('single', 'it is about Sentinels');

test('Sentinels name the master', async (t) => {
  const it = await sentinelCluster();
  t.after(it.stop);
  const node = await startNode({ redis: it.url });
  t.after(() => node.stop());
  const ann = await login(node, 'ann');
  await ann.emit('join', { room: 'r' });
  const { seq } = await ann.emit('sendMessage', { room: 'r', message: 'hello' });
  assert.equal(seq, 1);
  assert.equal(await (await it.master()).cli('HGET', 'sluice:{room:r}:meta', 'seq'), '1');
});
