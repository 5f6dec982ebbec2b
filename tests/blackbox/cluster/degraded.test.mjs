// A master dies: its partitions alone are unavailable until its replica leads, and /readyz names them.
import assert from 'node:assert/strict';
import { inRoom, startNode, test, until } from '../lib/harness.mjs';
import { startCluster } from '../lib/cluster.mjs';
import { range, refused } from '../lib/frames.mjs';

const ROOMS = range(1, 30).map((i) => `r${i}`);

async function setUp(t, options) {
  const it = await startCluster(options);
  const nodes = [await startNode({ redis: it.url }), await startNode({ redis: it.url })];
  t.after(async () => {
    for (const node of nodes) await node.stop();
    await it.stop();
  });
  const [ann, bob] = await inRoom(nodes, ROOMS[0], 'ann', 'bob');
  for (const room of ROOMS.slice(1)) for (const client of [ann, bob]) await client.emit('join', { room });
  return { it, nodes, ann, bob };
}

// The partitions of a master, and the rooms in them.
async function ownedBy(it, master) {
  const owners = await Promise.all(it.tags.map((tag) => it.masterOf(`{${tag}}`)));
  const partitions = owners.flatMap((owner, i) => (owner === master ? [i] : []));
  const rooms = ROOMS.filter((room) => partitions.includes(it.partition(`room:${room}`)));
  return { partitions, rooms };
}

const ready = async (node) => {
  const { status, json } = await node.get('/readyz');
  return { status, ...json() };
};

test('a master dies and its replica takes over', async (t) => {
  const { it, nodes, ann, bob } = await setUp(t, { replicas: 1, nodeTimeout: 4000 });
  for (const node of nodes) assert.deepEqual(await ready(node), { status: 200, ready: true });
  const master = await it.masterOf(it.key(`room:${ROOMS[0]}`));
  const { partitions, rooms } = await ownedBy(it, master);
  const others = ROOMS.filter((room) => !rooms.includes(room));
  await master.kill();
  for (const node of nodes) {
    await until(async () => (await ready(node)).degraded, { what: 'it is degraded' });
    const { status, ready: isReady, degraded } = await ready(node);
    assert.deepEqual([status, isReady], [200, true]);
    assert.deepEqual([...degraded].sort((a, b) => a - b), partitions);
  }
  // The election takes more than node-timeout, so this is before it.
  const error = await refused(ann.emit('sendMessage', { room: rooms[0], message: 'x' }), 'unavailable');
  assert.match(error.outcome, /^(refused|unknown)$/);
  for (const room of others) {
    await ann.emit('sendMessage', { room, message: 'meanwhile' });
    await bob.next('chatMessage', { match: ({ data }) => data.room === room });
  }
  assert.ok(ann.isOpen && bob.isOpen);
  await it.promoted(master);
  for (const node of nodes) {
    const whole = async () => !(await ready(node)).degraded;
    await until(whole, { timeout: 20000, what: 'it is degraded no more' });
    assert.deepEqual(await ready(node), { status: 200, ready: true });
  }
  for (const room of rooms) {
    await until(() => ann.emit('sendMessage', { room, message: 'after' }));
    await bob.next('chatMessage', { match: ({ data }) => data.room === room && data.message === 'after' });
  }
});

test('a master dies that has no replica, and then all', async (t) => {
  const { it, nodes, ann } = await setUp(t, { replicas: 0 });
  const [first, ...more] = await it.masters();
  const { partitions, rooms } = await ownedBy(it, first);
  await first.kill();
  const degraded = async (node) => (await ready(node)).degraded ?? [];
  for (const node of nodes) {
    await until(async () => (await degraded(node)).length === partitions.length);
    assert.equal(await node.readyz(), 200);
  }
  for (const master of more) await master.kill();
  for (const node of nodes) {
    await node.untilNotReady();
    assert.equal((await ready(node)).reason, 'redis');
  }
  for (const master of it.servers) await master.restart();
  await it.untilWell();
  for (const node of nodes) await until(async () => JSON.stringify(await ready(node)) === JSON.stringify({ status: 200, ready: true }), { timeout: 20000 });
  await until(() => ann.emit('sendMessage', { room: rooms[0], message: 'back' }));
});
