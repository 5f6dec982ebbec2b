// A handshake that waits for Redis: what the client sends meanwhile, its going, and the limits.
import assert from 'node:assert/strict';
import { cluster, connect, sleep, test, until } from '../lib/harness.mjs';
import { nodeBehindProxy } from '../lib/proxy.mjs';
import * as raw from '../lib/rawws.mjs';
import { hash, metric, metrics } from '../lib/registry.mjs';
import { allowed, IDENTITY } from '../lib/token.mjs';

const PATIENT = ['--redis-timeout', '60s', '--lease-timeout', '60s'];
const base = [...IDENTITY, ...PATIENT, '--channels', 'chat:rw', '--max-connections-per-user', '0'];
const { redis, nodes } = await cluster({ nodes: 1, args: base });

const authorization = `Bearer ${allowed('ann', { channels: ['*:rw'] })}`;
const head = (path = '/channels/chat') =>
  raw.handshake({ path, headers: { Authorization: authorization } });

// A node whose answers from Redis take `delay` ms more each way from now on.
async function slowNode(t, more = [], delay = 400) {
  const { proxy, node } = await nodeBehindProxy(redis, { args: [...base, ...more] });
  t.after(async () => {
    proxy.delay = 0;
    await node.stop();
    proxy.close();
  });
  proxy.delay = delay;
  return { proxy, node };
}

const rawCount = async () => Object.keys(await hash(redis, 'sluice:{user:ann}:raw')).length;

test('what comes right after the head, and in pieces, is not lost', async (t) => {
  const { node } = await slowNode(t);
  const reader = await connect(nodes[0], { path: '/channels/chat', headers: { authorization } });
  await until(async () => (await redis.cli('PUBSUB', 'NUMSUB', 'chat')).endsWith('1'));
  const texts = ['first', 'x'.repeat(100), 'y'.repeat(150000), 'z'.repeat(30000), 'last'];
  const bytes = Buffer.concat(texts.map((text) => raw.encode(raw.TEXT, text)));
  const s = await raw.dial(node);
  await s.write(Buffer.concat([Buffer.from(head()), bytes.subarray(0, 20)]));
  await sleep(50);
  s.write(bytes.subarray(20, 9000));
  await sleep(50);
  s.write(bytes.subarray(9000));
  assert.equal((await s.response()).status, 101);
  for (const text of texts) assert.equal((await reader.next('raw')).text, text);
  await s.send(raw.TEXT, 'and on');
  assert.equal((await reader.next('raw')).text, 'and on');
  await s.send(raw.CLOSE, raw.closing(1000));
  assert.equal((await s.close()).code, 1000);
  s.destroy();
  await reader.close();
});

test('an early frame that breaks the protocol is answered as ever', async (t) => {
  const { node } = await slowNode(t);
  const s = await raw.dial(node);
  await s.write(Buffer.concat([Buffer.from(head()), raw.encode(raw.TEXT, 'x', { mask: false })]));
  assert.equal((await s.response()).status, 101);
  assert.equal((await s.close()).code, 1002);
  s.destroy();
});

test('a client that goes meanwhile leaves nothing', async (t) => {
  const { node } = await slowNode(t);
  const before = await metrics(node);
  const all = await Promise.all(Array.from({ length: 9 }, () => raw.dial(node)));
  await Promise.all(all.map((s) => s.write(head())));
  await until(async () => (await rawCount()) > 0);
  for (const [i, s] of all.entries()) [() => s.destroy(), () => s.reset(), () => s.end()][i % 3]();
  await until(async () => (await rawCount()) === 0, { timeout: 20000 });
  await until(async () => {
    const after = await metrics(node);
    const refused = { door: 'raw', result: 'refused' };
    const change = (family, labels) => after(family, labels) - before(family, labels);
    return (
      change('sluice_handshakes_total', refused) === 9 &&
      after('sluice_connections', { door: 'http' }) <= 1 &&
      after('sluice_connections', { door: 'raw' }) === 0 &&
      after('sluice_held_bytes', { what: 'requests' }) < 8000
    );
  });
  for (const s of all) s.destroy();
});

test('handshake-timeout goes on running: 503', async (t) => {
  const { proxy, node } = await slowNode(t, ['--handshake-timeout', '1s'], 0);
  proxy.stall({ link: 'commands', direction: 'toNode' });
  const s = await raw.dial(node);
  const began = Date.now();
  await s.write(head());
  const { status } = await s.response();
  assert.equal(status, 503);
  assert.ok(Date.now() - began > 700, `${Date.now() - began} ms`);
  await s.over();
  s.destroy();
  proxy.cut(); // what came late is taken out again, or does not count
  await until(async () => {
    const { incarnation } = await node.health();
    const values = Object.values(await hash(redis, 'sluice:{user:ann}:raw'));
    return values.every((value) => !value.startsWith(`${incarnation} `));
  });
  await redis.cli('DEL', 'sluice:{user:ann}:raw');
});

test('those that are held count for max-connections', async (t) => {
  const { node } = await slowNode(t, ['--max-connections', '4']);
  const all = [];
  for (let i = 0; i < 12; i++) {
    all.push(await raw.dial(node));
    await all[i].write(head());
  }
  // One that is taken for idle is closed without an answer.
  await until(() => all.every((s) => s.received.length > 0 || s.ended || s.closed));
  const texts = all.map((s) => s.received.toString('latin1', 9, 12));
  assert.equal(texts.filter((status) => status === '101').length, 4, texts.join());
  assert.ok(texts.every((status) => ['101', '503', ''].includes(status)), texts.join());
  for (const s of all) s.destroy();
  await until(async () => (await metric(node, 'sluice_connections', { door: 'raw' })) === 0);
  const s = await raw.dial(node);
  await s.write(head());
  assert.equal((await s.response()).status, 101);
  s.destroy();
});

test('a node that ends does not wait for them for ever', async (t) => {
  const { proxy, node } = await slowNode(t, ['--drain', '200ms'], 0);
  proxy.stall({ link: 'commands', direction: 'toNode' });
  const all = await Promise.all(Array.from({ length: 5 }, () => raw.dial(node)));
  await Promise.all(all.map((s) => s.write(head())));
  const began = Date.now();
  await node.stop();
  assert.ok(Date.now() - began < 20000, `${Date.now() - began} ms`);
  for (const s of all) await s.over();
});
