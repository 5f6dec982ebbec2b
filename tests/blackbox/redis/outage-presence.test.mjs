// Who goes while Redis is away is gone when it is back; who stays, stays; who comes, waits.
import assert from 'node:assert/strict';
import { ofUser } from '../lib/frames.mjs';
import {
  cluster,
  connect,
  login,
  startNode,
  startRedis,
  test,
  until,
} from '../lib/harness.mjs';
import { nodeBehindProxy } from '../lib/proxy.mjs';
import { count, fence, keys, scores } from '../lib/registry.mjs';

test('presence is right again after an outage', async (t) => {
  const args = ['--lease-timeout', '1s', '--lease-interval', '200ms'];
  const { redis, nodes, stop } = await cluster({ nodes: 2, args });
  t.after(stop);
  const ann = await login(nodes[0], 'ann');
  const bob = await login(nodes[1], 'bob');
  const eve = await login(nodes[1], 'eve');
  const fay = await login(nodes[0], 'fay');
  const two = await login(nodes[0], 'two');
  await login(nodes[1], 'two');
  for (const client of [ann, bob, eve, fay, two]) await client.emit('join', { room: 'r' });
  await redis.kill();
  for (const node of nodes) await node.untilNotReady();
  await eve.close();
  fay.terminate();
  await two.close();
  const gus = await connect(nodes[1]);
  await assert.rejects(gus.emit('login', { userId: 'gus', csId: '1' }), { code: 'unavailable' });
  await redis.restart();
  for (const node of nodes) await node.untilReady();
  await gus.emit('login', { userId: 'gus', csId: '1' });

  const online = async () =>
    Object.keys(await scores(redis, 'sluice:online'))
      .sort()
      .join();
  await until(async () => (await online()) === 'ann,bob,gus,two', {
    what: 'the right ones are online',
  });
  await until(async () => (await keys(redis, 'sluice:{user:*}:conns')).length === 4);
  const here = Object.keys(await scores(redis, 'sluice:{room:r}:here')).sort();
  assert.deepEqual(here, ['ann', 'bob', 'two']);
  await until(async () => Object.keys(await scores(redis, 'sluice:nodes')).length === 2);
  for (const client of [ann, bob]) {
    for (const user of ['eve', 'fay']) {
      await client.next('user_offline', ofUser(user));
    }
    await client.next('update_member_list', {
      match: ({ data }) => data.online === 3 && data.total === 5,
    });
  }
  await fence(redis, [ann, bob]);
  for (const client of [ann, bob]) {
    for (const user of ['ann', 'bob', 'two'])
      assert.equal(count(client, 'user_offline', user), 0, user);
    for (const user of ['eve', 'fay']) assert.equal(count(client, 'user_offline', user), 1, user);
  }
});

const saved = { single: 'it comes back with an earlier snapshot' };

test('who goes while Redis is away, and Redis has lost that they came', saved, async (t) => {
  const args = ['--lease-timeout', '1s', '--lease-interval', '200ms'];
  const { redis, nodes, stop } = await cluster({
    nodes: 2,
    args,
    redis: { config: { appendonly: 'no' } },
  });
  t.after(stop);
  const ann = await login(nodes[0], 'ann', { csId: '1' });
  const eve = await login(nodes[1], 'eve', { csId: '1' });
  await eve.close();
  await ann.next('user_offline', ofUser('eve'));
  await redis.cli('SAVE');
  const two = [await login(nodes[1], 'eve'), await login(nodes[1], 'eve')];
  await ann.next('user_online', ofUser('eve'));
  await redis.kill();
  for (const node of nodes) await node.untilNotReady();
  for (const client of two) await client.close();
  await redis.restart();
  for (const node of nodes) await node.untilReady();
  await until(async () => Object.keys(await scores(redis, 'sluice:nodes')).length === 2);
  await until(() => count(ann, 'user_offline', 'eve') === 2, { what: 'ann hears it' });
  await fence(redis, [ann]);
  assert.equal(count(ann, 'user_offline', 'eve'), 2);
  assert.equal(count(ann, 'user_offline', 'ann'), 0);
  assert.deepEqual(Object.keys(await scores(redis, 'sluice:online')), ['ann']);
});

const answered = { single: 'the way to its master is a proxy' };

test('who went is announced once, though the node had no answer', answered, async (t) => {
  const args = ['--lease-timeout', '3s', '--lease-interval', '200ms', '--presence-all'];
  const redis = await startRedis({ appendfsync: 'always' });
  const { proxy, node } = await nodeBehindProxy(redis, { args });
  const other = await startNode({ redis, args });
  t.after(async () => {
    for (const one of [node, other]) await one.stop();
    await proxy.close();
    await redis.stop();
  });
  const ann = await login(other, 'ann');
  const eve = [await login(node, 'eve'), await login(node, 'eve')];
  await ann.next('user_online', ofUser('eve'));
  const { incarnation } = await node.health();
  // Without rooms one script does it all, so that no answer is needed for it.
  proxy.hold({ link: 'commands' });
  for (const client of eve) client.terminate();
  await ann.next('user_offline', ofUser('eve'));
  await redis.kill();
  for (const one of [node, other]) await one.untilNotReady();
  await redis.restart();
  for (const one of [node, other]) await one.untilReady();
  await until(async () => !(incarnation in (await scores(redis, 'sluice:nodes'))));
  await fence(redis, [ann]);
  assert.equal(count(ann, 'user_offline', 'eve'), 1);
  assert.deepEqual(Object.keys(await scores(redis, 'sluice:online')), ['ann']);
});

const often = { single: 'a login needs several masters, and each is away every 70 ms' };

test('logins and goings while links are cut leave nobody behind', often, async (t) => {
  const args = ['--lease-timeout', '1s', '--lease-interval', '200ms'];
  const { redis, nodes, stop } = await cluster({ nodes: 2, args });
  t.after(stop);
  const begin = Date.now();
  const kill = (type) => redis.cli('CLIENT', 'KILL', 'TYPE', type);
  let going = true;
  const kills = (async () => {
    for (let i = 0; going; i++) {
      await kill(['normal', 'pubsub'][i % 2]);
      await new Promise((resolve) => setTimeout(resolve, 70));
    }
  })();
  const staying = new Set();
  const visit = async (n) => {
    const node = nodes[n % 2];
    const client = await connect(node);
    await until(
      () =>
        client.emit('login', { userId: `u${n}`, csId: '1' }).catch((error) => {
          if (error.code !== 'unavailable') throw error;
          return false;
        }),
      { timeout: 20000 },
    );
    if (n % 3 === 0) staying.add(`u${n}`);
    else if (n % 3 === 1) await client.close();
    else client.terminate();
  };
  for (let n = 0; n < 60; n += 6) await Promise.all([0, 1, 2, 3, 4, 5].map((k) => visit(n + k)));
  going = false;
  await kills;
  assert.ok(Date.now() - begin > 200);
  const wanted = [...staying].sort().join();
  await until(
    async () =>
      Object.keys(await scores(redis, 'sluice:online'))
        .sort()
        .join() === wanted,
    {
      timeout: 20000,
      what: `online are ${wanted}`,
    },
  );
  assert.equal((await keys(redis, 'sluice:{user:*}:conns')).length, staying.size);
  const here = await scores(redis, 'sluice:{room:room-1}:here');
  assert.equal(Object.keys(here).sort().join(), wanted);
  await until(async () => Object.keys(await scores(redis, 'sluice:nodes')).length === 2);
  assert.equal((await keys(redis, 'sluice:{node:*}:users')).length, 2);
});
