// A node that is killed: a survivor announces its users offline, once, and cleans up.
import assert from 'node:assert/strict';
import { ofUser } from '../lib/frames.mjs';
import { cluster, inRoom, login, startNode, test, until } from '../lib/harness.mjs';
import { count, fence, hash, keys, scores } from '../lib/registry.mjs';

const QUICK = ['--lease-timeout', '1s', '--lease-interval', '200ms'];

async function killed({ args }, within) {
  const { redis, nodes, stop } = await cluster({ nodes: 2, args });
  const doomed = await startNode({ redis, args });
  const { incarnation } = await doomed.health();

  const ann = await login(nodes[0], 'ann');
  const bob = await login(nodes[1], 'bob');
  const eve = await login(doomed, 'eve');
  const two = await login(doomed, 'two');
  const twin = await login(nodes[1], 'two');
  for (const client of [ann, bob, eve, two]) await client.emit('join', { room: 'r' });
  assert.ok(incarnation in (await scores(redis, 'sluice:nodes')));
  assert.ok((await keys(redis, 'sluice:{node:*}:users')).length > 0);

  await doomed.kill();
  for (const client of [ann, bob]) {
    const offline = ofUser('eve', { timeout: within });
    await client.next('user_offline', offline);
    await client.next('userLeft', { match: (frame) => frame.data.userId === 'eve' });
    await client.next('update_member_list', {
      match: ({ data }) => data.online === 3 && data.total === 4,
    });
  }
  await until(async () => !(incarnation in (await scores(redis, 'sluice:nodes'))));
  assert.equal(await redis.cli('EXISTS', `sluice:{node:${incarnation}}:users`), '0');
  assert.deepEqual(await hash(redis, 'sluice:{user:eve}:conns'), {});
  assert.deepEqual(Object.keys(await hash(redis, 'sluice:{user:two}:conns')), [
    twin.ack.connectionId,
  ]);
  assert.deepEqual(Object.keys(await scores(redis, 'sluice:online')).sort(), ['ann', 'bob', 'two']);
  assert.deepEqual(Object.keys(await scores(redis, 'sluice:{room:r}:here')).sort(), [
    'ann',
    'bob',
    'two',
  ]);
  assert.ok('eve' in (await scores(redis, 'sluice:{room:r}:members')), 'the membership stays');

  await fence(redis, [ann, bob, twin]);
  for (const client of [ann, bob]) {
    assert.equal(count(client, 'user_offline', 'eve'), 1);
    assert.equal(count(client, 'user_offline', 'two'), 0);
  }
  await stop();
}

test('its users are announced offline exactly once and Redis is clean', () =>
  killed({ args: QUICK }, 10000));

test('with the defaults it takes less than 10 s', () => killed({ args: [] }, 10000));

test('a user who comes back elsewhere before the reaping stays online', async () => {
  const { redis, nodes, stop } = await cluster({ nodes: 2, args: QUICK });
  const doomed = await startNode({ redis, args: QUICK });
  const { incarnation } = await doomed.health();
  const [ann, eve] = await inRoom([nodes[0], doomed], 'r', 'ann', 'eve');
  await doomed.kill();
  await ann.emit('sendMessage', { room: 'r', message: 'meanwhile' });
  const back = await login(nodes[1], 'eve', { resume: eve.positions });
  assert.equal(back.ack.recovered, true);
  await back.next('chatMessage', { match: ({ data }) => data.message === 'meanwhile' });
  await until(async () => !(incarnation in (await scores(redis, 'sluice:nodes'))));
  await fence(redis, [ann, back]);
  for (const name of ['user_offline', 'user_online']) assert.equal(count(ann, name, 'eve'), 0);
  assert.deepEqual(Object.keys(await hash(redis, 'sluice:{user:eve}:conns')), [
    back.ack.connectionId,
  ]);
  await stop();
});

test('all nodes die: the first that starts cleans up after them', async () => {
  const { redis, nodes, stop } = await cluster({ nodes: 2, args: QUICK });
  for (const [i, node] of nodes.entries()) {
    const client = await login(node, `u${i}`);
    await client.emit('join', { room: 'r' });
  }
  for (const node of nodes) await node.kill();
  // One with the name of a dead one: it is another incarnation all the same.
  const fresh = await startNode({ redis, id: nodes[0].id, args: QUICK });
  const other = await startNode({ redis, args: QUICK });
  const ann = await login(other, 'ann');
  await ann.emit('join', { room: 'r' });
  await until(async () => Object.keys(await scores(redis, 'sluice:online')).join() === 'ann');
  await until(async () => Object.keys(await scores(redis, 'sluice:nodes')).length === 2);
  assert.deepEqual(await keys(redis, 'sluice:{user:u*}:conns'), []);
  assert.deepEqual(Object.keys(await scores(redis, 'sluice:{room:r}:here')), ['ann']);
  assert.equal((await keys(redis, 'sluice:{node:*}:users')).length, 1);
  for (const node of [fresh, other]) await node.stop('SIGINT');
  await stop();
});

test('many users of a killed node are all gone, each announced once', async () => {
  const { redis, nodes, stop } = await cluster({ nodes: 2, args: QUICK });
  const doomed = await startNode({ redis, args: QUICK });
  const ann = await login(nodes[0], 'ann');
  await ann.emit('join', { room: 'many' });
  const ids = Array.from({ length: 450 }, (_, i) => `u${i}`);
  for (let i = 0; i < ids.length; i += 50) {
    await Promise.all(
      ids.slice(i, i + 50).map(async (id) => {
        const client = await login(doomed, id);
        if (Number(id.slice(1)) < 200) await client.emit('join', { room: 'many' });
      }),
    );
  }
  await doomed.kill();
  await until(async () => Object.keys(await scores(redis, 'sluice:online')).length === 1);
  await until(async () => (await keys(redis, 'sluice:{node:*}:users')).length === 1);
  assert.deepEqual(await keys(redis, 'sluice:{user:u*}:conns'), []);
  assert.deepEqual(Object.keys(await scores(redis, 'sluice:{room:many}:here')), ['ann']);
  await fence(redis, [ann]);
  for (const id of ids) {
    const expected = Number(id.slice(1)) < 200 ? 1 : 0;
    assert.equal(count(ann, 'user_offline', id), expected, id);
  }
  await stop();
});
