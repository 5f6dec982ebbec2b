// `sluice migrate`: the data of one Redis move to a Cluster, and chats go on there.
import assert from 'node:assert/strict';
import { startCluster } from '../lib/cluster.mjs';
import { range } from '../lib/frames.mjs';
import { login, only, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';

only('single', 'it starts both kinds of Redis itself');

const TIMEOUT = 120000;
const run = (from, to, ...more) =>
  runProgram(['migrate', '--from', from.url, '--to', to.url, ...more], { timeout: TIMEOUT });

async function moved(from, to, ...more) {
  const { code, out, err } = await run(from, to, ...more);
  assert.equal(code, 0, err);
  return { out, err };
}

async function refused(why, from, to, ...more) {
  const { code, out, err } = await run(from, to, ...more);
  assert.deepEqual([code, out], [1, ''], err);
  assert.match(err, why);
}

const count = (out, kind, part) =>
  Number(out.match(new RegExp(`^${kind} +${part} +(\\d+)$`, 'm'))?.[1] ?? 0);

const USERS = range(1, 6).map((i) => `u${i}`);
const PAIRS = USERS.flatMap((a) => USERS.filter((b) => b !== a).map((b) => [a, b]));
const privately = (a, b, n) => ({ receiverId: b, content: `${a} ${b} ${n} é`, clientMessageId: `${b}-${n}` });
const publicly = (a, n) => ({ room: 'lobby', message: `${a} ${n} "\\`, clientMessageId: `lobby-${n}` });

async function everybody(nodes, resume = {}) {
  const all = {};
  for (const [i, user] of USERS.entries()) {
    all[user] = await login(nodes[i % nodes.length], user, resume[user] ? { resume: resume[user] } : {});
  }
  return all;
}

// What each user can read: histories with marks, and how much is unread.
async function views(all) {
  const seen = {};
  for (const [a, b] of PAIRS) {
    seen[`${a} ${b}`] = await all[a].emit('history', { peer: b, marks: true });
  }
  for (const user of USERS) {
    seen[`${user} lobby`] = await all[user].emit('history', { room: 'lobby', marks: true });
    const members = await all[user].emit('all_member', { room: 'lobby' });
    const counts = members.map((one) => `${one.id} ${one.username} ${one.message_count}`);
    seen[`${user} members`] = counts.sort();
  }
  return seen;
}

async function chat(node) {
  const all = await everybody([node]);
  for (const user of USERS) await all[user].emit('join', { room: 'lobby' });
  const acks = {};
  const say = async (n) => {
    for (const [a, b] of PAIRS) {
      acks[`${a} ${b} ${n}`] = await all[a].emit('private_message', privately(a, b, n));
    }
    for (const a of USERS) acks[`${a} ${n}`] = await all[a].emit('sendMessage', publicly(a, n));
  };
  await say(1);
  for (const [i, [a, b]] of PAIRS.entries()) {
    if (i % 2) await all[a].emit('read', { peer: b, seq: 1 });
  }
  await all.u1.emit('read', { room: 'lobby', seq: 3 });
  const late = (frame) => frame.event === 'new_private_message' && frame.data.content === 'u5 u6 1 é';
  await until(() => all.u6.frames.some(late));
  const away = structuredClone(all.u6.positions);
  await all.u6.close();
  all.u6 = { emit: (...args) => all.again.emit(...args) };
  all.again = await login(node, 'u6');
  await all.again.emit('join', { room: 'lobby' });
  await say(2);
  const seen = await views(all);
  const positions = Object.fromEntries(USERS.slice(0, 5).map((user) => [user, structuredClone(all[user].positions)]));
  for (const client of [...USERS.slice(0, 5).map((user) => all[user]), all.again]) await client.close();
  return { acks, seen, positions: { ...positions, u6: away } };
}

test('a chat goes on in a Cluster as if nothing had been', { timeout: TIMEOUT }, async (t) => {
  const redis = await startRedis();
  const cluster = await startCluster({ replicas: 0 });
  const old = await startNode({ redis });
  t.after(async () => {
    await redis.stop();
    await cluster.stop();
  });
  const before = await chat(old);
  await refused(/the source: a node runs on it, n\d+\./, redis, cluster);
  assert.equal(await cluster.cli('EXISTS', 'sluice:partitions'), '0', 'nothing was begun');
  const exited = old.exited;
  await old.stop();
  assert.equal((await exited).code, 0);
  const clock = await redis.cli('GET', 'sluice:clock');
  const { out } = await moved(redis, cluster);
  assert.equal(count(out, 'dm', 'messages'), 60);
  assert.equal(count(out, 'room', 'messages'), 12);
  assert.equal(await redis.cli('GET', 'sluice:clock'), clock, 'the source stays as it is');
  for (const tag of cluster.tags) {
    const [time] = (await cluster.cli('GET', `sluice:{${tag}}clock`)).split(' ');
    assert.equal(time, clock.split(' ')[0]);
  }
  const log = cluster.key('room:lobby', 'log');
  const [lives, lived] = [await cluster.cli('PTTL', log), await redis.cli('PTTL', 'sluice:{room:lobby}:log')];
  assert.ok(Math.abs(lives - lived) < 120000, `${lives} is like ${lived}`);

  const nodes = [await startNode({ redis: cluster.url }), await startNode({ redis: cluster.url })];
  t.after(() => Promise.all(nodes.map((node) => node.stop())));
  const all = await everybody(nodes, before.positions);
  for (const user of USERS) assert.equal(all[user].ack.recovered, true, `${user} is recovered`);
  const missed = () => all.u6.frames.filter(({ event }) => event === 'new_private_message' || event === 'chatMessage');
  const own = ({ data }) => data.content?.endsWith(' 2 é') || data.message?.includes(' 2 ');
  await until(() => missed().filter(own).length === 16, { what: 'u6 has what it missed' });
  assert.equal(missed().length, 16, 'and nothing twice');
  assert.deepEqual(await views(all), before.seen);

  // What was said is known: a repeat gets the same answer, and nobody gets it again.
  for (const [a, b] of PAIRS) {
    for (const n of [1, 2]) {
      const { seq, timestamp } = await all[a].emit('private_message', privately(a, b, n));
      const first = before.acks[`${a} ${b} ${n}`];
      assert.deepEqual([seq, timestamp], [first.seq, first.timestamp], `${a} ${b} ${n}`);
    }
  }
  for (const a of USERS) {
    const { seq } = await all[a].emit('sendMessage', publicly(a, 2));
    assert.equal(seq, before.acks[`${a} 2`].seq);
  }
  assert.deepEqual(await views(all), before.seen);

  // Seqs and times go on, unread rises and falls.
  for (const [a, b] of PAIRS) {
    const { seq, timestamp } = await all[a].emit('private_message', privately(a, b, 3));
    const last = before.acks[`${a} ${b} 2`];
    assert.ok(seq > last.seq && timestamp >= last.timestamp);
  }
  const { seq } = await all.u1.emit('sendMessage', publicly('u1', 3));
  assert.equal(seq, 13);
  const unread = (seen, a, b) => Number(seen[`${a} members`].find((one) => one.startsWith(`${b} `)).split(' ')[2]);
  const now = await views(all);
  for (const [a, b] of PAIRS) assert.equal(unread(now, a, b), unread(before.seen, a, b) + 1, `${a} of ${b}`);
  for (const [a, b] of PAIRS) await all[a].emit('read', { peer: b, seq: 6 });
  const read = await views(all);
  for (const [a, b] of PAIRS) assert.equal(unread(read, a, b), 0, `${a} of ${b}`);
  await Promise.all(USERS.map((user) => all[user].close()));
});

// Logs as nodes write them, so many that a move takes its time.
const FILL = `for i = ARGV[1], ARGV[2] do
  local base = 'sluice:{room:r' .. i .. '}'
  redis.call('HSET', base .. ':meta', 'epoch', 'e' .. i, 'seq', 2, 'term', '1', 'read', 'e' .. i)
  for n = 1, 2 do redis.call('XADD', base .. ':log', n .. '-0', 'frame', string.rep('x', 500)) end
  redis.call('PEXPIRE', base .. ':log', 600000)
end`;
const ROOMS = 10000;

async function filled(t) {
  const redis = await startRedis();
  t.after(redis.stop);
  for (let i = 1; i <= ROOMS; i += 1000) await redis.cli('EVAL', FILL, '0', i, i + 999);
  await redis.cli('SET', 'sluice:clock', '1795889753032693 1795889753032693 +000000000000000 1795889751');
  return redis;
}

const sizeOf = async (cluster) => {
  const sizes = await Promise.all((await cluster.masters()).map((one) => cluster.on(one, 'DBSIZE')));
  return sizes.reduce((sum, one) => sum + Number(one), 0);
};

// Runs it, and kills it as soon as some of the data are there.
async function killed(redis, cluster) {
  const before = await sizeOf(cluster);
  const arrived = until(async () => (await sizeOf(cluster)) >= before + 2000, { timeout: 60000, every: 1 });
  const args = ['migrate', '--from', redis.url, '--to', cluster.url];
  const { late, out } = await runProgram(args, { timeout: TIMEOUT, over: arrived });
  assert.deepEqual([late, out], [true, ''], 'it was killed in the middle');
}

test('a move that was killed goes on, and begins again if the source has changed', { timeout: TIMEOUT }, async (t) => {
  const redis = await filled(t);
  const cluster = await startCluster({ replicas: 0 });
  t.after(() => cluster.stop());
  await killed(redis, cluster);
  const note = `sluice:{${cluster.tags[0]}}migration`;
  assert.notEqual(await cluster.cli('HGET', note, 'cursor'), '0');

  // Nobody starts on what is there so far, and nobody else moves there.
  const node = await runProgram(['--redis-url', cluster.url, '--listen', '127.0.0.1:0']);
  assert.deepEqual([node.code, node.late], [1, false]);
  assert.match(node.all, /unfinished-move/);
  const other = await startRedis();
  t.after(other.stop);
  await refused(/unfinished move from 127/, other, cluster);

  const { out, err } = await moved(redis, cluster);
  assert.match(err, /goes on/);
  assert.deepEqual([count(out, 'room', 'log'), count(out, 'room', 'messages')], [ROOMS, 2 * ROOMS]);
  assert.equal(await cluster.cli('EXISTS', note), '0');
  assert.equal(await cluster.cli('GET', 'sluice:partitions'), '16');
  await refused(/the target has data with the prefix sluice: already/, redis, cluster);

  for (const one of await cluster.masters()) await cluster.on(one, 'FLUSHALL');
  await killed(redis, cluster);
  await redis.cli('DEL', 'sluice:{room:r7}:log', 'sluice:{room:r7}:meta');
  await redis.cli('SET', 'sluice:clock', '1795889753032999 1795889753032999 +000000000000000 1795889751');
  const again = await moved(redis, cluster);
  assert.match(again.err, /begins again/);
  assert.equal(count(again.out, 'room', 'log'), ROOMS - 1);
  assert.equal(await cluster.cli('EXISTS', cluster.key('room:r7', 'log')), '0');
});

test('what is not like the other is told, and nothing is done', { timeout: TIMEOUT }, async (t) => {
  const redis = await startRedis();
  t.after(redis.stop);
  const cluster = await startCluster({ replicas: 0 });
  t.after(() => cluster.stop());
  const node = await startNode({ redis: cluster.url });
  await refused(/the target: a node runs on it/, redis, cluster);
  await node.kill();
  await refused(/the target: a node runs on it/, redis, cluster, '--lease-timeout', '10m');
  await refused(/use 16 partitions, and redis-partitions says 32/, redis, cluster, '--redis-partitions', '32');
  await refused(/the source: .*in cluster mode/, { url: cluster.url.replace('redis+cluster', 'redis').split(',')[0] }, cluster);
  for (const args of [
    [],
    ['--from', redis.url],
    ['--to', redis.url],
    ['--from', redis.url, '--to', 'http://x'],
    ['--from', cluster.url, '--to', redis.url],
    ['--from', redis.url, '--to', cluster.url, '--nonsense'],
    ['--from', redis.url, '--to', cluster.url, '--redis-partitions', '20'],
  ]) {
    const { code, out, err } = await runProgram(['migrate', ...args]);
    assert.deepEqual([code, out], [2, ''], args.join(' '));
    assert.match(err, /^sluice: .+\n$/);
  }
  assert.equal((await runProgram(['migrate', '--help'])).code, 0);
});

// What deploy/OPERATIONS.md gives to nodes.
const RIGHTS = `-@all +ping +select +client|setname +client|id +client|kill +wait +info +subscribe
  +unsubscribe +publish +eval +evalsha +time +@stream +@sortedset +@hash +@set +get +set +setrange
  +pexpire +exists +del`.replace(/\s+/g, ' ');

test('to another prefix on another Redis, and a dry run that only counts', { timeout: TIMEOUT }, async (t) => {
  const user = (more) => ({ name: 'sluice', password: 'secret', rules: `~* &* ${RIGHTS} ${more}` });
  const redis = await startRedis({ aclUser: user('+scan +dump +pttl +keys +shutdown') });
  const target = await startRedis({ aclUser: user('+scan +restore +unlink +keys +shutdown') });
  t.after(() => Promise.all([redis.stop(), target.stop()]));
  const old = await startNode({ redis });
  const ann = await login(old, 'ann');
  await ann.emit('join', { room: 'lobby' });
  await ann.emit('sendMessage', { room: 'lobby', message: 'hi' });
  const dry = await runProgram(['migrate', '--dry-run'], { env: { SLUICE_MIGRATE_FROM: redis.url } });
  assert.equal(dry.code, 0, dry.err);
  assert.equal(count(dry.out, 'room', 'messages'), 1);
  await ann.close();
  await old.stop();
  await moved(redis, target, '--to-prefix', 'chat[1]:');
  const names = (await target.cli('KEYS', '*')).split('\n');
  assert.ok(names.every((name) => name.startsWith('chat[1]:')), `${names}`);
  const fresh = await startNode({ redis: target, args: ['--prefix', 'chat[1]:'] });
  t.after(() => fresh.stop());
  const again = await login(fresh, 'ann', { resume: ann.positions });
  assert.equal(again.ack.recovered, true);
  const { messages } = await again.emit('history', { room: 'lobby' });
  assert.deepEqual(messages.map(({ message }) => message), ['hi']);
  await again.close();
});
