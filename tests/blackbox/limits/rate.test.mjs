// rate-limit: a burst of three seconds passes; who goes on is refused, then read more slowly.
import assert from 'node:assert/strict';
import { describe } from 'node:test';
import { cluster, connect, login, sleep, test, until } from '../lib/harness.mjs';
import { range } from '../lib/frames.mjs';
import { OPEN } from '../lib/handover.mjs';
import * as raw from '../lib/rawws.mjs';
import { metric } from '../lib/registry.mjs';
import * as sio from '../lib/socketio.mjs';

const RATE = 100;
const pings = ['--ping-interval', '300ms', '--ping-timeout', '5s'];
const args = ['--rate-limit', String(RATE), '--channels', 'chat:rw'];
const { redis, nodes, stop } = await cluster({ nodes: 1, args: [...args, ...pings] });
const [shared] = nodes;

// A node for one test, so that what it counts is of that test.
async function ownNode(t, more = pings) {
  const own = await cluster({ redis, nodes: 1, args: [...args, ...more] });
  t.after(own.stop);
  const [node] = own.nodes;
  return {
    node,
    limited: () => metric(node, 'sluice_limited_total', { limit: 'rate-limit' }),
    events: () => metric(node, 'sluice_events_total'),
  };
}

// Events of some 200 bytes: a read of 64 KiB has 300 of them.
const beat = raw.encode(raw.TEXT, raw.beat(1, 'x'.repeat(150)));
const flood = (count) => Buffer.concat(range(1, count).map(() => beat));

test('a burst passes, and then so many a second', async (t) => {
  // A pong costs a unit, too: none comes while these are counted.
  const { node, limited } = await ownNode(t, []);
  const before = await limited();
  const ann = await connect(node);
  const results = await Promise.allSettled(range(1, 600).map(() => ann.emit('heartbeat', {})));
  const refused = results.filter(({ reason }) => reason?.code === 'rate_limited').length;
  const passed = results.filter(({ status }) => status === 'fulfilled').length;
  assert.equal(refused + passed, 600);
  assert.ok(passed >= 300, `${passed} passed`);
  assert.ok(refused > 0);
  assert.equal((await limited()) - before, refused);
  const other = await login(node, 'other');
  assert.deepEqual(await other.emit('heartbeat', {}), {});
  await until(() => ann.emit('heartbeat', {}).catch(() => false));
  assert.ok(ann.isOpen);
});

test('the end of a connection that is not read is noticed', async (t) => {
  const strict = ['--rate-limit', '1', '--ping-interval', '300ms', '--ping-timeout', '300ms'];
  const own = await cluster({ redis, nodes: 1, args: strict });
  t.after(own.stop);
  const open = () => metric(own.nodes[0], 'sluice_connections', { door: 'json' });
  const clients = await Promise.all(range(1, 4).map(() => raw.rawConnect(own.nodes[0])));
  const slowed = () => metric(own.nodes[0], 'sluice_limited_total', { limit: 'rate-limit' });
  for (const client of clients) await client.write(flood(500));
  await until(async () => (await slowed()) >= clients.length);
  const began = Date.now();
  for (const client of clients.slice(2)) client.reset();
  for (const client of clients.slice(0, 2)) client.destroy();
  await until(async () => (await open()) === 0);
  assert.ok(Date.now() - began < 8000, `it took ${Date.now() - began} ms`);
});

