// The tap: what happened stands in a stream, in the order in which Redis decided it.
import assert from 'node:assert/strict';
import { cluster, login, mode, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { tapped } from '../lib/tap.mjs';

const QUICK = ['--lease-timeout', '1s', '--lease-interval', '200ms'];

test('users, connections, rooms and messages', async (t) => {
  const args = ['--tap', 'presence, connections,rooms,messages'];
  const { redis, nodes, stop } = await cluster({ nodes: 2, args });
  t.after(stop);
  const ann = await login(nodes[0], 'ann');
  const also = await login(nodes[1], 'ann');
  await ann.emit('join', { room: 'r "1"' }).catch(() => ann.emit('join', { room: 'r"1\\' }));
  const said = await ann.emit('sendMessage', { room: 'r"1\\', message: 'hello' });
  await ann.emit('join', { room: 'r"1\\' }); // is in it
  const wrote = await ann.emit('private_message', { receiverId: 'bob', content: 'psst' });
  await ann.emit('subscribe', { channel: 'topic:t' });
  await ann.emit('publish', { channel: 'topic:t', data: 'x'.repeat(70000) });
  await also.close();
  await ann.emit('leave', { room: 'r"1\\' });
  await ann.close();
  const all = await until(async () => {
    const entries = await tapped(redis);
    return entries.some((e) => e.type === 'user_offline') && entries;
  });
  const of = (entries) => entries.map((e) => e.type);
  assert.deepEqual(of(all.filter((e) => e.user === 'ann')), [
    ...['user_online', 'connection_opened', 'connection_opened', 'room_joined'],
    ...['connection_closed', 'room_left', 'connection_closed', 'user_offline'],
  ]);
  const saidIn = (kind) => all.find((e) => e.type === 'message' && e.channel.startsWith(kind));
  const [room, dm, topic] = ['room:', 'dm:', 'topic:'].map(saidIn);
  assert.deepEqual([room.channel, dm.channel, topic.channel], ['room:r"1\\', 'dm:ann:bob', 'topic:t']);
  assert.equal(room.data.message.channel, 'room:r"1\\');
  assert.equal(room.data.message.data.message, 'hello');
  assert.deepEqual([room.data.message.seq, dm.data.message.seq], [said.seq, wrote.seq]);
  assert.equal(dm.data.message.data.content, 'psst');
  assert.deepEqual([topic.data.truncated, topic.data.message.data], [true, undefined]);
  assert.ok(topic.data.message.bytes > 70000);
  const joined = all.find((e) => e.type === 'room_joined');
  assert.deepEqual([joined.user, joined.channel, joined.data], ['ann', 'room:r"1\\', {}]);
  const opened = all.filter((e) => e.type === 'connection_opened').map((e) => e.data);
  assert.deepEqual(opened.map((one) => one.node), nodes.map((node) => node.id));
  assert.match(opened[0].address, /^127\.0\.0\.1:\d+$/);
  assert.equal(opened[0].door, 'json');
  const closed = all.filter((e) => e.type === 'connection_closed').map((e) => e.data);
  assert.deepEqual(closed.map((one) => one.connection), opened.map((one) => one.connection).reverse());
  const numbers = all.map((e) => Number(e.n));
  if (mode() === 'single') assert.deepEqual(numbers, all.map((_, i) => i + 1));
});

test("a killed node's", async (t) => {
  const args = ['--tap', 'presence,connections', '--heartbeat-timeout', '1s', ...QUICK];
  const { redis, nodes, stop } = await cluster({ nodes: 2, args });
  t.after(stop);
  for (const user of ['cat', 'dan']) await login(nodes[0], user);
  const eve = await login(nodes[1], 'eve');
  await nodes[0].kill();
  const all = await until(async () => {
    const entries = (await tapped(redis)).filter((e) => /offline|closed/.test(e.type));
    return entries.length === 4 && entries;
  });
  for (const user of ['cat', 'dan']) {
    const mine = all.filter((e) => e.user === user);
    assert.deepEqual(mine.map((e) => e.type), ['connection_closed', 'user_offline']);
    assert.deepEqual([mine[0].data.reason, mine[0].data.node], ['node_gone', nodes[0].id]);
  }
  // One that is silent for too long leaves presence, and comes back to it.
  await eve.emit('heartbeat');
  const mine = async () => (await tapped(redis)).filter((e) => e.user === 'eve' && e.data.connection);
  await until(async () => (await mine()).length === 2);
  await eve.emit('heartbeat');
  await until(async () => (await mine()).length === 3);
  const [first, second, third] = await mine();
  assert.deepEqual([second.type, second.data.reason], ['connection_closed', 'silent']);
  assert.deepEqual([third.type, third.data], [first.type, first.data]);
  await eve.close();
});

test('only what is asked for, and nothing by default', async (t) => {
  const redis = await startRedis();
  const plain = await startNode({ redis });
  t.after(async () => {
    await plain.stop();
    await redis.stop();
  });
  const act = async (node) => {
    const one = await login(node, 'fay');
    await one.emit('join', { room: 'r' });
    await one.emit('sendMessage', { room: 'r', message: 'x' });
    await one.emit('leave', { room: 'r' });
    await one.close();
    await until(async () => (await redis.cli('EXISTS', 'sluice:{user:fay}:conns')) === '0');
  };
  await act(plain);
  assert.deepEqual(await tapped(redis), []);
  const node = await startNode({ redis, args: ['--tap', 'rooms'] });
  t.after(() => node.stop());
  await act(node);
  assert.deepEqual((await tapped(redis)).map((e) => e.type), ['room_joined', 'room_left']);
});

test('private messages to one who is not there', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 1, args: ['--tap', 'unseen'] });
  t.after(stop);
  const [hal, ivy] = [await login(nodes[0], 'hal'), await login(nodes[0], 'ivy')];
  const write = (receiverId, content) => hal.emit('private_message', { receiverId, content, clientMessageId: content });
  await write('ivy', 'seen');
  await ivy.next('new_private_message');
  await write('jim', 'one');
  await write('jim', 'one');
  await write('hal', 'to myself');
  await write('jim', 'two');
  const all = await until(async () => {
    const entries = await tapped(redis);
    return entries.length >= 2 && entries;
  });
  assert.deepEqual(
    all.map((e) => [e.type, e.user, e.channel, e.data.message.channel, e.data.message.data.content]),
    ['one', 'two'].map((text) => ['message_unseen', 'jim', 'user:jim', 'user:jim', text]),
  );
  await ivy.close();
});

