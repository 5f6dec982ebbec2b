// 500 clients come, enter rooms and topics, and go: nothing of them is left over.
import assert from 'node:assert/strict';
import { cluster, connect, login, test, until } from '../lib/harness.mjs';
import { gauges, keys, metrics, restingGauges, scores } from '../lib/registry.mjs';

const PEOPLE = 500;
// Who has sent one heartbeat stays, however long the others take to come.
const { redis, nodes } = await cluster({ nodes: 2, args: ['--heartbeat-timeout', '10m'] });

async function channels() {
  return (await redis.cli('PUBSUB', 'CHANNELS')).split('\n').sort();
}

async function comeAndGo(round) {
  const comers = [];
  for (let i = 0; i < PEOPLE; i += 25) {
    const some = Array.from({ length: 25 }, async (_, k) => {
      const n = i + k;
      const client = await login(nodes[n % 2], `p${round}-${n % 400}`, { csId: n % 7 });
      await client.emit('join', { room: `r${n % 20}` });
      await client.emit('subscribe', { channel: `topic:t${n % 5}` });
      if (n % 3 === 0) client.send('heartbeat', {});
      if (n % 10 === 0)
        client.send('message_chunk', {
          id: 'x',
          index: 0,
          total: 3,
          event: 'sendMessage',
          data: 'part',
        });
      return client;
    });
    comers.push(...(await Promise.all(some)));
  }
  assert.equal(Object.keys(await scores(redis, 'sluice:online')).length, 400);
  const strangers = await Promise.all(nodes.map((node) => connect(node)));
  const ends = [...comers, ...strangers].map((client, n) => {
    if (n % 2) return client.terminate();
    client.send('sendMessage', 'goodbye'); // on its way when the connection goes
    return client.close();
  });
  await Promise.all(ends);
}

test('Redis, /metrics and the subscriptions are as before', { timeout: 90000 }, async () => {
  const before = { channels: await channels(), gauges: await restingGauges(nodes) };
  await comeAndGo(1);
  await until(async () => (await keys(redis, '*:conns')).length === 0, { timeout: 20000 });
  await until(async () => (await keys(redis, '*:here')).length === 0);
  assert.deepEqual(await keys(redis, 'sluice:{node:*}:users'), []);
  assert.equal(await redis.cli('EXISTS', 'sluice:online'), '0');
  await until(async () => (await channels()).join() === before.channels.join());
  await until(async () => (await gauges(nodes)) === before.gauges);
  for (const key of await keys(redis)) {
    // -2: gone meanwhile, as the last room of the index may be.
    if (key !== 'sluice:nodes') assert.notEqual(await redis.cli('TTL', key), '-1', key);
  }
});
