// Families of /metrics that move with Redis; histograms; the process.
import assert from 'node:assert/strict';
import { cluster, connect, inRoom, login, startNode, test, until } from '../lib/harness.mjs';
import { refused } from '../lib/frames.mjs';
import { hash, metricChanges, metrics } from '../lib/registry.mjs';

const args = ['--channels', 'events,chat:rw', '--lease-timeout', '1s', '--lease-interval', '200ms'];
const { redis, nodes } = await cluster({ nodes: 2, args });
const [node] = nodes;

const changes = (act, where = node) => metricChanges(where, act);

// Awaits that a family has risen so far since `before`.
const risen = (before, by, name, labels, where = node) =>
  until(async () => (await metrics(where))(name, labels) - before(name, labels) >= by, {
    what: `${name} ${JSON.stringify(labels)} rises by ${by}`,
  });

test('heals, holes, reads of the log', async () => {
  const [ann, bob] = await inRoom([node, nodes[1]], 'h', 'ann', 'bob');
  await bob.emit('sendMessage', { room: 'h', message: 1 });
  await ann.next('chatMessage');
  const base = 'sluice:{room:h}';
  const { epoch } = await hash(redis, `${base}:meta`);
  const frame = (seq) =>
    `{"channel":"room:h","epoch":"${epoch}","seq":${seq},"time":${Date.now()}000,` +
    `"event":"chatMessage","data":{"message":${seq}}}`;
  const healed = await changes(async () => {
    await redis.cli('XADD', `${base}:log`, '2-0', 'frame', frame(2)); // nobody rings
    await redis.cli('HSET', `${base}:meta`, 'seq', 2);
    await bob.emit('sendMessage', { room: 'h', message: 3 });
    await ann.next('chatMessage', { match: ({ seq }) => seq === 3 });
  });
  assert.ok(healed('sluice_heals_total') >= 1);
  assert.ok(healed('sluice_healed_messages_total') >= 1);
  assert.equal(healed('sluice_channel_resets_total'), 0);

  const lost = await changes(async () => {
    await redis.cli('HSET', `${base}:meta`, 'seq', 5); // 4 and 5 never were in the log
    await bob.emit('sendMessage', { room: 'h', message: 6 });
    await ann.next('channel_reset');
  });
  assert.equal(lost('sluice_channel_resets_total'), 1);

  const read = await changes(async () => {
    const many = Array.from({ length: 20 }, (_, i) => login(node, `h${i}`));
    const comers = await Promise.all(many);
    const before = await metrics(node);
    redis.pause(); // so that all ask while the first one's page is on its way
    const joined = comers.map((client) => client.emit('join', { room: 'h' }));
    await risen(before, 20, 'sluice_events_total', { event: 'join' });
    redis.resume();
    await Promise.all(joined);
    await Promise.all(comers.map((client) => client.close()));
  });
  const asked = read('sluice_log_reads_total') + read('sluice_log_reads_shared_total');
  assert.equal(asked, 40); // each looks at its inbox's log and the room's
  assert.ok(read('sluice_log_reads_shared_total') >= 15);
  await ann.close();
  await bob.close();
});

test('users reaped for a dead node', async () => {
  const dying = await startNode({ redis, args });
  const users = Array.from({ length: 7 }, (_, i) => login(dying, `r${i}`));
  await Promise.all(users);
  const before = await Promise.all(nodes.map(metrics));
  await dying.kill();
  await until(
    async () => {
      const now = await Promise.all(nodes.map(metrics));
      const name = 'sluice_reaped_users_total';
      return now[0](name) + now[1](name) === before[0](name) + before[1](name) + 7;
    },
    { timeout: 20000 },
  );
});

