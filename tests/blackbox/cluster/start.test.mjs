// A Redis Cluster in the place of one Redis: nodes find all of its masters, and keep each name's keys
// together in the partition that its hash names.
import assert from 'node:assert/strict';
import { inRoom, startNode, test, until } from '../lib/harness.mjs';
import { startCluster } from '../lib/cluster.mjs';
import { range } from '../lib/frames.mjs';
import { runProgram } from '../lib/program.mjs';

async function setUp(t, options, nodeOptions) {
  const it = await startCluster({ replicas: 0, ...options });
  const nodes = [await startNode({ redis: it.url, ...nodeOptions }), await startNode({ redis: it.url, ...nodeOptions })];
  t.after(async () => {
    for (const node of nodes) await node.stop();
    await it.stop();
  });
  return { it, nodes };
}

test('rooms of all partitions work, and their keys have the form that is documented', async (t) => {
  const { it, nodes } = await setUp(t);
  // One of each partition.
  const byPartition = new Map(range(1, 200).map((i) => [it.partition(`room:r${i}`), `r${i}`]));
  const rooms = [...byPartition.values()];
  assert.equal(rooms.length, 16);
  const [ann, bob] = await inRoom(nodes, rooms[0], 'ann', 'bob');
  for (const room of rooms.slice(1)) for (const client of [ann, bob]) await client.emit('join', { room });
  const masters = new Set();
  for (const room of rooms) {
    const { seq } = await ann.emit('sendMessage', { room, message: `in ${room}` });
    assert.equal(seq, 1);
    const frame = await bob.next('chatMessage', { match: ({ data }) => data.room === room });
    assert.equal(frame.data.message, `in ${room}`);
    const key = it.key(`room:${room}`, 'log');
    assert.equal(await it.cli('XLEN', key), '1', key);
    masters.add(await it.masterOf(key));
    const bell = it.key(`room:${room}`);
    const heard = await it.on(await it.masterOf(bell), 'PUBSUB', 'SHARDNUMSUB', bell);
    assert.equal(heard, `${bell}\n2`, 'both nodes hear its bell');
  }
  assert.equal(masters.size, 3);
  for (const user of ['ann', 'bob']) {
    assert.equal(await it.cli('HLEN', it.key(`user:${user}`, 'conns')), '1');
    assert.notEqual(await it.cli('ZSCORE', `sluice:{${it.tagOf(it.partition(`user:${user}`))}}online`, user), '');
  }
});

test('every key lies in a partition, but the one that has their number', async (t) => {
  const { it, nodes } = await setUp(t);
  const [ann] = await inRoom(nodes, 'r', 'ann', 'bob');
  await ann.emit('private_message', { receiverId: 'bob', content: 'x' });
  const tagged = new RegExp(`^sluice:\\{(${it.tags.join('|')})\\}`);
  for (const master of await it.masters()) {
    const keys = (await it.on(master, 'KEYS', '*')).split('\n').filter(Boolean);
    for (const key of keys) assert.match(key, new RegExp(`${tagged.source}|^sluice:partitions$`));
  }
});

test('a password that the whole Cluster has', async (t) => {
  const { it, nodes } = await setUp(t, { password: 's3cret-redis' }, { args: ['--log-level', 'debug'] });
  assert.match(it.url, /^redis\+cluster:\/\/:s3cret-redis@/);
  const [ann, bob] = await inRoom(nodes, 'r', 'ann', 'bob');
  await ann.emit('sendMessage', { room: 'r', message: 'hi' });
  await bob.next('chatMessage');
  for (const node of nodes) {
    const pages = await Promise.all(['/readyz', '/metrics', '/healthz'].map(async (at) => (await node.get(at)).body));
    assert.doesNotMatch(node.log() + pages.join(), /s3cret/);
  }
  const bare = await startNode({ redis: it.url.replace(/:s3cret-redis@/, ''), ready: false });
  t.after(() => bare.stop());
  await until(async () => /NOAUTH/.test((await bare.get('/readyz')).body), { what: 'NOAUTH in /readyz' });
});

test('sluice key prints the key, the partition and the master', async (t) => {
  const { it } = await setUp(t);
  for (const name of ['room:lobby', 'user:42', 'dm:a:b', 'topic:x', 'all']) {
    const { code, out } = await runProgram(['key', name, '--redis-url', it.url]);
    assert.equal(code, 0, out);
    const master = await it.masterOf(it.key(name));
    assert.ok(out.includes(it.key(name)), out);
    assert.match(out, new RegExp(`\\b${it.partition(name)}\\b`));
    assert.match(out, new RegExp(`\\b127\\.0\\.0\\.1:${master.port}\\b`));
  }
});
