// A back end sends: to channels, once, to some, with or without a log.
import assert from 'node:assert/strict';
import { caller, isRefusal, KEY, keyOf, withKeys } from '../lib/api.mjs';
import { range } from '../lib/frames.mjs';
import { cluster, login, test, until } from '../lib/harness.mjs';
import { emit, enter, front, next } from '../lib/socketio.mjs';

const { args, env } = withKeys({ shop: 'publish', eyes: 'read' });
const MORE = ['--socketio-namespaces', '/admin', '--max-message', '100000'];
const { redis, nodes } = await cluster({ nodes: 2, args: [...args, ...MORE], env });
const { call, good } = caller(nodes[0], { key: keyOf('shop') });
const publish = (body, headers) => good('POST', '/publish', body, { headers });
const refuses = async (body, code, field, headers) =>
  isRefusal(await call('POST', '/publish', body, { headers }), 400, code, field);
const once = (key) => ({ 'Idempotency-Key': key });
const history = async (channel) =>
  (await caller(nodes[0]).good('GET', `/channels/${channel}/history?limit=100`)).messages;

const ann = await login(nodes[0], 'ann');
const bob = await login(nodes[1], 'bob');
for (const client of [ann, bob]) {
  await client.emit('join', { room: 'den' });
  await client.emit('subscribe', { channel: 'topic:news' });
}
const cat = await enter(nodes[1], 'cat', { room: 'den' });

test('to a room, a topic and an inbox, on all nodes and doors', async () => {
  for (const channel of ['room:den', 'topic:news']) {
    const before = Date.now();
    const ack = await publish({ channel, event: 'price', data: { eur: 1.5 } });
    assert.deepEqual(Object.keys(ack), ['seq', 'timestamp', 'epoch']);
    assert.ok(ack.timestamp >= before - 1000 && ack.timestamp <= Date.now() + 1000);
    for (const client of [ann, bob]) {
      const frame = await client.next('price');
      assert.deepEqual(frame.data, { eur: 1.5 });
      assert.deepEqual([frame.channel, frame.seq, frame.epoch], [channel, ack.seq, ack.epoch]);
      assert.deepEqual([frame.user, frame.nsp, frame.except], [undefined, undefined, undefined]);
    }
  }
  assert.deepEqual(await next(cat, 'price'), { eur: 1.5 });
  const { seq } = await publish({ channel: 'user:bob', event: 'bill', data: [1, 2] });
  const frame = await bob.next('bill');
  assert.deepEqual([frame.channel, frame.seq, frame.data], ['user:bob', seq, [1, 2]]);
  await ann.none('bill');
});

test('the event is `message`, if none is named; data passes byte for byte', async () => {
  for (const text of ['null', '0', '"x"', '{"a" : 1.0, "b":9007199254740993}', '[ ]', '1e400', 'false']) {
    await publish(`{"channel":"topic:news","data":${text}}`);
    const frame = await ann.next('message');
    assert.ok(frame.text.endsWith(`"data":${text}}`), frame.text);
  }
  ann.take('message');
});

test('several arguments, or none', async () => {
  const socket = await enter(nodes[0], 'fay', { room: 'den' });
  for (const given of [[], [1, 'two', { three: 3 }], [['one']], range(1, 10)]) {
    await publish({ channel: 'room:den', event: 'many', args: given });
    const frame = await ann.next('many');
    assert.deepEqual(given.length === 1 ? [frame.data] : frame.args, given);
    const heard = await until(() => socket.got.find(({ event }) => event === 'many'));
    assert.deepEqual(heard.args.slice(0, given.length), given);
    socket.got.length = 0;
    const [last] = (await history('room:den')).slice(-1);
    assert.deepEqual(given.length === 1 ? [last.data] : last.args, given);
  }
  socket.end();
});

test('attachments', async () => {
  const bin = [Buffer.from('picture').toString('base64')];
  const data = { file: { _placeholder: true, num: 0 } };
  await publish({ channel: 'room:den', event: 'picture', data, bin });
  const { file } = await next(cat, 'picture');
  assert.equal(Buffer.from(file).toString(), 'picture');
  const frame = await ann.next('picture');
  assert.deepEqual([frame.data, frame.bin], [data, bin]);
  const slashes = Buffer.from([255, 255, 255]).toString('base64');
  assert.equal(slashes, '////');
  const text = '"channel":"room:den","event":"picture","data":{"_placeholder":true,"num":0}';
  await publish(`{${text},"bin":["\\/\\/\\/\\/"]}`);
  assert.deepEqual([...(await next(cat, 'picture'))], [255, 255, 255]);
  const tricky = [{ a: 1, bin: ['x'] }];
  await publish({ channel: 'room:den', event: 'tricky', data: tricky });
  assert.deepEqual((await ann.next('tricky')).data, tricky);
  assert.deepEqual(await next(cat, 'tricky'), tricky);
});