test('Redis: errors, links, readiness', async (t) => {
  const own = await cluster({ nodes: 2 });
  t.after(own.stop);
  const [there] = own.nodes;
  const masters = own.redis.servers?.length ?? 1;
  const ann = await login(there, 'ann');
  const before = await metrics(there);
  assert.equal(before('sluice_redis_up'), 1);
  assert.equal(before('sluice_ready'), 1);
  assert.equal(before('sluice_redis_connects_total'), masters);
  await own.redis.cli('SET', 'sluice:{topic:broken}:meta', 'not a hash');
  await refused(ann.emit('publish', { channel: 'topic:broken', data: 1 }), 'unavailable');
  await risen(before, 1, 'sluice_redis_errors_total', {}, there);
  own.redis.pause();
  const waiting = ann.emit('publish', { channel: 'topic:t', data: 1 }).catch(() => {});
  await until(async () => (await metrics(there))('sluice_redis_pending_commands') > 0);
  own.redis.resume();
  await waiting;
  await own.redis.stop();
  await until(async () => (await metrics(there))('sluice_redis_up') === 0);
  assert.equal((await metrics(there))('sluice_ready'), 0);
  await own.redis.restart();
  await until(async () => (await metrics(there))('sluice_ready') === 1);
  await until(async () => (await metrics(there))('sluice_redis_up') === 1);
  assert.equal((await metrics(there))('sluice_redis_connects_total'), 2 * masters);
});

test('histograms: round trips, delivery, turns', async () => {
  const [ann, bob] = await inRoom([node, nodes[1]], 't', 'ann', 'bob');
  const rise = await changes(async () => {
    for (let i = 0; i < 20; i++) await bob.emit('sendMessage', { room: 't', message: i });
    await ann.next('chatMessage', { match: ({ data }) => data.message === 19 });
  });
  assert.ok(rise('sluice_messages_total') >= 20);
  assert.ok(rise('sluice_deliveries_total') >= 20);
  const took = (name) => rise(`sluice_${name}_seconds_sum`) / rise(`sluice_${name}_seconds_count`);
  // Messages carry Redis's wall clock, ours only rises: told apart wrongly, these were years.
  assert.ok(rise('sluice_publish_to_deliver_seconds_count') >= 20);
  assert.ok(took('publish_to_deliver') < 0.5, `${took('publish_to_deliver')} s to deliver`);
  assert.ok(rise('sluice_loop_turn_seconds_count') >= 20);
  assert.ok(rise('sluice_loop_turn_seconds_sum') > 0);
  assert.ok(took('loop_turn') < 0.1, `${took('loop_turn')} s a turn, asleep or not`);
  const there = await changes(async () => {
    for (let i = 0; i < 20; i++) await bob.emit('sendMessage', { room: 't', message: i });
  }, nodes[1]);
  assert.ok(there('sluice_redis_round_trip_seconds_count') >= 20);
  assert.ok(there('sluice_redis_round_trip_seconds_sum') > 0);

  redis.pause();
  const slow = changes(async () => {
    const sent = bob.emit('sendMessage', { room: 't', message: 'slow' });
    await until(async () => (await metrics(nodes[1]))('sluice_redis_pending_commands') > 1);
    await new Promise((resolve) => setTimeout(resolve, 600));
    redis.resume();
    await sent;
  }, nodes[1]);
  const late = await slow;
  assert.ok(late('sluice_redis_round_trip_seconds_sum') > 0.5);
  await ann.close();
  await bob.close();
});

test('the process and the build', async () => {
  const before = await metrics(node);
  const clients = await Promise.all(Array.from({ length: 25 }, () => connect(node)));
  const now = await metrics(node);
  assert.equal(now('process_open_fds') - before('process_open_fds'), 25);
  assert.ok(now('process_max_fds') > now('process_open_fds'));
  assert.ok(now('sluice_max_connections') < now('process_max_fds'));
  assert.ok(now('process_resident_memory_bytes') > 1 << 20);
  assert.ok(now('process_cpu_seconds_total') > 0);
  const age = Date.now() / 1000 - now('process_start_time_seconds');
  assert.ok(age > 0 && age < 600, `${age} s old`);
  const { version } = await node.health();
  assert.equal(now('sluice_build_info', { version }), 1);
  for (const client of clients) await client.close();
});
