// A user leaves a room while a node that holds another connection of theirs is cut off from Redis:
// that node does not make the membership anew when it is back.
import assert from 'node:assert/strict';
import { login, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { nodeBehindProxy } from '../lib/proxy.mjs';
import { fence, scores } from '../lib/registry.mjs';

const redis = await startRedis();
const plain = await startNode({ redis });
const members = async (room) => Object.keys(await scores(redis, `sluice:{room:${room}}:members`));

test('who left stays out, who stayed stays in', async (t) => {
  const { proxy, node } = await nodeBehindProxy(redis);
  t.after(() => proxy.close());
  const here = await login(plain, 'ann');
  const there = await login(node, 'ann');
  const bob = await login(plain, 'bob');
  for (const client of [here, there, bob]) {
    for (const room of ['left', 'kept', 'again']) await client.emit('join', { room });
  }
  const before = (await node.health()).incarnation;

  proxy.refusing = true;
  proxy.cut();
  await node.untilNotReady();
  await here.emit('leave', { room: 'left' });
  await here.emit('leave', { room: 'again' });
  await here.emit('join', { room: 'again' });
  await redis.cli('DEL', 'sluice:{room:kept}:members'); // lost, not left: it is made anew
  proxy.refusing = false;
  await node.untilReady();
  assert.notEqual((await node.health()).incarnation, before);
  await until(async () => (await members('kept')).includes('ann'));

  assert.deepEqual(await members('left'), ['bob']);
  assert.deepEqual((await members('again')).sort(), ['ann', 'bob']);
  await bob.emit('sendMessage', { room: 'left', message: 'to bob alone' });
  await bob.emit('join', { room: 'kept' });
  await bob.emit('sendMessage', { room: 'kept', message: 'to all' });
  await there.next('chatMessage', { match: ({ data }) => data.message === 'to all' });
  await fence(redis, [there]);
  const got = there.take('chatMessage').map(({ data }) => data.message);
  assert.deepEqual(got, []);
});
