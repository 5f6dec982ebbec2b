// No script does much at once, since Redis does nothing else meanwhile: not for a user in very many
// rooms, not for a node that died, not for a user with very many connections, not for a big room.
import assert from 'node:assert/strict';
import { cluster, login, test, until } from '../lib/harness.mjs';
import { ofUser, range } from '../lib/frames.mjs';
import { count, fence, members, scores } from '../lib/registry.mjs';
import { watchScripts } from '../lib/scripts.mjs';

const MOST = 900; // commands: some 3 ms
const ROOMS = 400;
const FAST = ['--lease-interval', '200ms', '--lease-timeout', '1s', '--max-rooms', '1000'];
const args = [...FAST, '--max-connections-per-user', '0', '--rate-limit', '0'];

// Makes users members of rooms many-1, many-2, …, without the node's help.
const MEMBERSHIPS = `for u = 1, tonumber(ARGV[2]) do
  for i = 1, tonumber(ARGV[3]) do
    local user = ARGV[1] .. u
    redis.call('SADD', 'sluice:{user:' .. user .. '}:rooms', 'many-' .. i)
    redis.call('ZADD', 'sluice:{room:many-' .. i .. '}:members', redis.call('TIME')[1] .. '000', user)
  end
end`;
const belong = (redis, prefix, users, rooms) => redis.cli('EVAL', MEMBERSHIPS, 0, prefix, users, rooms);

// In how many of the rooms the user is among those that are here.
const HERE = `local n = 0
for i = 1, tonumber(ARGV[2]) do
  n = n + (redis.call('ZSCORE', 'sluice:{room:many-' .. i .. '}:here', ARGV[1]) and 1 or 0)
end
return n`;
const here = (redis, user) => redis.cli('EVAL', HERE, 0, user, ROOMS).then(Number);

async function bounded(watch, what) {
  const { calls, keys } = await watch.most();
  assert.ok(calls > 0 && calls <= MOST, `${what}: ${calls} commands in one script: ${keys}`);
}

test('a user in 400 rooms comes and goes in pieces, and is announced once', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 2, args });
  t.after(stop);
  await belong(redis, 'eve', 1, ROOMS);
  const watchers = [await login(nodes[0], 'ann'), await login(nodes[1], 'bob')];
  for (const watcher of watchers) {
    for (const i of [1, 200, ROOMS]) await watcher.emit('join', { room: `many-${i}` });
  }
  const watch = await watchScripts(redis);
  t.after(watch.stop);
  const roster = (ids) => async (watcher) => {
    for (const i of [1, 200, ROOMS]) {
      const last = () =>
        watcher.frames.findLast((f) => f.event === 'onlineUsers' && f.channel === `room:many-${i}`)?.data;
      await until(() => [...last()].sort().join() === ids, { what: `${ids} in many-${i}` });
    }
  };
  for (const round of [1, 2]) {
    const eve = await login(nodes[round % 2], 'eve1');
    for (const watcher of watchers) await watcher.next('user_online', ofUser('eve1'));
    await until(async () => (await here(redis, 'eve1')) === ROOMS, { what: 'here in all rooms' });
    await Promise.all(watchers.map(roster('ann,bob,eve1')));
    eve.terminate();
    for (const watcher of watchers) await watcher.next('user_offline', ofUser('eve1'));
    await until(async () => (await here(redis, 'eve1')) === 0, { what: 'here in no room' });
    await Promise.all(watchers.map(roster('ann,bob')));
    await fence(redis, watchers);
    for (const watcher of watchers) {
      assert.equal(count(watcher, 'user_online', 'eve1'), round);
      assert.equal(count(watcher, 'user_offline', 'eve1'), round);
    }
  }
  assert.equal(await redis.cli('EXISTS', 'sluice:turning', 'sluice:{user:eve1}:turning'), '0');
  await bounded(watch, 'login and close');
});

test('one who came and went at once is here nowhere in the end', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 2, args });
  t.after(stop);
  await belong(redis, 'eve', 1, ROOMS);
  for (const i of range(1, 6)) (await login(nodes[i % 2], 'eve1')).terminate();
  await until(async () => (await redis.cli('EXISTS', 'sluice:{user:eve1}:conns')) === '0');
  await until(async () => (await here(redis, 'eve1')) === 0, { what: 'here in no room' });
  const last = await login(nodes[0], 'eve1');
  await last.emit('leave', { room: 'many-7' });
  await until(async () => (await redis.cli('EXISTS', 'sluice:turning')) === '0');
  const allButOne = async () => (await here(redis, 'eve1')) === ROOMS - 1;
  await until(allButOne, { what: 'here in all rooms but the one that was left' });
});

