// A node that starts before Redis keeps trying, and says that it is not ready.
import assert from 'node:assert/strict';
import { connect, freePort, login, only, startNode, startRedis, test } from '../lib/harness.mjs';

only('single', 'it waits for one port');

test('nodes started without Redis serve as soon as it is there', async () => {
  const port = await freePort();
  const url = `redis://127.0.0.1:${port}/0`;
  const start = () => startNode({ redis: url, ready: false, args: ['--drain', '0'] });
  const nodes = await Promise.all([start(), start()]);
  for (const node of nodes) {
    assert.equal((await node.get('/healthz')).status, 200);
    const ready = await node.get('/readyz');
    assert.equal(ready.status, 503);
    assert.equal(ready.json().reason, 'redis');
    assert.match(ready.json().detail, /refused/);
  }
  const ann = await connect(nodes[0]);
  await assert.rejects(ann.emit('login', { userId: 'ann' }), {
    code: 'unavailable',
    outcome: 'refused',
  });

  const redis = await startRedis({ port });
  for (const node of nodes) {
    await node.untilReady({ timeout: 20000 });
  }
  await ann.emit('login', { userId: 'ann', csId: '1' }); // on the socket that was there before
  const bob = await login(nodes[1], 'bob', { csId: '1' });
  await bob.emit('sendMessage', 'hello');
  assert.equal((await ann.next('chatMessage')).data.message, 'hello');
  for (const node of nodes) await node.stop();
  await redis.stop();
});
