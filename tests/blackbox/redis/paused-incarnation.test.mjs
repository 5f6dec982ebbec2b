// A login that is under way when the node takes a new incarnation counts for the new one: else the
// user would be taken out of presence with the former one.
import assert from 'node:assert/strict';
import { cluster, connect, login, sleep, test, until } from '../lib/harness.mjs';
import { scores } from '../lib/registry.mjs';

const args = ['--lease-timeout', '2s', '--lease-interval', '200ms', '--redis-timeout', '10s'];
const { redis, nodes } = await cluster({ nodes: 2, args });

const nodesIn = async () => Object.keys(await scores(redis, 'sluice:nodes')).sort();
const online = async () => Object.keys(await scores(redis, 'sluice:online')).sort().join();

test('the subscriber link falls while Redis holds a lease and a login', async () => {
  await login(nodes[1], 'ann');
  const bob = await connect(nodes[0]);
  const before = await nodesIn();
  const beatIn = async () => Object.values(await scores(redis, 'sluice:nodes')).join();
  await redis.cli('CLIENT', 'PAUSE', 3000, 'WRITE');
  const held = await beatIn();
  await sleep(600); // a lease is on its way
  const entered = bob.emit('login', { userId: 'bob' });
  await nodes[0].get('/healthz');
  await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
  assert.equal(await beatIn(), held, 'Redis holds the leases');
  await entered;
  await until(async () => {
    const now = await nodesIn();
    return now.length === 2 && now.every((one) => !before.includes(one));
  });
  await until(async () => (await online()) === 'ann,bob');
  await sleep(1000);
  assert.equal(await online(), 'ann,bob');
});