test('a node that dies with users in many rooms is reaped in bites', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 2, args });
  t.after(stop);
  await belong(redis, 'u', 30, 60); // so few that none waits: each user's are turned at once
  const watcher = await login(nodes[1], 'watcher');
  await watcher.emit('join', { room: 'many-1' });
  await Promise.all(range(1, 30).map((i) => login(nodes[0], `u${i}`)));
  await until(async () => (await redis.cli('EXISTS', 'sluice:turning')) === '0');
  const watch = await watchScripts(redis);
  t.after(watch.stop);
  await nodes[0].kill();
  for (const i of range(1, 30)) await watcher.next('user_offline', { timeout: 20000, ...ofUser(`u${i}`) });
  for (const i of [1, 30, 60]) {
    const left = async () => Object.keys(await scores(redis, `sluice:{room:many-${i}}:here`)).filter((id) => id !== 'watcher');
    await until(async () => (await left()).length === 0, { what: `nobody is here in many-${i}` });
  }
  await fence(redis, [watcher]);
  for (const i of range(1, 30)) assert.equal(count(watcher, 'user_offline', `u${i}`), 1);
  await bounded(watch, 'reaping');
  nodes.shift();
});

test('the end of each of 300 connections of one user costs no more than that of one', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 2, args });
  t.after(stop);
  const all = [];
  for (const i of range(1, 300)) all.push(await login(nodes[i % 2], 'eve'));
  const watch = await watchScripts(redis);
  t.after(watch.stop);
  for (const client of all) client.terminate();
  await until(async () => (await redis.cli('EXISTS', 'sluice:{user:eve}:conns')) === '0', { timeout: 20000 });
  const looked = await watch.calls('hvals');
  assert.ok(looked < 60, `${looked} looks at all connections of the user`);
  const users = (await redis.cli('KEYS', 'sluice:{node:*:users')).split('\n').filter(Boolean);
  for (const key of users) assert.ok(!(await members(redis, key)).includes('eve'), key);
});

test('all_member and history of a big room are short, too', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 1, args });
  t.after(stop);
  await redis.cli('EVAL', `for i = 1, 1000 do
    redis.call('ZADD', 'sluice:{room:big}:members', redis.call('TIME')[1] .. '000', 'm' .. i)
    redis.call('HSET', 'sluice:{user:ann}:unread', 'm' .. i, 3)
  end`, 0);
  const ann = await login(nodes[0], 'ann');
  await ann.emit('join', { room: 'big' });
  await Promise.all(range(1, 100).map((message) => ann.emit('sendMessage', { room: 'big', message })));
  const watch = await watchScripts(redis);
  t.after(watch.stop);
  await ann.emit('all_member', { room: 'big' });
  await ann.emit('history', { room: 'big', limit: 100, marks: true });
  await bounded(watch, 'all_member and history');
});

const counting = { single: 'it counts what the scripts of one Redis call' };
test('what is in use is kept from expiring in pieces', counting, async (t) => {
  const short = ['--user-retention', '10s', '--room-retention', '10s', '--inbox-retention', '10s'];
  const { redis, nodes, stop } = await cluster({ nodes: 1, args: [...args, ...short] });
  t.after(stop);
  await belong(redis, 'few', 60, 4); // turned at once
  await belong(redis, 'many', 20, 60); // one after the other
  for (const i of range(1, 60)) await login(nodes[0], `few${i}`);
  for (const i of range(1, 20)) await login(nodes[0], `many${i}`);
  await until(async () => (await redis.cli('EXISTS', 'sluice:turning')) === '0');
  const watch = await watchScripts(redis);
  t.after(watch.stop);
  const before = await watch.calls('sunionstore'); // the rooms of a user that is touched
  await until(async () => (await watch.calls('sunionstore')) - before >= 80, { what: 'all are touched' });
  await until(async () => (await redis.cli('EXISTS', 'sluice:turning')) === '0');
  await bounded(watch, 'keys in use');
});
