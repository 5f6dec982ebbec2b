// A full Redis refuses to register clients again after a lost link: tried again at intervals, not
// in a loop; when there is room all are back.
import assert from 'node:assert/strict';
import { cluster, login, sleep, test, until } from '../lib/harness.mjs';
import { having, range } from '../lib/frames.mjs';
import { scores } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

test('commands stay few while it is full', async () => {
  const clients = [];
  for (const i of range(1, 10)) clients.push(await login(nodes[i % 2], `u${i}`, { csId: '7' }));
  await redis.cli('CONFIG', 'SET', 'maxmemory', '1');
  await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
  for (const node of nodes) await until(() => /event=new_incarnation/.test(node.log()));

  const commands = async () =>
    Number((await redis.cli('INFO', 'stats')).match(/total_commands_processed:(\d+)/)[1]);
  const before = await commands();
  await sleep(1000);
  const few = (await commands()) - before;
  assert.ok(few < 3000, `${few} commands in a second`);

  await redis.cli('CONFIG', 'SET', 'maxmemory', '0');
  const online = async () => Object.keys(await scores(redis, 'sluice:online')).length;
  await until(async () => (await online()) === 10, { what: 'all are in the registry' });
  await until(() => clients[0].emit('sendMessage', { room: 'room-7', message: 'x' }));
  for (const client of clients) {
    await client.next('chatMessage', having({ message: 'x' }));
    assert.ok(client.isOpen);
  }
});
