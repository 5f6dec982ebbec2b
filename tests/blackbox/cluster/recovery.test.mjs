// Connection state recovery of Socket.IO on a Redis Cluster: one offset says what a client has in
// channels of all partitions, also while one of them is away.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { startCluster } from '../lib/cluster.mjs';
import { range } from '../lib/frames.mjs';
import { login, startNode, test, until } from '../lib/harness.mjs';
import { away, back, comeBack, guest, QUICK } from '../lib/recovery.mjs';
import { emit } from '../lib/socketio.mjs';

const it = await startCluster({ replicas: 1 });
const nodes = [];
for (let i = 0; i < 2; i++) nodes.push(await startNode({ redis: it.url, args: QUICK }));
after(async () => {
  for (const node of nodes) await node.stop();
  await it.stop();
});

// One topic in each partition, by its number.
function topicsOf(name) {
  const topics = [];
  for (let i = 0; topics.filter(Boolean).length < it.partitions; i++) {
    const topic = `topic:${name}.${i}`;
    topics[it.partition(topic)] ??= topic;
  }
  return topics;
}

// A guest in a topic of each partition, and one who speaks there from the other node.
async function scene(t, name) {
  const topics = topicsOf(name);
  const ann = await guest(t, nodes[0], name);
  const speaker = await login(nodes[1], `speaker-${name}`);
  t.after(() => speaker.terminate());
  for (const channel of topics) await emit(ann, 'subscribe', { channel });
  const said = [];
  const say = async (channel, data) => {
    await speaker.emit('publish', { channel, data });
    said.push(data);
  };
  const heard = () => ann.heard.filter(({ event }) => event === 'message').map(({ data }) => data);
  const has = async (all) => {
    await until(() => new Set(heard()).size >= all.length, { timeout: 20000 }).catch(() => {});
    assert.deepEqual(heard().sort(), [...all].sort(), 'each once');
  };
  return { ann, topics, said, say, heard, has };
}

const offsets = ({ heard }) =>
  heard.filter(({ event }) => event === 'message').map((one) => one.offset);

test('channels of all partitions: what was missed comes once', async (t) => {
  const { ann, topics, said, say, has } = await scene(t, 'all');
  for (const [i, topic] of topics.entries()) await say(topic, `first ${i}`);
  await has(said);
  for (const round of range(1, 4)) {
    // In some partitions there is news, in others there is none.
    await comeBack(ann, nodes[round % 2], {
      meanwhile: async () => {
        for (const topic of topics.slice(0, 4 * round)) await say(topic, `${round} ${topic}`);
      },
    });
    await has(said);
    await say(topics[round], `live ${round}`);
    await has(said);
  }
  // The last message came when all was level: its offset is for all, and short.
  await until(async () => {
    await say(topics[0], `calm ${said.length}`);
    await has(said);
    return offsets(ann).at(-1).startsWith('*');
  });
  assert.ok(offsets(ann).at(-1).length < 64 + 9 * it.partitions, offsets(ann).at(-1));
});

test('one frame for all, also while a partition is away; then it is told apart', async (t) => {
  const { ann, topics, said, say, has } = await scene(t, 'away');
  for (const [i, topic] of topics.entries()) await say(topic, `first ${i}`);
  await has(said);
  const master = await it.masterOf(it.key(topics[0]));
  const owners = await Promise.all(topics.map((topic) => it.masterOf(it.key(topic))));
  const there = topics.filter((_, i) => owners[i] !== master);
  const gone = topics.filter((_, i) => owners[i] === master);
  await until(async () => {
    await say(there[0], `before ${said.length}`);
    await has(said);
    return offsets(ann).at(-1).startsWith('*');
  });
  await master.kill();
  const degraded = async (node) => (await node.get('/readyz')).json().degraded;
  for (const node of nodes) await until(() => degraded(node), { what: 'it is degraded' });
  const from = offsets(ann).length;
  for (const topic of there) await say(topic, `meanwhile ${topic}`);
  await has(said);
  for (const offset of offsets(ann).slice(from)) assert.match(offset, /^\*/, 'the same for all');

  await it.promoted(master);
  for (const node of nodes) {
    await until(async () => !(await degraded(node)), { timeout: 20000, what: 'it is whole' });
  }
  // What was made in the former term says nothing of the new one, so this cannot be exact.
  await away(ann);
  for (const topic of topics) await say(topic, `after ${topic}`);
  assert.equal(await back(ann, nodes[1]), false);
  assert.ok(gone.length > 0 && there.length > 0);
});

test('after a failover a session is recovered again', async (t) => {
  const { ann, topics, said, say, has } = await scene(t, 'again');
  for (const [i, topic] of topics.entries()) await say(topic, `first ${i}`);
  await has(said);
  await it.failover(await it.masterOf(it.key(topics[3])));
  for (const [i, topic] of topics.entries()) {
    const data = `second ${i}`;
    await until(() => say(topic, data).then(() => true, () => false), { timeout: 20000 });
  }
  await has(said);
  // One of an earlier term may lack news; its node writes it again with the next lease.
  const name = `sio:${ann.pid}`;
  const term = `sluice:{${it.tagOf(it.partition(name))}}term`;
  const written = async () => (await it.cli('HGET', it.key(name), 'term')) === (await it.cli('HGET', term, 'number'));
  await until(written, { timeout: 20000, what: 'the session is written in the term of now' });
  await comeBack(ann, nodes[1], {
    meanwhile: async () => {
      for (const topic of topics) await say(topic, `missed ${topic}`);
    },
  });
  await has(said);
});

test('a login, and the node was reaped in all partitions meanwhile', async (t) => {
  // The node learns it only from what it is answered.
  const args = ['--lease-interval', '30s', '--lease-timeout', '120s'];
  const node = await startNode({ redis: it.url, args });
  t.after(() => node.stop());
  for (const door of ['JSON', 'Socket.IO', 'Socket.IO, once more']) {
    const incarnations = async (tag) => it.cli('ZRANGE', `sluice:{${tag}}nodes`, 0, -1);
    for (const tag of it.tags) {
      const own = (await incarnations(tag)).split('\n').filter((one) => one.startsWith(`${node.id}.`));
      await it.cli('ZREM', `sluice:{${tag}}nodes`, 'none', ...own);
    }
    const user = `reaped-${door.replace(/\W/g, '-')}`;
    if (door === 'JSON') await login(node, user);
    else assert.equal((await guest(t, node, user)).ack.userId, user, door);
  }
});