// These wait for their node most of the time.
describe('side by side', { concurrency: 20 }, () => {
  test('who goes on is read more slowly, and never closed for it', async (t) => {
    const { node, events } = await ownNode(t);
    const before = await events();
    const client = await raw.rawConnect(node);
    const began = Date.now();
    await client.write(flood(1500));
    let pinged = 0;
    const all = async () => {
      while (client.received.length > 0) {
        const { opcode, payload } = await client.frame();
        if (opcode !== raw.PING) continue;
        pinged++;
        await client.send(raw.PONG, payload);
      }
      return (await events()) - before >= 1500;
    };
    await until(all, { timeout: 60000, what: 'all are read in the end' });
    // 300 at once, 1,200 more cost their units, refused or not, and half of them had time to pass.
    assert.ok(Date.now() - began > 4000, `it took ${Date.now() - began} ms`);
    assert.ok(pinged > 0, 'it is pinged meanwhile');
    await client.send(raw.TEXT, raw.beat('last'));
    let answer;
    do answer = await client.json({ timeout: 20000 });
    while (answer.ack !== 'last');
    client.destroy();
  });

  for (const [what, frame] of Object.entries({
    pings: raw.encode(raw.PING, 'x'),
    pongs: raw.encode(raw.PONG, 'x'),
    'frames that are no events': raw.encode(raw.TEXT, '{'),
    'unknown events': raw.encode(raw.TEXT, '{"event":"nonsense"}'),
  })) {
    test(`${what} cost, too`, async (t) => {
      const { node, limited } = await ownNode(t);
      const before = await limited();
      const client = await raw.rawConnect(node);
      await client.write(Buffer.concat(range(1, 500).map(() => frame)));
      await until(async () => (await limited()) > before);
      await client.send(raw.TEXT, raw.beat('last'));
      const answered = () => client.received.includes('"ack":"last"');
      await until(answered, { timeout: 30000, what: 'it is read again' });
      client.destroy();
    });
  }

  test('a writer of a raw channel is read more slowly, and nothing of it is lost', async (t) => {
    const { node, limited } = await ownNode(t);
    const before = await limited();
    const reader = await connect(shared, { path: '/channels/chat' });
    const listens = async () => (await redis.cli('PUBSUB', 'NUMSUB', 'chat')).endsWith('1');
    await until(listens, { what: 'its node has subscribed' });
    const writer = await raw.rawConnect(node, { path: '/channels/chat' });
    const began = Date.now();
    await writer.write(Buffer.concat(range(1, 800).map((i) => raw.encode(raw.TEXT, String(i)))));
    await until(() => reader.frames.length === 800, { timeout: 30000 });
    // 300 are a burst. A read is charged when all of it has passed, so reads are short.
    assert.ok(Date.now() - began > 2500, `it took ${Date.now() - began} ms`);
    assert.ok((await limited()) > before);
  });

  test('pages of history cost what is in them, afterwards', async (t) => {
    const own = await cluster({ redis, nodes: 1, args: ['--rate-limit', '10'] });
    t.after(own.stop);
    const ann = await login(shared, 'ann');
    await ann.emit('join', { room: 'long' });
    for (const i of range(1, 17)) {
      await ann.emit('sendMessage', { room: 'long', message: `${i} ${'x'.repeat(60000)}` });
    }
    const bob = await login(own.nodes[0], 'bob');
    await bob.emit('join', { room: 'long' });
    // 24 units are left, or up to 30. A page of 256 KiB costs 5, and 3 or 4 afterwards: by the 5
    // alone, four to six would pass without a debt.
    const ask = () => bob.emit('history', { room: 'long' }).then(() => true, ({ code }) => code);
    const began = Date.now();
    const results = await Promise.all(range(1, 6).map(ask));
    assert.ok(results.filter((result) => result === true).length >= 4, results.join());
    await bob.emit('heartbeat', {}).catch(({ code }) => assert.equal(code, 'rate_limited'));
    assert.ok(Date.now() - began >= 900, `it took ${Date.now() - began} ms`);
  });

  for (const transports of sio.WAYS) {
    test(`Socket.IO: events by ${transports.join(' then ')}`, async (t) => {
      const { node, limited } = await ownNode(t);
      const before = await limited();
      const ann = await sio.enter(node, `ann-${transports}`, {}, { transports });
      for (const _ of range(1, 400)) ann.emit('heartbeat', {});
      const told = await sio.next(ann, 'error');
      assert.equal(told.code, 'rate_limited');
      assert.ok((await limited()) > before);
      const answered = () => new Promise((resolve) => ann.timeout(5000).emit('heartbeat', resolve));
      await until(async () => (await answered()) === null, { timeout: 40000, what: 'it goes on' });
      assert.ok(ann.connected);
      ann.end();
    });
  }

  test('Socket.IO: joins of a namespace, and what is no event', async (t) => {
    const { node, limited } = await ownNode(t);
    const before = await limited();
    const wild = await sio.front(node, { transports: ['websocket'] });
    for (const _ of range(1, 150)) wild.io.engine.write('0/nowhere,'); // joins, refused
    await until(async () => (await limited()) > before);
    assert.ok(wild.connected);
    const again = await limited();
    const noops = await connect(node, { path: `${OPEN.replace('polling', 'websocket')}`, raw: true });
    for (const _ of range(1, 400)) noops.raw('6');
    await until(async () => (await limited()) > again);
    assert.ok(noops.isOpen);
    wild.end();
  });
});

test('0 is no limit', async (t) => {
  const own = await cluster({ redis, nodes: 1, args: ['--rate-limit', '0'] });
  t.after(own.stop);
  const ann = await login(own.nodes[0], 'ann');
  await Promise.all(range(1, 2000).map(() => ann.emit('heartbeat', {})));
  await sleep(0);
});

test('nothing is left', () => stop());