test('to many channels', async () => {
  const channels = ['topic:news', 'room:den', 'user:ann', ...range(1, 97).map((i) => `topic:t${i}`)];
  const { results } = await publish({ channels, event: 'all', data: 1 });
  assert.equal(results.length, 100);
  for (const result of results) assert.deepEqual(Object.keys(result), ['seq', 'timestamp', 'epoch']);
  const frames = [await ann.next('all'), await ann.next('all'), await ann.next('all')];
  assert.deepEqual(frames.map(({ channel }) => channel).sort(), ['room:den', 'topic:news', 'user:ann']);
  await refuses({ channels: [...channels, 'topic:more'], data: 1 }, 'bad_field', 'channels');
  await refuses({ channels: [], data: 1 }, 'bad_field', 'channels');
});

test('ephemeral: without a log, also to one socket and to all', async () => {
  const logged = async () => (await history('room:den')).length;
  const before = await logged();
  for (const channel of ['room:den', 'user:ann', 'topic:news', 'all', `socket:${ann.ack.connectionId}`]) {
    assert.deepEqual(await publish({ channel, event: 'hint', data: channel, ephemeral: true }), {});
    const frame = await ann.next('hint');
    assert.deepEqual([frame.data, frame.seq], [channel, 0]);
  }
  assert.equal(await logged(), before);
  await publish({ channel: `socket:${cat.id}`, event: 'you', args: [1, 2], ephemeral: true });
  assert.equal(await next(cat, 'you'), 1);
  const channels = ['room:den', 'socket:nobody-12345678'];
  assert.deepEqual(await publish({ channels, data: 1, ephemeral: true }), { results: [{}, {}] });
  await refuses({ channel: 'all', data: 1 }, 'bad_field', 'channel');
  await refuses({ channel: `socket:${cat.id}`, data: 1, ephemeral: false }, 'bad_field', 'channel');
  await refuses({ channels: ['room:den', 'all'], data: 1 }, 'bad_field', 'channels');
});

test('but not to those that are excepted', async () => {
  const ann2 = await login(nodes[1], 'ann');
  await ann2.emit('join', { room: 'den' });
  const except = ['user:bob', `socket:${ann.ack.connectionId}`, `socket:${cat.id}`];
  for (const ephemeral of [false, true]) {
    await publish({ channel: 'room:den', event: 'secret', data: 1, except, ephemeral });
    await ann2.next('secret');
    for (const client of [ann, bob]) await client.none('secret');
    await publish({ channel: 'room:den', event: 'end', data: 1 });
    await next(cat, 'end');
    assert.ok(!cat.got.some(({ event }) => event === 'secret'));
  }
  const { resume } = bob.ack;
  const back = await login(nodes[0], 'bob', { resume: { ...resume, 'room:den': { ...bob.positions['room:den'], seq: 0 } } });
  await back.next('end');
  await back.none('secret', 0);
  ann2.terminate();
  back.terminate();
});

test('to the sockets of a namespace', async () => {
  const admin = await front(nodes[0], { nsp: '/admin' });
  await emit(admin, 'login', { userId: 'root', room: 'den' });
  await publish({ channel: 'room:den', event: 'internal', data: 1, namespace: '/admin' });
  await publish({ channel: 'room:den', event: 'public', data: 1 });
  assert.equal(await next(admin, 'internal'), 1);
  await ann.next('public');
  await ann.none('internal');
  await next(cat, 'public');
  assert.ok(!cat.got.some(({ event }) => event === 'internal'));
  assert.ok(!admin.got.some(({ event }) => event === 'public'));
  admin.end();
});

