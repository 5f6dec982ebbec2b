// An outage of Redis under load: connections stay, sends are refused at once, memory does not grow;
// when it is back, thousands of channels heal in bounded batches, and the loop keeps turning.
//
// OUTAGE_CHANNELS=10000 SLUICE_BIN=$PWD/build/sluice: the full size, and the program as it is used.
import assert from 'node:assert/strict';
import { cluster, login, sleep, test, until } from '../lib/harness.mjs';
import { memory } from '../lib/processes.mjs';
import { nodeBehindProxy } from '../lib/proxy.mjs';
import { metric, metrics } from '../lib/registry.mjs';

const CHANNELS = Number(process.env.OUTAGE_CHANNELS || 2000);
const PER_CLIENT = 500;
const SENDERS = 20;
const READS_AT_ONCE = 64; // hub.c
const OTHERS_AT_ONCE = 64; // what else may be pending: leases, scores, clients registered anew

// The sanitizer keeps freed memory back, 256 MB of it by default.
const quarantine = 'quarantine_size_mb=1:thread_local_quarantine_size_kb=64';
const env = { ASAN_OPTIONS: `detect_leaks=1:abort_on_error=0:exitcode=99:${quarantine}` };

const topics = Array.from({ length: CHANNELS }, (_, i) => `topic:t${i}`);

const resident = (node) => memory(node, 'VmRSS');

// The loop turns since an earlier call: { count, longest }, the longest as the bound of its bucket.
async function turns(node, before) {
  const { body } = await node.get('/metrics');
  const buckets = [...body.matchAll(/^sluice_loop_turn_seconds_bucket\{le="([^"]+)"\} (\d+)$/gm)];
  const counts = buckets.map(([, bound, count]) => [bound, Number(count)]);
  const now = counts.map(([bound, count], i) => [bound, count - (before?.all[i][1] ?? 0)]);
  const count = now.at(-1)[1];
  return { all: counts, count, longest: Number(now.find(([, n]) => n === count)[0]) };
}

test('Redis down: refused at once, nothing kept, 503; connections stay', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 2, env });
  t.after(stop);
  const [node] = nodes;
  const users = Array.from({ length: SENDERS }, (_, i) => `u${i}`);
  const clients = await Promise.all(users.map((user) => login(node, user, { csId: 'c' })));
  await redis.kill();
  await node.untilNotReady();

  const message = 'x'.repeat(16384);
  let going = true;
  let refused = 0;
  let slowest = 0;
  const sender = async (client, i) => {
    for (let n = 0; going; n++) {
      const begin = Date.now();
      const send = () => client.emit('sendMessage', { message, clientMessageId: `${i}-${n}` });
      await assert.rejects(Promise.all([send(), send(), send()]), { code: 'unavailable' });
      slowest = Math.max(slowest, Date.now() - begin);
      refused += 3;
      await sleep(1);
    }
  };
  const sending = Promise.all(clients.map(sender));
  await until(() => refused > 1500, { timeout: 20000 });
  const before = resident(node);
  const kept = refused;
  await until(() => refused > kept + 6000, { timeout: 30000 });
  const grown = resident(node) - before;
  going = false;
  await sending;
  const more = `${grown.toFixed(1)} MB more`;
  t.diagnostic(`${refused} sends refused, slowest after ${slowest} ms; ${more}`);
  assert.ok(slowest < 1000, `refused after ${slowest} ms`);
  assert.ok(grown < 16, `${grown} MB more after 96 MB of refused messages`);
  assert.equal(await node.readyz(), 503);
  assert.ok(clients.every(({ isOpen }) => isOpen));

  await redis.restart();
  await node.untilReady({ timeout: 20000 });
  for (const client of clients.slice(0, 3)) {
    await until(() => client.emit('sendMessage', { message: 'back', clientMessageId: 'back' }));
  }
});

test(`${CHANNELS} channels heal in bounded batches`, { timeout: 150000 }, async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 1, env, redis: { appendfsync: 'no' } });
  t.after(stop);
  const { proxy, node } = await nodeBehindProxy(redis, { env });
  t.after(() => proxy.close());
  const listeners = [];
  for (let i = 0; i < CHANNELS; i += PER_CLIENT) {
    const client = await login(node, `listener-${i}`);
    const channels = topics.slice(i, i + PER_CLIENT);
    const subscribe = (channel) => client.emit('subscribe', { channel }, { timeout: 60000 });
    await Promise.all(channels.map(subscribe));
    listeners.push({ client, channels });
  }

  const start = await turns(node);
  // The node is cut off; elsewhere a message is published to each channel.
  proxy.refusing = true;
  proxy.cut();
  await node.untilNotReady();
  const publisher = await login(nodes[0], 'publisher');
  for (let i = 0; i < CHANNELS; i += PER_CLIENT) {
    const publish = (channel) => publisher.emit('publish', { channel, data: channel });
    await Promise.all(topics.slice(i, i + PER_CLIENT).map(publish));
  }

  // Answers are long on their way: what the node has asked for meanwhile is all that it asks for
  // at a time.
  const heals = await metric(node, 'sluice_heals_total');
  const down = await turns(node, start);
  proxy.delay = 300;
  proxy.refusing = false;
  await until(async () => (await metric(node, 'sluice_heals_total')) >= heals + READS_AT_ONCE);
  let most = 0;
  for (let i = 0; i < 20; i++) {
    most = Math.max(most, await metric(node, 'sluice_redis_pending_commands'));
    await sleep(20);
  }
  assert.ok(most >= READS_AT_ONCE, `only ${most} commands were pending`);
  assert.ok(most <= READS_AT_ONCE + OTHERS_AT_ONCE, `${most} commands were pending at once`);

  const up = await turns(node, down);
  proxy.delay = 0;
  const begin = Date.now();
  const healed = () => metrics(node).then((of) => of('sluice_healed_messages_total'));
  await until(async () => (await healed()) >= CHANNELS, { timeout: 60000 });
  const took = Date.now() - begin;
  const heal = await turns(node, up);
  for (const { client, channels } of listeners) {
    const heard = () => client.frames.filter(({ event }) => event === 'message');
    await until(() => heard().length >= channels.length, { timeout: 20000 });
    assert.deepEqual(heard().map(({ data }) => data).sort(), [...channels].sort());
    assert.ok(client.isOpen);
    await client.none('channel_reset');
  }
  const [falling, coming, healing] = [down, up, heal].map(({ longest }) => longest * 1000);
  t.diagnostic(
    `${CHANNELS} channels healed in ${took} ms, at most ${most} commands pending; no loop turn ` +
      `was longer than ${falling} ms (falling), ${coming} ms (coming up), ${healing} ms (healing)`,
  );
  assert.ok(Math.max(falling, coming, healing) <= 1000);
});
