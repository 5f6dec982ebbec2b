// Webhooks while something is killed: each transition arrives at least once, a repeat with the same
// id, in the order of its user and channel.
import assert from 'node:assert/strict';
import { cluster, login, mode, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { receiver } from '../lib/receiver.mjs';
import { leased, tapped } from '../lib/tap.mjs';

const ARGS = (url) => [
  ...['--tap', 'presence,connections,rooms,messages', '--webhook', url, '--webhook-offline-linger', '0'],
  ...['--lease-timeout', '1500ms', '--lease-interval', '200ms'],
];

// Partitions may have the same id of an entry, but not for the same user or channel.
const mark = (id, e) => [id.split('.').slice(-2).join('.'), e.type, e.user, e.channel].join(' ');
const ofEntry = (e) => mark(`${e.term}.${e.id}`, { ...e, user: e.user || undefined, channel: e.channel || undefined });
const ofEvent = (e) => mark(e.id, e);

// In which order something stands. On a Cluster memberships stand in the order of their users.
function orders(e) {
  const channel = e.channel && (mode() === 'single' || !e.user);
  return [e.user && `user ${e.user}`, channel && `channel ${e.channel}`].filter(Boolean);
}

// Every entry has arrived, and those of a user or channel in the order of the tap.
async function complete(redis, back) {
  const entries = await until(
    async () => {
      const all = await tapped(redis);
      const come = new Set(back.events.map(ofEvent));
      return all.every((e) => come.has(ofEntry(e))) && all;
    },
    { what: 'all entries arrive', timeout: 60000 },
  );
  const place = new Map(back.events.map((e, i) => [ofEvent(e), i]));
  const last = new Map();
  for (const e of entries) {
    for (const key of orders(e)) {
      const at = place.get(ofEntry(e));
      assert.ok(at > (last.get(key) ?? -1), `${key}: ${e.type} ${e.id} in its order`);
      last.set(key, at);
    }
  }
  return entries;
}

// Users who come, enter, say something and go, on this node.
async function bustle(node, name, rounds) {
  for (let i = 0; i < rounds; i++) {
    const one = await login(node, `${name}${i % 3}`);
    await one.emit('join', { room: `r${i % 2}` });
    await one.emit('sendMessage', { room: `r${i % 2}`, message: `${name} ${i}` });
    if (i % 2) await one.emit('leave', { room: `r${i % 2}` });
    await one.close();
  }
}

test('the receiver is away, and back', async (t) => {
  const back = await receiver();
  const { redis, nodes, stop } = await cluster({ nodes: 2, args: ARGS(back.url) });
  t.after(stop);
  await leased(redis);
  const all = Promise.all(nodes.map((node, i) => bustle(node, `u${i}-`, 12)));
  await back.gets('something', () => back.events.length > 3);
  await back.backend.stop();
  await all;
  await back.backend.start();
  const entries = await complete(redis, back);
  assert.ok(entries.length > 100, `${entries.length} entries`);
});

// The first node has the lease; the test ends it.
async function two(t) {
  const back = await receiver();
  const redis = await startRedis();
  const first = await startNode({ redis, args: ARGS(back.url) });
  await leased(redis);
  const second = await startNode({ redis, args: ARGS(back.url) });
  t.after(async () => {
    await second.stop();
    await redis.stop();
  });
  return { back, redis, first, second };
}

test('the node that has the lease is killed', async (t) => {
  const { back, redis, first, second } = await two(t);
  await login(first, 'ann');
  const all = bustle(second, 'u', 30);
  await back.gets('something', () => back.events.length > 3);
  const killed = Date.now();
  await first.kill();
  const before = back.events.length;
  await back.gets('more', () => back.events.length > before);
  assert.ok(Date.now() - killed < 12000, `another goes on after ${Date.now() - killed} ms`);
  await all;
  await back.gets("the dead node's", () => back.of('ann').includes('user_offline'));
  assert.deepEqual(back.of('ann').slice(-2), ['connection_closed', 'user_offline']);
  await complete(redis, back);
});

test('a node that is stopped leaves at once, and nothing is sent twice', async (t) => {
  const { back, redis, first, second } = await two(t);
  await bustle(second, 'u', 3);
  await complete(redis, back);
  const newest = back.events.at(-1).id.split('.')[2];
  const noted = async () => (await redis.cli('--json', 'HVALS', 'sluice:tap:hooks')).includes(newest);
  await until(noted, { what: 'the last place is noted' });
  await first.stop();
  const stopped = Date.now();
  await bustle(second, 'u', 1);
  await complete(redis, back);
  assert.ok(Date.now() - stopped < 6000, `another goes on after ${Date.now() - stopped} ms`);
  assert.equal(back.repeats, 0);
});
