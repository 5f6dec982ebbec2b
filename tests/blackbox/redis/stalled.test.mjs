// Redis answers nothing, or only BUSY, for longer than the lease timeout: nobody is taken for dead.
import assert from 'node:assert/strict';
import { cluster, login, sleep, test, until } from '../lib/harness.mjs';
import { count, fence, scores } from '../lib/registry.mjs';

const QUICK = ['--lease-timeout', '1s', '--lease-interval', '200ms'];
const STALL = 2000;

async function through(t, { args = [], redis: config }, stall) {
  const { redis, nodes, stop } = await cluster({
    nodes: 3,
    args: [...QUICK, ...args],
    redis: config,
  });
  t.after(stop);
  const clients = await Promise.all(nodes.map((node, i) => login(node, `u${i}`)));
  for (const client of clients) await client.emit('join', { room: 'r' });
  await stall({ redis, nodes, clients });
  for (const node of nodes) await node.untilReady();
  await until(() => clients[0].emit('sendMessage', { room: 'r', message: 'after' }));
  for (const client of clients) {
    await client.next('chatMessage', { match: ({ data }) => data.message === 'after' });
  }
  await until(async () => Object.keys(await scores(redis, 'sluice:nodes')).length === 3);
  const online = async () =>
    Object.keys(await scores(redis, 'sluice:online'))
      .sort()
      .join();
  await until(async () => (await online()) === 'u0,u1,u2');
  // Two lease timeouts later still nobody was.
  const lease = async () => Math.max(...Object.values(await scores(redis, 'sluice:nodes')));
  const from = await lease();
  await until(async () => (await lease()) > from + 2000);
  await fence(redis, clients);
  for (const client of clients) assert.equal(count(client, 'user_offline'), 0);
}

const paused = async ({ redis }) => {
  redis.pause();
  await sleep(STALL);
  redis.resume();
};

test('stopped, while the nodes wait', (t) =>
  through(t, { args: ['--redis-timeout', '20s'] }, paused));

test('stopped, while the nodes remake their links', (t) =>
  through(t, { args: ['--redis-timeout', '500ms'] }, paused));

test('busy with a script', (t) =>
  through(t, { redis: { config: { 'lua-time-limit': '100' } } }, async ({ redis, clients }) => {
    const script = redis.cli('EVAL', 'while true do end', 0).catch(() => {});
    await sleep(500); // sends wait for Redis, or it says BUSY: either way nothing is stored
    const send = clients[1].emit('sendMessage', { room: 'r', message: 'busy' });
    await assert.rejects(send, { code: 'unavailable' });
    await sleep(STALL - 500);
    await redis.cli('SCRIPT', 'KILL');
    await script;
  }));
