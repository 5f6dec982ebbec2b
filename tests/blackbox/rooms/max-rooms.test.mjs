// --max-rooms: how many rooms a user may belong to, in the whole cluster, by whatever way they are entered.
import assert from 'node:assert/strict';
import { cluster, connect, login, test, until } from '../lib/harness.mjs';
import { ofUser, range, refused } from '../lib/frames.mjs';
import { count, fence, hash, keys, members, publish } from '../lib/registry.mjs';
import { comeBack, guest } from '../lib/recovery.mjs';
import { emit } from '../lib/socketio.mjs';

const MOST = 5;
const { redis, nodes } = await cluster({ nodes: 2, args: ['--max-rooms', String(MOST)] });
const rooms = (user) => members(redis, `sluice:{user:${user}}:rooms`);

// A user on both nodes, with as many rooms as there may be.
async function full(user) {
  const here = await login(nodes[0], user);
  const there = await login(nodes[1], user);
  for (const i of range(1, MOST)) {
    await (i % 2 ? here : there).emit('join', { room: `${user}-${i}` });
  }
  return { here, there };
}

test('join: on any node, until one is left', async () => {
  const { here, there } = await full('ann');
  const own = await rooms('ann');
  for (const client of [here, there]) {
    await refused(client.emit('join', { room: 'one-more' }), 'too_many', 'room');
    await refused(client.emit('login', { userId: 'ann', csId: 'more' }), 'too_many', 'csId');
    await client.emit('join', { room: 'ann-1' }); // is theirs already
    assert.equal((await client.emit('login', { userId: 'ann' })).userId, 'ann');
  }
  assert.deepEqual(await rooms('ann'), own);
  await there.emit('leave', { room: 'ann-1' });
  await here.emit('join', { room: 'one-more' });
  await refused(there.emit('join', { room: 'ann-1' }), 'too_many', 'room');
  const third = await connect(nodes[0]);
  await refused(third.emit('join', { id: 'ann', room: 'ann-1' }), 'too_many', 'room');
  await third.emit('join', { id: 'ann', room: 'ann-2' });
});

test('login: one that is refused logs nobody in and leaves nothing behind', async () => {
  const watcher = await login(nodes[1], 'watcher');
  const { here, there } = await full('bob');
  for (const i of range(1, 2)) await watcher.emit('join', { room: `bob-${i}` });
  const own = await rooms('bob');
  await Promise.all([here.close(), there.close()]);
  await until(async () => count(watcher, 'user_offline', 'bob') === 1);
  const everything = async () => (await keys(redis)).filter((key) => /\{(user|room|dm)/.test(key));
  // On a Cluster the rooms hear of it after that.
  await until(async () => !(await everything()).some((key) => key.endsWith(':pending')));
  const before = await everything();
  const profile = await hash(redis, 'sluice:{user:bob}:profile');

  const resume = { 'room:bob-1': { epoch: 'x', seq: 1 }, 'room:another': { epoch: 'x', seq: 1 } };
  const some = Object.fromEntries(range(1, MOST + 1).map((i) => [`room:r${i}`, { epoch: 'x', seq: 1 }]));
  for (const node of nodes) {
    const client = await connect(node);
    await refused(client.emit('login', { userId: 'bob', csId: 'more' }), 'too_many', 'csId');
    await refused(client.emit('login', { userId: 'bob', resume }), 'too_many', 'resume');
    await refused(client.emit('join', { id: 'bob', room: 'more' }), 'too_many', 'room');
    await refused(client.emit('login', { userId: 'new', resume: some }), 'too_many', 'resume');
    await refused(client.emit('sendMessage', { room: 'bob-1', message: 'x' }), 'not_logged_in');
    await publish(redis, 'sluice:{user:bob}', 'x');
    await client.none('message');
    await refused(client.emit('history', { room: 'bob-1' }), 'not_logged_in');
  }
  await fence(redis, [watcher]);
  assert.deepEqual(await everything(), before);
  assert.deepEqual(await hash(redis, 'sluice:{user:bob}:profile'), profile);
  assert.deepEqual(await rooms('bob'), own);
  assert.equal(count(watcher, 'user_online', 'bob'), 0);
  assert.equal(count(watcher, 'user_offline', 'bob'), 1);

  // The same connection may log in with what is theirs.
  const client = await connect(nodes[0]);
  await refused(client.emit('login', { userId: 'bob', csId: 'more' }), 'too_many', 'csId');
  const good = { 'room:bob-1': { epoch: 'x', seq: 1 } };
  assert.equal((await client.emit('login', { userId: 'bob', resume: good })).userId, 'bob');
  await watcher.next('user_online', ofUser('bob'));
});

test('Socket.IO: told by the callback, and the socket goes on', async (t) => {
  const { here } = await full('cat');
  const socket = await guest(t, nodes[1], null);
  const { error } = await emit(socket, 'login', { userId: 'cat', csId: 1 }).catch((e) => ({ error: e }));
  assert.equal(error.code, 'too_many');
  assert.equal((await emit(socket, 'login', { userId: 'cat' })).userId, 'cat');
  assert.equal((await rooms('cat')).length, MOST);

  // Recovered into its rooms, and not into one that was left for another.
  for (const i of range(1, MOST)) await emit(socket, 'join', { room: `cat-${i}` });
  await comeBack(socket, nodes[0], {
    async meanwhile() {
      await here.emit('leave', { room: 'cat-1' });
      await here.emit('join', { room: 'cat-new' });
    },
  });
  const { resume } = await emit(socket, 'login', { userId: 'cat' });
  const names = range(2, MOST).map((i) => `room:cat-${i}`);
  assert.deepEqual(Object.keys(resume).sort(), [...names, 'user:cat']);
  assert.equal((await rooms('cat')).length, MOST);
  await here.close();
});
