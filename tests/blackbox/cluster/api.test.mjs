// The API on a Redis Cluster: one view of all partitions, and what is missing in it while a master
// is away.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { startCluster } from '../lib/cluster.mjs';
import { range } from '../lib/frames.mjs';
import { login, startNode, test, until } from '../lib/harness.mjs';

const TOKEN = 'a-token-of-the-test';
const args = ['--lease-interval', '200ms', '--lease-timeout', '3s'];
const it = await startCluster({ replicas: 0 });
const nodes = [];
for (let i = 0; i < 2; i++) {
  nodes.push(await startNode({ redis: it.url, args, env: { SLUICE_ADMIN_TOKEN: TOKEN } }));
}
after(async () => {
  for (const node of nodes) await node.stop();
  await it.stop();
});

const ask = (path) => nodes[0].get(path, { headers: { authorization: `Bearer ${TOKEN}` } });
const view = async () => (await ask('/api/v1/cluster')).json();
const search = async (text, cursor) => {
  const query = `search=${encodeURIComponent(text)}${cursor ? `&cursor=${cursor}` : ''}`;
  return (await ask(`/api/v1/online?${query}`)).json();
};
const ids = ({ users }) => users.map(({ id }) => id);

const partition = (user) => it.partition(`user:${user}`);
// 60 users, some in each partition.
const USERS = [];
for (let i = 1; USERS.length < 60; i++) {
  const wanted = USERS.filter((user) => partition(user) === partition(`user-${i}`)).length < 4;
  if (wanted) USERS.push(`user-${i}`);
}
const clients = [];
for (const [i, user] of USERS.entries()) clients.push(await login(nodes[i % 2], user));
after(() => clients.forEach((client) => client.terminate()));

test('nodes, users and masters are those of all partitions', async () => {
  assert.equal(new Set(USERS.map(partition)).size, it.partitions);
  let seen;
  await until(async () => {
    seen = await view();
    return seen.online.count === 60 && seen.nodes.every(({ connections }) => connections === 30);
  });
  assert.equal(seen.nodes.length, 2, 'a node is one, whatever its incarnations');
  for (const node of seen.nodes) {
    assert.equal(node.users, 30);
    assert.equal(node.ready, true);
  }
  assert.deepEqual(seen.nodes.map(({ node }) => node).sort(), nodes.map(({ id }) => id).sort());
  assert.deepEqual(ids(seen.online).sort(), [...USERS].sort());
  assert.equal(seen.partitions, it.partitions);
  assert.deepEqual(seen.degraded, []);
  const { masters } = seen.redis;
  assert.equal(masters.length, 3);
  assert.equal(new Set(masters.map(({ run_id }) => run_id)).size, 3);
  const all = masters.flatMap(({ partitions }) => partitions).sort((a, b) => a - b);
  assert.deepEqual(all, range(0, it.partitions - 1));
  for (const master of masters) {
    assert.equal(master.role, 'master');
    assert.ok(master.used_memory > 100000 && master.ops_per_second >= 0);
  }
  assert.ok(seen.redis.latency_ms >= 0);
});

test('a search goes through all partitions, with the exact id first', async () => {
  const all = await search('');
  assert.deepEqual(ids(all).sort(), [...USERS].sort());
  assert.deepEqual([all.more, all.degraded], [false, []]);
  const some = await search('user-1');
  assert.equal(ids(some)[0], 'user-1');
  assert.deepEqual(ids(some).sort(), USERS.filter((user) => user.includes('user-1')).sort());
  assert.deepEqual(ids(await search('nobody')), []);
  for (const cursor of ['1', '16:0', '1:', ':1', 'x:1', '1:x', '001:0', `0:${'1'.repeat(21)}`]) {
    const { status, json } = await ask(`/api/v1/online?cursor=${cursor}`);
    assert.equal(status, 400, cursor);
    assert.equal(json().error.field, 'cursor');
  }
  assert.equal((await ask('/api/v1/online?cursor=0')).status, 200);
});

test('a page ends in the middle of a partition, or between two', async () => {
  // More than the nodes have, put into the index of two partitions.
  for (const tag of [it.tags[2], it.tags[9]]) {
    await it.cli(
      'EVAL',
      `for i = 1, 400 do redis.call('ZADD', KEYS[1], ARGV[1], 'many-' .. ARGV[2] .. i) end`,
      ...[1, `sluice:{${tag}}online`, Date.now(), `${tag}-`],
    );
  }
  const found = [];
  let pages = 0;
  for (let cursor = ''; cursor !== undefined; pages++) {
    const page = await search('many-', cursor);
    found.push(...ids(page));
    if (page.more) assert.match(page.cursor, /^\d+:\d+$/);
    cursor = page.cursor;
  }
  assert.ok(pages > 2 && pages < 20, `${pages} pages`);
  assert.equal(new Set(found).size, 800);
  for (const tag of [it.tags[2], it.tags[9]]) await it.cli('DEL', `sluice:{${tag}}online`);
});

test('a master is away: its part is missing, and is named', async () => {
  const [first] = await it.masters();
  const owners = await Promise.all(it.tags.map((tag) => it.masterOf(`{${tag}}`)));
  const gone = owners.flatMap((owner, i) => (owner === first ? [i] : []));
  const isGone = (user) => gone.includes(partition(user));
  await first.kill();
  let seen;
  await until(async () => (seen = await view()).degraded?.length > 0, { timeout: 20000 });
  assert.deepEqual(seen.degraded, gone);
  assert.equal(seen.redis.masters.length, 2);
  assert.equal(seen.nodes.length, 2);
  const page = await search('user-');
  assert.deepEqual(page.degraded, gone);
  const there = USERS.filter((user) => !isGone(user));
  const listed = ids(page).filter((user) => [2, 9].every((p) => partition(user) !== p));
  assert.deepEqual(
    listed.sort(),
    there.filter((user) => [2, 9].every((p) => partition(user) !== p)).sort(),
  );
  const away = USERS.find(isGone);
  assert.equal((await ask(`/api/v1/users/${away}`)).status, 503);
  assert.equal((await ask(`/api/v1/users/${there[0]}`)).status, 200);
  assert.equal((await search(away)).degraded.length, gone.length, 'the exact one may be missing');
});
