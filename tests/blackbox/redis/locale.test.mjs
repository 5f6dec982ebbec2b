// The log of two users has their ids in bytewise order. Redis's Lua compares by the locale in which
// Redis was started, and in most of them `a` comes before `B`.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { login, startNode, startRedis, test } from '../lib/harness.mjs';
import { startCluster } from '../lib/cluster.mjs';
import { tempDir } from '../lib/processes.mjs';

const LOCALE = 'en_US.UTF-8';
const dir = tempDir('locale');
const made = spawnSync('localedef', ['-f', 'UTF-8', '-i', 'en_US', `${dir}/${LOCALE}`]);
const skip = made.status === 0 ? false : 'localedef makes no locale here';
const redis = { env: { ...process.env, LOCPATH: dir, LC_ALL: LOCALE } };

async function judge(server, url) {
  const [compared] = await server.ask(['EVAL', "return tostring('B' < 'a')", 0]);
  assert.equal(compared, 'false', 'Redis compares by this locale');
  const node = await startNode({ redis: url });
  const [low, high] = [await login(node, 'B'), await login(node, 'a')];
  for (const client of [low, high]) await client.emit('join', { room: 'r' });
  const send = (from, to) => from.emit('private_message', { receiverId: to.user, content: '' });
  const unread = async (reader, writer) => {
    const list = await reader.emit('all_member', { room: 'r' });
    return list.find(({ id }) => id === writer.user).message_count;
  };
  await send(low, high);
  for (let i = 0; i < 3; i++) await send(high, low);
  assert.deepEqual([await unread(high, low), await unread(low, high)], [1, 3]);
  await low.emit('read', { peer: 'a', seq: 2 });
  assert.equal(await unread(low, high), 2);
  await high.emit('read', { peer: 'B', seq: 1 });
  assert.equal(await unread(high, low), 0);
  await send(low, high);
  assert.equal(await unread(high, low), 1);
}

test('one Redis', { skip }, async () => {
  const server = await startRedis(redis);
  await judge(server, server);
});

test('a Cluster', { skip }, async () => {
  const cluster = await startCluster({ masters: 3, replicas: 0, redis });
  await judge(cluster.servers[0], cluster.url);
});
