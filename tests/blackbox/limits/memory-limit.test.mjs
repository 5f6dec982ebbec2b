// memory-limit: who holds most is ended first, others stay; meanwhile nobody new comes in.
import assert from 'node:assert/strict';
import { cluster, connect, inRoom, login, test, until } from '../lib/harness.mjs';
import { range } from '../lib/frames.mjs';
import { helloOf, metricOf, secureCluster } from '../lib/certificates.mjs';
import { memory } from '../lib/processes.mjs';
import * as raw from '../lib/rawws.mjs';
import { metric, metrics } from '../lib/registry.mjs';

const MiB = 1048576;
const limited = (node) => metric(node, 'sluice_limited_total', { limit: 'memory-limit' });
const LIMITED = 'sluice_limited_total{limit="memory-limit"}';
const held = (node) => metric(node, 'sluice_memory_bytes');
const text = 'x'.repeat(100000);

// Connections that hold unfinished messages of a MiB each.
async function hoarders(node, count, size = MiB - 10000) {
  const all = [];
  for (const _ of range(1, count)) {
    const client = await raw.rawConnect(node);
    const login = JSON.stringify({ event: 'login', data: { userId: 'hoarder' }, ack: 1 });
    await client.send(raw.TEXT, login);
    await client.json();
    const frame = raw.encode(raw.TEXT, 'y'.repeat(size));
    await client.write(frame.subarray(0, frame.length - 1));
    all.push(client);
  }
  return all;
}

test('unfinished messages: the account knows them, and those who hold them are ended', async (t) => {
  const args = ['--memory-limit', '96M', '--max-connections-per-user', '0'];
  const { nodes, stop } = await cluster({ nodes: 1, args });
  t.after(stop);
  const [node] = nodes;
  const [ann, bob] = await inRoom([node, node], 'r', 'ann', 'bob');
  const before = { account: await held(node), resident: memory(node, 'VmRSS') };
  const some = await hoarders(node, 30);
  await until(async () => (await held(node)) - before.account > 28 * MiB);
  const grown = (memory(node, 'VmRSS') - before.resident) * MiB;
  const account = (await held(node)) - before.account;
  if (process.env.SLUICE_BIN) assert.ok(Math.abs(account - grown) < grown / 4, `${account}: ${grown}`);
  assert.equal(await limited(node), 0);
  const more = await hoarders(node, 120).catch(() => []);
  await until(async () => (await limited(node)) > 0);
  await until(async () => (await held(node)) <= 96 * MiB);
  await until(() => [...some, ...more].some(({ ended, closed }) => ended || closed));
  const first = [...some, ...more].find(({ ended, closed }) => ended || closed);
  assert.deepEqual(await first.close(), { code: 1013, reason: 'memory' });
  await ann.emit('sendMessage', { room: 'r', message: 'still here' });
  await bob.next('chatMessage');
  for (const client of [...some, ...more]) client.destroy();
  await until(() => connect(node).catch(() => false));
});

test('readers that do not read are ended first, and a new client gets 503 meanwhile', async (t) => {
  const args = ['--memory-limit', '64M', '--max-queue', '16M', '--max-connections-per-user', '0'];
  const { nodes, stop } = await cluster({ nodes: 2, args });
  t.after(stop);
  const [node, other] = nodes;
  const readers = [];
  for (const i of range(1, 8)) {
    const client = await login(node, `slow-${i}`);
    await client.emit('subscribe', { channel: `topic:${i}` });
    client.pauseReading();
    readers.push(client);
  }
  const good = await login(node, 'good');
  const talker = await login(other, 'talker');
  const before = await limited(node);
  const refused = [];
  const say = async () => {
    for (const i of range(1, 8)) {
      await talker.emit('publish', { channel: `topic:${i}`, data: text });
    }
    await connect(node).then((client) => client.close(), ({ status }) => refused.push(status));
    return (await limited(node)) > before;
  };
  await until(say, { timeout: 120000, every: 0 });
  await until(async () => {
    const now = await metrics(node);
    return now('sluice_memory_bytes') <= now('sluice_memory_limit_bytes');
  });
  assert.deepEqual(await good.emit('heartbeat', {}), {});
  for (const status of refused) assert.equal(status, 503);
  for (const client of readers) client.terminate();
  await until(() => connect(node).catch(() => false));
  assert.match(node.log(), /event=memory_short/);
  await until(() => /event=memory_enough/.test(node.log()));
});

test('pieces of long messages, on Socket.IO too, count and are given up', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 1, args: ['--memory-limit', '48M'] });
  t.after(stop);
  const [node] = nodes;
  const good = await login(node, 'good');
  const all = [];
  for (const i of range(1, 15)) {
    const client = await login(node, `hoarder-${i}`).catch(() => null);
    if (!client) break;
    all.push(client);
    for (const index of range(0, 30)) {
      const head = index === 0 ? { event: 'publish', channel: 'topic:x' } : {};
      const data = { id: 'c', index, total: 40, data: text, ...head };
      client.raw(JSON.stringify({ event: 'message_chunk', data }));
    }
  }
  await until(async () => (await limited(node)) > 0);
  assert.deepEqual(await good.emit('heartbeat', {}), {});
  await until(() => all.some(({ isOpen }) => !isOpen));
  await until(async () => (await held(node)) <= 48 * MiB);
});

test('its share of the machine without an option; less than 32 MiB is refused', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 1 });
  t.after(stop);
  const limit = await metric(nodes[0], 'sluice_memory_limit_bytes');
  assert.ok(limit >= 32 * MiB);
  assert.ok((await held(nodes[0])) < limit);
  await assert.rejects(cluster({ redis: { stop() {}, url: 'redis://127.0.0.1:1' }, nodes: 1, args: ['--memory-limit', '31M'] }), /memory-limit/);
});

test('handshakes of TLS that are not finished are given up', async (t) => {
  const args = ['--memory-limit', '32M', '--handshake-timeout', '5m'];
  const { nodes: [node], ca, stop } = await secureCluster({ args });
  t.after(stop);
  const good = await login(node, 'good');
  const before = await metricOf(node, LIMITED);
  const hello = await helloOf({ ca: ca.ca });
  const all = [];
  // Some 40 KiB each, and they ask for nothing.
  for (const _ of range(1, 600)) {
    const half = await raw.dial(node);
    await half.write(hello);
    all.push(half);
  }
  await until(async () => (await metricOf(node, LIMITED)) > before);
  await until(async () => (await metricOf(node, 'sluice_memory_bytes')) <= 32 * MiB);
  assert.ok(all.some(({ ended, closed }) => ended || closed));
  assert.deepEqual(await good.emit('heartbeat', {}), {});
  for (const client of all) client.destroy();
  await until(() => connect(node).catch(() => false));
});

test('heads of requests that are not finished are given up', async (t) => {
  const args = ['--memory-limit', '32M', '--handshake-timeout', '5m'];
  const { nodes: [node], stop } = await cluster({ nodes: 1, args });
  t.after(stop);
  const good = await login(node, 'good');
  const all = [];
  for (const _ of range(1, 1800)) {
    const half = await raw.dial(node);
    await half.write(`GET /ws HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(15000)}`);
    all.push(half);
  }
  await until(async () => (await limited(node)) > 0);
  await until(async () => (await held(node)) <= 32 * MiB);
  assert.ok(all.some(({ ended, closed }) => ended || closed));
  assert.deepEqual(await good.emit('heartbeat', {}), {});
  for (const client of all) client.destroy();
  await until(() => connect(node).catch(() => false));
});
