// The network to Redis is cut for some seconds, and the last commands of a connection that the node
// gave up arrive after those of the next one: they undo nothing.
import assert from 'node:assert/strict';
import { isManaged, login, only, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { nodeBehindProxy } from '../lib/proxy.mjs';
import { connections, members, scores } from '../lib/registry.mjs';

only('single', 'it compares the incarnations of one Redis');

const args = ['--redis-timeout', '2s', '--lease-interval', '200ms', '--lease-timeout', '3s'];
args.push('--drain', '0', '--heartbeat-timeout', '1s');

for (const [what, aclUser] of [
  ['are ended before the node is up again', undefined],
  [
    'cannot be ended, and what they bring is refused',
    { name: 'sluice', password: 'secret', rules: '~* &* +@all -client|kill' },
  ],
]) {
  test(`old connections ${what}`, { timeout: 60000 }, async (t) => {
    const redis = await startRedis({ aclUser });
    const { proxy, node } = await nodeBehindProxy(redis, { args });
    const other = await startNode({ redis, args: args.slice(0, -2) });
    t.after(async () => {
      for (const one of [node, other]) await one.stop();
      await proxy.close();
      await redis.stop();
    });
    const incarnation = async () => (await node.health()).incarnation;

    const eve = await login(node, 'eve');
    await eve.emit('join', { room: 'r' });
    const bob = await login(node, 'bob');
    await bob.emit('heartbeat');
    const cat = await login(node, 'cat');
    const cat2 = await login(other, 'cat');
    for (const one of [cat, cat2]) await one.emit('join', { room: 'left' });
    const first = await incarnation();

    const belongsTo = async (user) =>
      (await connections(redis, user)).map(({ incarnation: its }) => its);

    // Held on the way: eve goes silent (offline), bob beats again (online), cat leaves a room.
    await until(async () => (await belongsTo('bob')).length === 0);
    await eve.emit('heartbeat');
    await until(async () => (await belongsTo('eve')).length === 1);
    const deliver = proxy.keep({ link: 'commands' });
    const late = Promise.allSettled([
      bob.emit('heartbeat'),
      cat.emit('leave', { room: 'left' }),
    ]);
    // The links fall, and are back at once.
    await until(async () => (await incarnation()) !== first, { timeout: 20000 });
    assert.equal((await late)[1].reason?.code, 'unavailable');
    await node.untilReady({ timeout: 20000 });

    // All of them act again, over the new connection.
    await until(() => eve.emit('heartbeat').catch(() => false));
    await until(() => cat.emit('join', { room: 'left' }).catch(() => false));
    const second = await incarnation();
    const beats = setInterval(() => {
      for (const one of [eve, bob]) one.emit('heartbeat').catch(() => {});
    }, 200);
    t.after(() => clearInterval(beats));
    await until(async () => (await belongsTo('eve')).join() === second);
    await until(async () => (await belongsTo('bob')).join() === second);

    await deliver();
    const stands = async () => {
      assert.deepEqual(await belongsTo('eve'), [second]);
      assert.deepEqual(await belongsTo('bob'), [second]);
      assert.deepEqual(Object.keys(await scores(redis, 'sluice:online')).sort(), ['bob', 'cat', 'eve']);
      assert.deepEqual(await members(redis, 'sluice:{user:cat}:rooms'), ['left']);
    };
    await until(() => stands().then(() => true)); // a beat may be late: back at the next one
    // The former incarnation is gone with whatever bore its name.
    await until(async () => !(first in (await scores(redis, 'sluice:nodes'))), { timeout: 20000 });
    await until(() => stands().then(() => true));
    const ids = (await redis.cli('CLIENT', 'LIST')).match(/name=sluice-\S+/g);
    assert.equal(ids.length, 4, 'two connections a node');
    const warned = /redis_client_kill/.test(node.log());
    // The ids of connections mean nothing if the server may be another one.
    assert.equal(warned, aclUser !== undefined && !isManaged());
  });
}
