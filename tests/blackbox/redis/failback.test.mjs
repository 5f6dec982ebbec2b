// A master is demoted, loses its last messages to the replica that took its place, and is promoted
// again, while it runs and its connections stay open: nothing that was acknowledged is overwritten
// unseen.
import assert from 'node:assert/strict';
import { chatTexts } from '../lib/frames.mjs';
import { cluster, login, only, startRedis, test, unmanaged, until } from '../lib/harness.mjs';
import { hash } from '../lib/registry.mjs';
import { roam } from '../lib/roaming.mjs';

only('single', 'it has a replica of its own');
unmanaged('the replid tells of the failover');

const replica = { 'repl-diskless-sync': 'no', 'repl-ping-replica-period': 1 };
const info = async (redis, field) =>
  (await redis.cli('INFO', 'replication')).match(new RegExp(`^${field}:(\\S*)`, 'm'))?.[1];
const follows = (redis, master) => redis.cli('REPLICAOF', '127.0.0.1', master.port);
const promote = (redis) => redis.cli('REPLICAOF', 'NO', 'ONE');
const synced = (redis) => until(async () => (await info(redis, 'master_link_status')) === 'up');
const level = async (a, b) =>
  until(async () => {
    const [one, two] = [await info(a, 'master_repl_offset'), await info(b, 'master_repl_offset')];
    return one === two;
  });

// A node asks no Redis twice within a tenth of a second whether the term still stands (clock.lua).
// Two servers on one machine can be there and back within it.
const tenthIsOver = (redis) =>
  until(async () => {
    const [seconds, us] = (await redis.cli('TIME')).split('\n');
    const now = seconds + us.padStart(6, '0')[0];
    return now > (await redis.cli('GET', 'sluice:clock')).slice(17, 28);
  });

/*
 * One master with five messages in a room, and a replica that has three of them. `lose` makes the
 * master the replica's replica and promotes it again, as fast as Redis does it.
 */
async function scene(t, { link } = {}) {
  const a = await startRedis({ config: { ...replica, appendonly: 'no' } });
  const b = await startRedis({ config: { ...replica, appendonly: 'no' } });
  await follows(b, a); // the first replica changes the master's replid, too
  await synced(b);
  const { nodes, stop } = await cluster({ nodes: 2, redis: a, args: link ?? [] });
  t.after(async () => {
    await stop();
    for (const redis of [a, b]) await redis.stop();
  });
  const ann = await login(nodes[0], 'ann');
  const bob = await login(nodes[1], 'bob');
  const lib = await roam(t, 'lib', nodes[1]);
  for (const client of [ann, bob]) await client.emit('join', { room: 'r' });
  await lib.sluice.emit('join', { room: 'r' });
  const send = (message) => ann.emit('sendMessage', { room: 'r', message });
  for (let i = 1; i <= 3; i++) await send(`m${i}`);
  await level(a, b);
  await promote(b);
  for (let i = 4; i <= 5; i++) await send(`lost ${i}`);
  for (const client of [ann, bob]) await client.next('chatMessage', { match: ({ seq }) => seq === 5 });
  await until(() => lib.heard.length === 5);
  const { epoch: old, seq } = await hash(a, 'sluice:{room:r}:meta');
  assert.equal(seq, '5');
  await tenthIsOver(b);
  return { a, b, nodes, ann, bob, lib, send, old };
}

async function judge({ a, nodes, ann, bob, lib, old }) {
  // Whoever had them is told; whoever comes back, too; nobody takes the new ones for the old.
  await until(async () => (await hash(a, 'sluice:{room:r}:meta'))[`fork:${old}`] === '3');
  const again = (message) => until(() => ann.emit('sendMessage', { room: 'r', message }).catch(() => false));
  await again('new b');
  for (const client of [ann, bob]) {
    await client.next('chatMessage', { match: ({ data }) => data.message === 'new b' });
    const { data } = await client.next('channel_reset');
    assert.deepEqual([data.channel, data.from, data.to], ['room:r', 4, 5]);
    assert.deepEqual(chatTexts(client), ['m1', 'm2', 'm3', 'lost 4', 'lost 5', 'new a', 'new b']);
  }
  await until(() => lib.heard.includes('new b'));
  assert.deepEqual(lib.heard, ['m1', 'm2', 'm3', 'lost 4', 'lost 5', 'new a', 'new b']);
  assert.equal(lib.lost.length, 1);
  for (const [at, recovered] of [[3, true], [4, false], [5, false]]) {
    const back = await login(nodes[0], 'cat', { resume: { 'room:r': { epoch: old, seq: at } } });
    assert.equal(back.ack.recovered, recovered, `from ${at}`);
    if (recovered) {
      await back.next('chatMessage', { match: ({ data }) => data.message === 'new b' });
      assert.deepEqual(chatTexts(back), ['new a', 'new b']);
    }
    await back.close();
  }
}

test('fail over and back', async (t) => {
  const it = await scene(t);
  const { a, b, nodes } = it;
  const before = await hash(a, 'sluice:term');
  await follows(a, b);
  await synced(a);
  await promote(a);
  await until(() => it.send('new a').catch(() => false));
  for (const node of nodes) await node.untilReady();
  const after = await hash(a, 'sluice:term');
  assert.equal(after.run, before.run, 'the same server');
  assert.equal(after.replid, await info(a, 'master_replid'));
  assert.ok(Number(after.number) > Number(before.number));
  await judge(it);
  assert.equal((await hash(a, 'sluice:{room:r}:meta')).term, after.number);
});

test('so fast that no node asks Redis anything meanwhile', async (t) => {
  // Leases come each minute, so the links stay open all along, and only the append can tell.
  const it = await scene(t, { link: ['--lease-interval', '60s', '--lease-timeout', '300s'] });
  const { a, b, nodes } = it;
  await follows(a, b);
  await synced(a);
  await promote(a);
  await until(() => it.send('new a').catch(() => false));
  for (const node of nodes) {
    await node.untilReady();
    assert.doesNotMatch(node.log(), /no longer the master/);
  }
  await judge(it);
});