test('what is refused', async () => {
  const key = keyOf('eyes');
  isRefusal(await call('POST', '/publish', { channel: 'room:den', data: 1 }, { key }), 403, 'forbidden');
  await refuses({ data: 1 }, 'missing_field', 'channel');
  await refuses({ channel: 'room:den' }, 'missing_field', 'data');
  await refuses({ channel: 'room:den', data: 1, args: [] }, 'bad_field', 'args');
  await refuses({ channel: 'room:den', args: range(1, 11) }, 'bad_field', 'args');
  await refuses({ channel: 'room:den', channels: ['room:den'], data: 1 }, 'bad_field', 'channels');
  for (const channel of ['den', 'room:', 'room:a b', 'user:a:b', 'dm:a:b', '', 1, null, `room:${'x'.repeat(129)}`]) {
    await refuses({ channel, data: 1 }, 'bad_field', 'channel');
  }
  const names = ['chatMessage', 'login', 'userJoined', 'error', 'disconnect', 'connect_error', 'newListener'];
  for (const event of [...names, '', 'x'.repeat(129), 'a"b', 'a\\b', 'a\nb', 1]) {
    await refuses({ channel: 'room:den', data: 1, event }, 'bad_field', 'event');
  }
  for (const except of ['user:ann', ['ann'], ['room:den'], Array(21).fill('user:a')]) {
    await refuses({ channel: 'room:den', data: 1, except }, 'bad_field', 'except');
  }
  for (const namespace of ['admin', '', '/a,b', '/a?b']) {
    await refuses({ channel: 'room:den', data: 1, namespace }, 'bad_field', 'namespace');
  }
  for (const bin of ['x', [1], ['é'], ['[']]) await refuses({ channel: 'room:den', data: 1, bin }, 'bad_field', 'bin');
  isRefusal(await call('POST', '/publish', { channel: 'room:den', data: 'x'.repeat(200000) }), 413, 'too_large');
  const long = await publish({ channel: 'topic:long', data: 'x'.repeat(99000) });
  assert.equal(long.seq, 1);
});

test('an Idempotency-Key: a repeat takes effect once, and gets the same answer', async () => {
  for (const channel of ['topic:once', 'room:once', 'user:once']) {
    const body = { channel, event: 'pay', data: { eur: 5 } };
    const first = await publish(body, once('key-1'));
    const results = await Promise.all(range(1, 5).map((i) => caller(nodes[i % 2]).good('POST', '/publish', body, { headers: once('key-1'), key: keyOf('shop') })));
    for (const result of results) assert.deepEqual(result, first);
    const answer = await call('POST', '/publish', { ...body, data: { eur: 6 } }, { headers: once('key-1') });
    isRefusal(answer, 409, 'conflict', 'Idempotency-Key');
    const other = await publish({ ...body, data: 7 }, once('key-2'));
    assert.equal(other.seq, first.seq + 1);
    const boss = await caller(nodes[1], { key: KEY }).good('POST', '/publish', { ...body, data: 8 }, { headers: once('key-1') });
    assert.equal(boss.seq, first.seq + 2, 'another key of the API is another sender');
    assert.equal((await history(channel)).length, 3);
  }
});

test('with many channels, each remembers for itself', async () => {
  const channels = ['topic:m1', 'topic:m2'];
  const { results } = await publish({ channels, data: 1 }, once('many'));
  assert.deepEqual(await publish({ channels, data: 1 }, once('many')), { results });
  isRefusal(await call('POST', '/publish', { channels, data: 2 }, { headers: once('many') }), 409, 'conflict', 'Idempotency-Key');
  const mixed = await publish({ channels: ['topic:m2', 'topic:m3'], data: 1 }, once('many'));
  assert.equal(mixed.results[0].error.code, 'conflict');
  assert.equal(mixed.results[1].seq, 1);
});

test('requests at once with one key, of which one wins', async () => {
  const bodies = range(1, 20).map((i) => ({ channel: 'topic:race', data: i % 2 }));
  const answers = await Promise.all(bodies.map((body, i) => caller(nodes[i % 2], { key: keyOf('shop') }).call('POST', '/publish', body, { headers: once('race') })));
  const good = answers.filter(({ status }) => status === 200);
  assert.equal(good.length, 10);
  assert.ok(answers.every(({ status }) => [200, 409].includes(status)));
  assert.equal(new Set(good.map(({ body }) => body)).size, 1);
  assert.equal((await history('topic:race')).length, 1);
});

test('which keys are keys', async () => {
  const body = { channel: 'topic:keys', data: 1 };
  for (const bad of ['x'.repeat(129), 'a b', '']) await refuses(body, 'bad_field', 'Idempotency-Key', once(bad));
  assert.equal((await publish(body, once('!'.repeat(128)))).seq, 1);
  await refuses({ ...body, ephemeral: true }, 'bad_field', 'Idempotency-Key', once('x'));
});

test('what was refused is not remembered', async () => {
  await refuses({ channel: 'topic:retry', event: 'login', data: 1 }, 'bad_field', 'event', once('again'));
  assert.equal((await publish({ channel: 'topic:retry', data: 2 }, once('again'))).seq, 1);
});

test('503 while Redis is away: nothing was stored', async (t) => {
  await redis.kill();
  t.after(async () => {
    await redis.restart();
    for (const node of nodes) await node.untilReady();
  });
  await nodes[0].untilNotReady();
  const answer = await call('POST', '/publish', { channel: 'room:den', data: 1 });
  assert.equal(isRefusal(answer, 503, 'unavailable').outcome, 'refused');
  const many = await call('POST', '/publish', { channels: ['room:den', 'topic:x'], data: 1 });
  assert.equal(isRefusal(many, 503, 'unavailable').outcome, 'refused');
});