test('topics are occupied and vacated, also by the death of a node', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 3, args: ['--tap', 'topics', ...QUICK] });
  t.after(stop);
  const told = async (channel) =>
    (await tapped(redis)).filter((e) => e.channel === channel).map((e) => e.type.replace('channel_', ''));
  const is = (channel, ...all) =>
    until(async () => (await told(channel)).join() === all.join(), { what: `${channel}: ${all}` });
  const [kim, lou, max] = [
    await login(nodes[0], 'kim'), await login(nodes[0], 'lou'), await login(nodes[1], 'max'),
  ];
  const act = (verb, channel, ...who) => Promise.all(who.map((one) => one.emit(verb, { channel })));
  await act('subscribe', 'topic:a', kim, lou, max);
  await act('subscribe', 'topic:b', kim);
  await is('topic:a', 'occupied');
  await act('unsubscribe', 'topic:a', lou, max);
  await act('unsubscribe', 'topic:b', kim);
  await is('topic:b', 'occupied', 'vacated');
  await act('subscribe', 'topic:b', lou);
  await act('subscribe', 'topic:c', max);
  await is('topic:b', 'occupied', 'vacated', 'occupied');
  await is('topic:c', 'occupied');
  await nodes[0].kill();
  await is('topic:b', 'occupied', 'vacated', 'occupied', 'vacated');
  await is('topic:a', 'occupied', 'vacated');
  await nodes[1].stop();
  await is('topic:c', 'occupied', 'vacated');
  await until(async () => (await redis.cli('EXISTS', 'sluice:topics')) === '0');
});

test('bounds: entries, bytes, a day', { single: 'it writes with a time of its own' }, async (t) => {
  const redis = await startRedis();
  const args = ['--tap', 'messages', '--tap-length', '1000', '--tap-bytes', '1M', ...QUICK];
  const node = await startNode({ redis, args });
  t.after(async () => {
    await node.stop();
    await redis.stop();
  });
  const old = Date.now() - 86400000 - 60000;
  const day = ['n', '1', 'term', '1', 'type', 'message', 'user', '', 'channel', 'room:r', 'data', '{}'];
  for (let i = 0; i < 130; i++) await redis.cli('XADD', 'sluice:tap', `${old + i}-0`, ...day);
  const length = async () => Number(await redis.cli('XLEN', 'sluice:tap'));
  await until(async () => (await length()) === 0, { what: 'what is older than a day goes' });
  const gus = await login(node, 'gus');
  await gus.emit('subscribe', { channel: 'topic:t' });
  const publish = (data) => gus.emit('publish', { channel: 'topic:t', data });
  for (let i = 0; i < 15; i++) await Promise.all(Array.from({ length: 100 }, () => publish('x')));
  await until(async () => (await length()) <= 1000);
  assert.equal(await length(), 1000);
  await Promise.all(Array.from({ length: 40 }, () => publish('y'.repeat(60000))));
  await until(async () => (await length()) < 1000, { what: 'fewer, for their bytes' });
  const bytes = async () => Number(await redis.cli('HGET', 'sluice:tap:meta', 'bytes'));
  await until(async () => (await bytes()) <= 1048576);
  for (const key of ['sluice:tap', 'sluice:tap:meta']) assert.ok(Number(await redis.cli('TTL', key)) > 0, key);
});
