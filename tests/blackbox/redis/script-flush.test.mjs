// SCRIPT FLUSH while messages flow: nothing fails, nothing is lost or doubled. Without it no command
// is sent twice, which would change the order.
import assert from 'node:assert/strict';
import { cluster, inRoom, login, startRedis, test, until } from '../lib/harness.mjs';
import { assertHeard, talk } from '../lib/talk.mjs';

test('scripts that Redis forgot are sent again', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 2 });
  t.after(stop);
  const [ann, bob] = await inRoom(nodes, 'r', 'ann', 'bob');
  const room = talk(ann, { room: 'r' });
  const dm = talk(bob, { peer: 'ann' });
  for (let i = 0; i < 5; i++) {
    await room.more(10);
    await redis.cli('SCRIPT', 'FLUSH');
    await dm.more(10);
  }
  const said = await room.stop();
  const whispered = await dm.stop();
  assert.deepEqual([...room.failures, ...dm.failures], []);
  for (const client of [ann, bob]) await assertHeard(client, 'chatMessage', 'ann', said);
  await assertHeard(ann, 'new_private_message', 'bob', whispered);

  await redis.cli('SCRIPT', 'FLUSH');
  const burst = Array.from({ length: 100 }, (_, i) => `burst ${i}`);
  await Promise.all(burst.map((message) => ann.emit('sendMessage', { room: 'r', message })));
  await assertHeard(bob, 'chatMessage', 'ann', [...said, ...burst]);

  await redis.cli('SCRIPT', 'FLUSH');
  const cat = await login(nodes[1], 'cat', { csId: 'x' });
  await cat.emit('join', { room: 'r' });
  const { messages } = await cat.emit('history', { room: 'r', limit: 1 });
  assert.equal(messages[0].message, 'burst 99');
});

const served = { single: 'a master without slots refuses a script before it knows it' };

test('Redis refuses no script as unknown, also after a restart', served, async (t) => {
  const redis = await startRedis();
  const { nodes, stop } = await cluster({ nodes: 2, redis });
  t.after(async () => {
    await stop();
    await redis.stop();
  });
  const use = async () => {
    const [ann, bob] = await until(() => inRoom(nodes, 'r', 'ann', 'bob').catch(() => false));
    await ann.emit('sendMessage', { room: 'r', message: 'x' });
    await ann.emit('private_message', { receiverId: 'bob', content: 'x' });
    await bob.emit('history', { room: 'r' });
    await bob.emit('leave', { room: 'r' });
    for (const client of [ann, bob]) await client.close();
    const gone = async () => (await redis.cli('EXISTS', 'sluice:{user:ann}:conns', 'sluice:{user:bob}:conns')) === '0';
    await until(gone);
    assert.doesNotMatch(await redis.cli('INFO', 'errorstats'), /NOSCRIPT/);
  };
  await use();
  await redis.restart();
  for (const node of nodes) await node.untilReady();
  await use();
});
