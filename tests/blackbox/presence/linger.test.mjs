// --linger: a page reload is not seen by anyone; who stays away is announced after it.
import assert from 'node:assert/strict';
import { ofUser } from '../lib/frames.mjs';
import { cluster, login, startNode, test, until } from '../lib/harness.mjs';
import { count, fence, hash, scores } from '../lib/registry.mjs';

const LINGER = 2000;
const QUICK = ['--lease-timeout', '1s', '--lease-interval', '200ms'];
const ARGS = ['--linger', `${LINGER}ms`, ...QUICK];
const { redis, nodes } = await cluster({ nodes: 2, args: ARGS });
const of = (user) => ofUser(user, { timeout: 10000 });

test('a reload, on the same node or another, is absorbed; staying away is not', async () => {
  const ann = await login(nodes[0], 'ann');
  let eve = await login(nodes[0], 'eve');
  for (const client of [ann, eve]) await client.emit('join', { room: 'r' });
  for (const node of [nodes[1], nodes[1], nodes[0]]) {
    eve.terminate();
    eve = await login(node, 'eve', { resume: eve.positions });
    assert.equal(eve.ack.recovered, true);
  }
  await eve.close();
  const gone = Date.now();
  await ann.next('user_offline', of('eve'));
  assert.ok(Date.now() - gone >= LINGER * 0.9, 'stays in presence for the linger time');
  await fence(redis, [ann]);
  assert.equal(count(ann, 'user_offline', 'eve'), 1);
  assert.equal(count(ann, 'user_online', 'eve'), 0);
  assert.deepEqual(await hash(redis, 'sluice:{user:eve}:conns'), {});
});

// Who shares a room with `going`'s users on a node that stays, and they.
async function scene(going, room, ...users) {
  const ann = await login(nodes[0], `ann-${room}`);
  const others = [];
  for (const user of users) others.push(await login(going, user));
  for (const client of [ann, ...others]) await client.emit('join', { room });
  await fence(redis, [ann]);
  return [ann, ...others];
}

const announced = (client, user) => [
  count(client, 'user_online', user),
  count(client, 'user_offline', user),
];
const lingering = async (user) =>
  Object.entries(await scores(redis, 'sluice:lingering'))
    .filter(([member]) => member.endsWith(` ${user}`))
    .map(([, due]) => due);

test('a node that is drained leaves those who linger to the others', async () => {
  const args = ['--linger', '10m', '--drain', '100ms'];
  const going = await startNode({ redis, args });
  const [ann, early, late] = await scene(going, 'drain', 'early', 'late');
  const twice = await login(going, 'late');
  await early.close();
  const { incarnation } = await going.health();
  const before = Date.now();
  assert.equal((await going.stop('SIGTERM')).code, 0);
  for (const client of [late, twice]) assert.equal((await client.closed).code, 1012);
  for (const [user, connections] of [['early', 1], ['late', 2]]) {
    const due = await lingering(user);
    assert.equal(due.length, connections, user);
    for (const at of due) assert.ok(at > before + 500000 && at < Date.now() + 600000, 'in 10 min');
  }
  // Nothing else is left of the node.
  assert.ok(!(incarnation in (await scores(redis, 'sluice:nodes'))));
  assert.equal(await redis.cli('EXISTS', `sluice:{node:${incarnation}}:users`), '0');

  const back = await login(nodes[1], 'late', { resume: late.positions });
  assert.equal(back.ack.recovered, true);
  // Its time comes: who is back is not announced, who is away is, once.
  const members = Object.keys(await scores(redis, 'sluice:lingering'));
  for (const member of members) await redis.cli('ZADD', 'sluice:lingering', 1, member);
  await ann.next('user_offline', of('early'));
  await until(async () => (await redis.cli('EXISTS', 'sluice:lingering')) === '0');
  await fence(redis, [ann]);
  assert.deepEqual(announced(ann, 'early'), [0, 1]);
  assert.deepEqual(announced(ann, 'late'), [0, 0]);
  assert.deepEqual(Object.keys(await hash(redis, 'sluice:{user:late}:conns')), [
    back.ack.connectionId,
  ]);
  await back.close();
  await ann.next('user_offline', of('late'));
});

test('after a drain they stay for the linger time, and no longer', async () => {
  const going = await startNode({ redis, args: ['--linger', `${LINGER}ms`, '--drain', '100ms'] });
  const [ann] = await scene(going, 'time', 'sue');
  const before = Date.now();
  assert.equal((await going.stop('SIGTERM')).code, 0);
  await ann.next('user_offline', of('sue'));
  assert.ok(Date.now() - before >= LINGER * 0.9);
  assert.deepEqual(announced(ann, 'sue'), [0, 1]);
  assert.equal(await redis.cli('ZSCORE', 'sluice:online', 'sue'), '');
});

test('after a crash too, counted from when the node was last heard', async () => {
  const going = await startNode({ redis, args: ['--linger', `${LINGER}ms`] });
  const [ann, , bea] = await scene(going, 'crash', 'ada', 'bea');
  const before = Date.now();
  await going.kill();
  const back = await login(nodes[1], 'bea', { resume: bea.positions });
  await ann.next('user_offline', of('ada'));
  assert.ok(Date.now() - before >= LINGER / 2, 'not with the lease timeout, which is shorter');
  await fence(redis, [ann]);
  assert.deepEqual(announced(ann, 'bea'), [0, 0]);
  const conns = async () => Object.keys(await hash(redis, 'sluice:{user:bea}:conns')).length;
  await until(async () => (await conns()) === 1); // on a Cluster, her partition has its own time
  await back.close();
});

test('the last node leaves nobody in presence', async (t) => {
  const own = await cluster({ nodes: 2, args: ['--linger', '10m', '--drain', '100ms'] });
  t.after(own.stop);
  const clients = await Promise.all(
    own.nodes.flatMap((node, i) => ['x', 'y'].map((name) => login(node, `${name}${i}`))),
  );
  await clients[0].close();
  for (const node of own.nodes) {
    const left = Object.keys(await scores(own.redis, 'sluice:lingering')).length;
    assert.equal(left, node === own.nodes[0] ? 0 : 2);
    assert.equal((await node.stop('SIGTERM')).code, 0);
  }
  for (const key of ['sluice:online', 'sluice:lingering', 'sluice:nodes', 'sluice:{user:x0}:conns']) {
    assert.equal(await own.redis.cli('EXISTS', key), '0', key);
  }
});
