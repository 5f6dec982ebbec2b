// redis-wait: what was acknowledged is in a replica by then, and what is not yet is unknown.
import assert from 'node:assert/strict';
import { range } from '../lib/frames.mjs';
import { cluster, inRoom, login, only, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';
import { readAlong, startProxy } from '../lib/proxy.mjs';
import { metric } from '../lib/registry.mjs';
import { startReplica } from '../lib/servers.mjs';

only('single', 'it has a replica of its own');

const WAIT = 1500;
const unknown = { code: 'unavailable', outcome: 'unknown' };
const length = async (redis, channel) => Number(await redis.cli('XLEN', `sluice:{${channel}}:log`));
const roomLength = (redis) => length(redis, 'room:r');

// Two nodes, and a master with one replica that they wait for.
async function scene(t, wait) {
  const redis = await startRedis();
  const replica = await startReplica(redis);
  await until(async () => /master_link_status:up/.test(await replica.cli('INFO', 'replication')));
  const { nodes, stop } = await cluster({ nodes: 2, redis, args: ['--redis-wait', wait] });
  t.after(async () => {
    replica.resume();
    await stop();
    for (const one of [redis, replica]) await one.stop();
  });
  const [ann, bob] = await inRoom(nodes, 'r', 'ann', 'bob');
  return { redis, replica, nodes, ann, bob };
}

test('an ack comes when the replica has the message, of any kind', async (t) => {
  const { replica, ann, bob } = await scene(t, '1:2000');
  for (const n of range(1, 20)) {
    const { seq } = await ann.emit('sendMessage', { room: 'r', message: n });
    assert.equal(seq, n);
    assert.equal(await roomLength(replica), n);
  }
  await ann.emit('private_message', { receiverId: 'bob', content: 'x' });
  assert.equal(await length(replica, 'user:bob'), 1);
  await bob.emit('subscribe', { channel: 'topic:t' });
  await ann.emit('publish', { channel: 'topic:t', data: 1 });
  assert.equal(await length(replica, 'topic:t'), 1);
  // Many at once, from both ends: each has its own answer, in order.
  const sends = [ann, bob].map((one) => range(1, 100).map((n) => one.emit('sendMessage', { room: 'r', message: n })));
  for (const sent of sends) {
    const seqs = (await Promise.all(sent)).map(({ seq }) => seq);
    assert.deepEqual(seqs, [...seqs].sort((a, b) => a - b));
  }
  assert.equal(await roomLength(replica), 220);
});

test('a replica that stands still: unknown, for the repeat as well, and then once', async (t) => {
  const { redis, replica, nodes, ann, bob } = await scene(t, `1:${WAIT}`);
  replica.pause();
  const message = { room: 'r', message: 'late', clientMessageId: 'm1' };
  await assert.rejects(ann.emit('sendMessage', message), unknown);
  assert.equal(await roomLength(redis), 1);
  assert.equal((await bob.next('chatMessage')).data.message, 'late');
  await assert.rejects(ann.emit('sendMessage', message), unknown);
  // Another node, whose own connection has written nothing.
  const again = await login(nodes[1], 'ann');
  await assert.rejects(again.emit('sendMessage', message), unknown);
  await assert.rejects(bob.emit('private_message', { receiverId: 'ann', content: 'x' }), unknown);
  // Other events do not wait for a replica.
  let over = false;
  const slow = bob.emit('sendMessage', { room: 'r', message: 'slow' });
  slow.catch(() => (over = true));
  await ann.emit('typing', { room: 'r' });
  await until(async () => (await ann.emit('history', { room: 'r' })).messages.length === 2);
  assert.ok(!over);
  await assert.rejects(slow, unknown);
  replica.resume();
  const { seq } = await until(() => again.emit('sendMessage', message).catch(() => false));
  assert.equal(seq, 1);
  assert.equal(await roomLength(replica), 2);
  await until(() => ann.emit('sendMessage', { room: 'r', message: 'next' }).catch(() => false));
  const log = nodes[0].log();
  assert.equal(log.match(/event=redis_replicas_short /g).length, 1);
  assert.match(log, /event=redis_replicas_short .*replicas=0 needed=1 ms=1500 /);
  assert.match(log, /event=redis_replicas_enough /);
  assert.ok((await metric(nodes[0], 'sluice_redis_waits_short_total')) >= 2);
});

// Redis 7.0 takes any command for a write. Later versions and Valkey do not: on a link that only
// reads, WAIT is answered at once by whatever number of replicas there is.
test('a write goes before each WAIT', async (t) => {
  const redis = await startRedis();
  const replica = await startReplica(redis);
  const asked = [];
  const hear = (data) => data.includes('\r\nWAIT\r\n') && asked.push(data.toString());
  const proxy = await startProxy(redis, readAlong(hear));
  const node = await startNode({ redis: proxy.url, args: ['--redis-wait', '1:2000'] });
  t.after(async () => {
    await node.stop();
    proxy.close();
    for (const one of [redis, replica]) await one.stop();
  });
  const ann = await login(node, 'ann');
  await ann.emit('join', { room: 'r' });
  for (const n of range(1, 5)) {
    const sent = () => ann.emit('sendMessage', { room: 'r', message: n }).catch(() => false);
    await until(sent, { what: 'the replica is there' });
  }
  assert.ok(asked.length >= 5);
  for (const text of asked) {
    const [, key] = /^\*3\r\n\$7\r\nPEXPIRE\r\n\$\d+\r\n(\S+)\r\n\$\d+\r\n\d+\r\n\*3/.exec(text);
    assert.ok(Number(await redis.cli('PTTL', key)) > 0, key);
  }
});

test('more replicas than there are: nothing is acknowledged, and all is unknown', async (t) => {
  const { redis, ann } = await scene(t, '2:100');
  const sends = range(1, 10).map((n) => ann.emit('sendMessage', { room: 'r', message: n }));
  for (const sent of await Promise.allSettled(sends)) {
    assert.equal(sent.reason.code, 'unavailable');
    assert.ok(['unknown', 'refused'].includes(sent.reason.outcome));
  }
  assert.ok((await roomLength(redis)) >= 1);
});

test('Redis ends while a message waits for its replica: unknown', async (t) => {
  const { redis, replica, ann } = await scene(t, '1:60000');
  replica.pause();
  const sent = ann.emit('sendMessage', { room: 'r', message: 'x' });
  sent.catch(() => {});
  await until(async () => (await roomLength(redis)) === 1);
  await redis.kill();
  await assert.rejects(sent, unknown);
});

test('what is no number of replicas and no time is refused', async () => {
  const wrong = ['1', '0:100', '1:0', '1:60001', '101:100', 'all:0', 'all', 'some:100', '1:100ms', '-1:100', '1:1:1'];
  const ask = (text) => runProgram(['--listen', '127.0.0.1:0', '--redis-wait', text]);
  for (const { code, err } of await Promise.all(wrong.map(ask))) {
    assert.equal(code, 1);
    assert.match(err, /redis-wait is "[^"]*": must be N:MS/);
  }
  assert.match((await ask('all:100')).err, /redis-wait is "all:100": all needs Sentinels/);
});
