// /channels/<name>: what is published to a Redis channel, as it is, and back with `w`.
import assert from 'node:assert/strict';
import { cluster, connect, login, test, until } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';
import { metric, publish, publishBytes } from '../lib/registry.mjs';

const CHANNELS = 'events,chat:rw,a+b,price/gold,ünï:r,wide:rw';
const { redis, nodes } = await cluster({ nodes: 2, args: ['--channels', CHANNELS] });

// A client of each node; the nodes hear the channel when this resolves.
async function readers(name, encoded = encodeURIComponent(name)) {
  const clients = await Promise.all(
    nodes.map((node) => connect(node, { path: `/channels/${encoded}` })),
  );
  await until(async () => {
    const [, subscribers] = (await redis.cli('PUBSUB', 'NUMSUB', name)).split('\n');
    return Number(subscribers) === nodes.length;
  });
  return clients;
}

const closeAll = (clients) => Promise.all(clients.map((client) => client.close()));

test('each published text is one text frame, in order', async () => {
  const clients = await readers('events');
  const texts = [
    'hello world',
    '',
    'a "quoted" \\ line\nand\tmore',
    '{"json":1}',
    '\u{1f40b}',
    'x'.repeat(100000),
  ];
  for (const text of texts) await publish(redis, 'events', text);
  const script = "for i = 1, 1000 do redis.call('PUBLISH', KEYS[1], i) end";
  await redis.cli('EVAL', script, 1, 'events');
  const numbers = Array.from({ length: 1000 }, (_, i) => String(i + 1));
  for (const client of clients) {
    await client.next('raw', { match: ({ text }) => text === '1000' });
    assert.deepEqual(
      client.frames.map(({ text }) => text),
      [...texts, ...numbers],
    );
    assert.ok(client.frames.every(({ binary }) => !binary));
  }
  await closeAll(clients);
});

test('invalid UTF-8 is one binary frame with the same bytes', async () => {
  const clients = await readers('events');
  const bytes = [0x68, 0x69, 0xff, 0x00, 0xc3, 0x28];
  await publishBytes(redis, 'events', bytes);
  await publish(redis, 'events', 'text again');
  for (const client of clients) {
    const frame = await client.next('raw');
    assert.deepEqual([...frame.binary], bytes);
    assert.equal((await client.next('raw')).text, 'text again');
  }
  await closeAll(clients);
});

test('with w, what a client sends is published, byte for byte', async () => {
  const [one, two] = await readers('chat');
  const texts = ['not json', '{"event":"login"}', '  spaced  ', 'y'.repeat(200000)];
  for (const text of texts) one.raw(text);
  for (const client of [one, two]) {
    for (const text of texts) assert.equal((await client.next('raw')).text, text);
  }
  two.raw(Buffer.from([1, 2, 0xfe]));
  for (const client of [one, two])
    assert.deepEqual([...(await client.next('raw')).binary], [1, 2, 0xfe]);
  await closeAll([one, two]);
});

test('without w it is dropped and counted, and the connection stays', async () => {
  const [one, two] = await readers('events');
  const dropped = () => metric(nodes[0], 'sluice_dropped_total', { reason: 'not_writable' });
  const before = await dropped();
  one.raw('into the void');
  one.raw('again');
  await until(async () => (await dropped()) === before + 2);
  await publish(redis, 'events', 'still here');
  for (const client of [one, two]) {
    assert.equal((await client.next('raw')).text, 'still here');
    assert.ok(client.isOpen);
  }
  await closeAll([one, two]);
});

test('what is not opened is 404', async () => {
  for (const where of [
    'other',
    '',
    'events/',
    'event',
    'events%00',
    'Events',
    'a%20b',
    'sluice%3Aonline',
    '%',
    '%zz',
  ]) {
    await assert.rejects(connect(nodes[0], { path: `/channels/${where}` }), { status: 404 }, where);
  }
  const plain = await nodes[0].get('/channels/events');
  assert.equal(plain.status, 426);
});

test('percent-encoded names', async () => {
  for (const [name, encoded] of [
    ['a+b', 'a+b'],
    ['a+b', 'a%2Bb'],
    ['price/gold', 'price%2Fgold'],
    ['price/gold', 'price%2fgold'],
    ['ünï', '%C3%BCn%C3%AF'],
    ['events', '%65vents'],
  ]) {
    const clients = await readers(name, encoded);
    await publish(redis, name, `on ${name}`);
    for (const client of clients) assert.equal((await client.next('raw')).text, `on ${name}`);
    await closeAll(clients);
  }
});

test('the subscription goes with the last reader', async () => {
  const numsub = async () => (await redis.cli('PUBSUB', 'NUMSUB', 'wide')).split('\n')[1];
  const clients = await readers('wide');
  const more = await connect(nodes[0], { path: '/channels/wide' });
  assert.equal(await numsub(), '2');
  await more.close();
  await publish(redis, 'wide', 'x');
  for (const client of clients) await client.next('raw');
  await closeAll(clients);
  await until(async () => (await numsub()) === '0');
});

test('it is another thing than /ws: no presence, no log', async () => {
  const clients = await readers('chat');
  clients[0].raw('{"event":"login","data":{"userId":"eve"}}');
  await clients[1].next('raw');
  assert.equal(await redis.cli('ZSCORE', 'sluice:online', 'eve'), '');
  assert.equal(await redis.cli('KEYS', '*chat*'), '');
  await closeAll(clients);
});

test('readers stay over a Redis restart and hear what comes after', async () => {
  const clients = await readers('chat');
  const ann = await login(nodes[0], 'ann');
  await redis.kill();
  for (const node of nodes) await node.untilNotReady();
  clients[0].raw('lost');
  await redis.restart();
  for (const node of nodes) await node.untilReady();
  await until(async () => (await redis.cli('PUBSUB', 'NUMSUB', 'chat')).split('\n')[1] === '2');
  clients[0].raw('heard');
  for (const client of clients) assert.equal((await client.next('raw')).text, 'heard');
  assert.ok(ann.isOpen);
  await closeAll(clients);
});

test('names of the prefix, of Redis and bad lists stop start-up', async () => {
  for (const [channels, ...more] of [
    ['sluice:{room:x}'],
    ['sluice:'],
    ['ok,sluice:presence:rw'],
    ['__keyspace@0__:x'],
    ['shop:x', '--prefix', 'shop:'],
    ['events:x'],
    ['a b'],
    ['events,,chat'],
    [':rw'],
    ['events,events:rw'],
  ]) {
    const args = ['--listen', '127.0.0.1:0', '--channels', channels, ...more];
    const result = await runProgram(args);
    assert.ok(!result.late, `${channels} should stop start-up`);
    assert.notEqual(result.code, 0, channels);
    assert.match(result.all, /channels/, channels);
    assert.ok(!/AddressSanitizer|LeakSanitizer/.test(result.all), result.all);
  }
});
