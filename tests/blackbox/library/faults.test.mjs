// sluice.js through faults: nodes killed, connections cut, Redis away or emptied.
import assert from 'node:assert/strict';
import { cluster, sleep, startNode, test, until } from '../lib/harness.mjs';
import { roam, startDoor } from '../lib/roaming.mjs';

const ARGS = [
  '--drain',
  '100ms',
  '--lease-timeout',
  '1s',
  '--lease-interval',
  '200ms',
  '--redis-timeout',
  '1s',
];
const numbers = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => `m${from + i}`);

async function start(t, how) {
  const all = await cluster({ nodes: 2, args: ARGS, ...how });
  const doors = await Promise.all(all.nodes.map(startDoor));
  t.after(async () => {
    for (const door of doors) door.close();
    await all.stop();
  });
  return { ...all, doors };
}

const has = (one, text) =>
  until(() => one.heard.includes(text), { timeout: 30000, what: `${text} has come` });

test('cut off, it comes back on another node and catches up', async (t) => {
  const { nodes, doors } = await start(t);
  const ann = await roam(t, 'ann', doors[0]);
  const bob = await roam(t, 'bob', nodes[1]);
  for (const { sluice } of [ann, bob]) await sluice.emit('join', { room: 'r' });
  await bob.sluice.emit('subscribe', { channel: 'topic:t' });
  await ann.sluice.emit('subscribe', { channel: 'topic:t' });
  const prices = [];
  ann.sluice.on('message', (data, { channel }) => prices.push([channel, data]));
  assert.equal(ann.sluice.node, nodes[0].id);

  doors[0].refusing = true;
  doors[0].cut();
  await until(() => ann.sluice.state === 'away');
  await assert.rejects(ann.sluice.emit('typing', { room: 'r' }), { code: 'gone' });
  const kept = ann.sluice.emit('sendMessage', 'said while away');
  for (const text of numbers(1, 5)) {
    await bob.sluice.emit('sendMessage', { room: 'r', message: text });
    await bob.sluice.emit('private_message', { receiverId: 'ann', content: `p${text}` });
    await bob.sluice.emit('publish', { channel: 'topic:t', data: text });
  }
  doors[0].to(nodes[1]);
  doors[0].refusing = false;
  await kept;
  await until(() => ann.heard.includes('said while away'));
  await until(() => prices.length === 5);
  assert.equal(ann.sluice.node, nodes[1].id);
  assert.equal(ann.states.at(-1).recovered, true);
  assert.deepEqual(
    ann.heard.filter((text) => text[0] === 'm'),
    numbers(1, 5),
  );
  assert.deepEqual(
    ann.heard.filter((text) => text[0] === 'p'),
    numbers(1, 5).map((m) => `p${m}`),
  );
  assert.deepEqual(
    prices,
    numbers(1, 5).map((text) => ['topic:t', text]),
  );
  assert.deepEqual(ann.lost, []);

  // What the next page is given, it goes on from.
  const { positions } = ann.sluice;
  await ann.sluice.close();
  await bob.sluice.emit('sendMessage', { room: 'r', message: 'm6' });
  const next = await roam(t, 'ann', nodes[0], { resume: positions });
  await has(next, 'm6');
  assert.deepEqual(next.heard, ['m6']);
  assert.equal(next.states[0].recovered, true);
});

test('400 topics with long names: nothing is lost, doubled or out of order', async (t) => {
  const { nodes, doors } = await start(t);
  const names = Array.from({ length: 400 }, (_, i) => `topic:${String(i).padStart(100, '.')}`);
  const ann = await roam(t, { userId: 'ann', csId: 7 }, doors[0]);
  const bob = await roam(t, { userId: 'bob', csId: 7 }, nodes[1]);
  const heard = new Map(names.map((name) => [name, []]));
  ann.sluice.on('message', (data, { channel }) => heard.get(channel).push(data));
  const some = names.filter((_, i) => i % 5 === 4);
  const publish = (by, data) =>
    Promise.all(some.map((channel) => by.sluice.emit('publish', { channel, data })));
  await Promise.all(names.map((channel) => ann.sluice.emit('subscribe', { channel })));
  await publish(bob, 1);

  doors[0].refusing = true;
  doors[0].cut();
  await until(() => ann.sluice.state === 'away');
  await publish(bob, 2);
  await bob.sluice.emit('sendMessage', { room: 'room-7', message: 'to the room of csId' });
  const own = publish(ann, 4);
  const live = publish(bob, 3); // while it comes back
  doors[0].to(nodes[1]);
  doors[0].refusing = false;
  await until(() => ann.sluice.state === 'online');
  assert.equal(ann.states.at(-1).recovered, true);
  await Promise.all([own, live]);
  const isComplete = () => some.every((name) => heard.get(name).length === 4);
  await until(isComplete, { timeout: 30000, what: 'four of each' });
  for (const name of some) {
    const [a, b, ...rest] = heard.get(name);
    assert.deepEqual([a, b, rest.sort()], [1, 2, [3, 4]], name);
  }
  await has(ann, 'to the room of csId');
  assert.deepEqual(ann.lost, []);
});

test('200 messages while nodes die and connections are cut: each once, in order', async (t) => {
  const all = await start(t);
  const { redis, doors } = all;
  let nodes = all.nodes;
  const ann = await roam(t, 'ann', doors[0]);
  const bob = await roam(t, 'bob', doors[1]);
  const cat = await roam(t, 'cat', doors[1]);
  for (const { sluice } of [ann, bob, cat]) await sluice.emit('join', { room: 'r' });

  const acks = [];
  const send = (text) => {
    const [event, to] =
      Number(text.slice(1)) % 2
        ? ['sendMessage', { room: 'r', message: text }]
        : ['private_message', { receiverId: 'bob', content: text }];
    acks.push(ann.sluice.emit(event, to));
  };
  const steps = {
    20: () => doors[0].cut(),
    50: async () => {
      const [first, second] = nodes;
      await first.kill();
      doors[0].to(second);
    },
    80: () => doors[1].cut(),
    100: async () => {
      const fresh = await startNode({ redis, args: ARGS });
      const [, second] = nodes;
      nodes = [fresh];
      for (const door of doors) door.to(fresh);
      await second.kill();
    },
    130: () => redis.cli('CLIENT', 'KILL', 'TYPE', 'normal'),
    150: () => redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub'),
    170: () => doors.forEach((door) => door.cut()),
  };
  for (const text of numbers(1, 200)) {
    send(text);
    const step = steps[text.slice(1)];
    if (step) await step();
    if (Number(text.slice(1)) % 5 === 0) await Promise.race([acks.at(-1), sleep(50)]);
  }
  await Promise.all(acks);
  const odd = numbers(1, 200).filter((text) => Number(text.slice(1)) % 2);
  const even = numbers(1, 200).filter((text) => Number(text.slice(1)) % 2 === 0);
  await has(cat, 'm199');
  await has(bob, 'm199');
  await has(bob, 'm200');
  await has(ann, 'm199');
  assert.deepEqual(cat.heard, odd);
  assert.deepEqual(
    bob.heard.filter((text) => odd.includes(text)),
    odd,
  );
  assert.deepEqual(
    bob.heard.filter((text) => even.includes(text)),
    even,
  );
  assert.deepEqual(ann.heard, odd);
  for (const { lost, states } of [ann, bob, cat]) {
    assert.deepEqual(lost, []);
    assert.ok(states.filter(({ state }) => state === 'online').every((one) => one.recovered));
    assert.ok(states.some(({ state }) => state === 'away'));
  }
  await until(() => ann.sluice.pending === 0);
  for (const node of nodes) await node.stop('SIGINT');
});

test('Redis goes and comes back under the sockets: what is sent meanwhile arrives', async (t) => {
  const { redis, nodes } = await start(t);
  const ann = await roam(t, 'ann', nodes[0]);
  const bob = await roam(t, 'bob', nodes[1]);
  for (const { sluice } of [ann, bob]) await sluice.emit('join', { room: 'r' });
  const acks = numbers(1, 10).map((message) => ann.sluice.emit('sendMessage', message));
  await acks[4];
  await redis.kill();
  acks.push(...numbers(11, 20).map((message) => ann.sluice.emit('sendMessage', message)));
  const asked = ann.sluice.emit('history', { room: 'r', limit: 1 });
  await until(() => ann.sluice.pending > 0);
  await redis.restart();
  await Promise.all(acks);
  assert.equal((await asked).messages.length, 1);
  await has(bob, 'm20');
  assert.deepEqual(bob.heard, numbers(1, 20));
  assert.deepEqual(ann.heard, numbers(1, 20));
  const states = ann.states.map(({ state }) => state);
  // A Cluster is away for so long that another node is tried.
  if (!redis.servers) assert.deepEqual(states, ['online'], 'the socket stayed');
});

test('Redis loses all: it is told, and in its rooms and topics again', async (t) => {
  const { redis, nodes, doors } = await start(t);
  const ann = await roam(t, 'ann', doors[0]);
  const bob = await roam(t, 'bob', nodes[1]);
  const heard = [];
  ann.sluice.on('message', (data) => heard.push(data));
  for (const { sluice } of [ann, bob]) {
    await sluice.emit('join', { room: 'r' });
    await sluice.emit('subscribe', { channel: 'topic:t' });
  }
  await bob.sluice.emit('sendMessage', { room: 'r', message: 'before' });
  await has(ann, 'before');
  doors[0].refusing = true;
  doors[0].cut();
  await redis.cli('FLUSHALL');
  doors[0].refusing = false;
  const told = () => new Set(ann.lost.map(({ channel }) => channel));
  await until(() => ['room:r', 'topic:t', 'user:ann'].every((channel) => told().has(channel)));
  await until(() => ann.sluice.state === 'online');
  await bob.sluice.emit('sendMessage', { room: 'r', message: 'after' });
  await bob.sluice.emit('publish', { channel: 'topic:t', data: 'price' });
  await has(ann, 'after');
  await until(() => heard.length === 1);
  assert.deepEqual([ann.heard, heard], [['before', 'after'], ['price']]);

  // Under a socket that stands: memberships go too, and come back.
  await redis.cli('FLUSHALL');
  await ann.sluice.emit('sendMessage', { room: 'r', message: 'again' });
  await has(bob, 'again');
});

test('a connection that is dead without a word is left', async (t) => {
  const { doors } = await start(t);
  const ann = await roam(t, 'ann', doors[0], { heartbeat: 100, silence: 400 });
  doors[0].stall();
  await until(() => ann.states.some(({ reason }) => reason === 'silent'));
  await until(() => ann.sluice.state === 'online');
  assert.equal(ann.states.at(-1).recovered, true);
});

test('a long text gets through in one message, cut on its way', async (t) => {
  const { nodes, doors } = await start(t);
  const ann = await roam(t, 'ann', doors[0], { chunk: 65536 });
  const bob = await roam(t, 'bob', nodes[1]);
  const content = 'é"日😀x\n'.repeat(150000); // 2.2 MB as JSON
  let cuts = 0;
  const seen = [];
  const progress = (done, total) => {
    seen.push(`${done}/${total}`);
    if (done === 10 && cuts++ < 2) doors[0].cut();
  };
  const first = ann.sluice.emit('private_message', { receiverId: 'bob', content }, { progress });
  const second = ann.sluice.emit('private_message', { receiverId: 'bob', content: 'behind' });
  assert.equal((await first).seq, 1);
  assert.equal((await second).seq, 2);
  await has(bob, 'behind');
  assert.equal(bob.heard.length, 2);
  assert.ok(bob.heard[0] === content, 'character by character');
  assert.ok(cuts >= 3, 'it began anew after each cut');
  const total = Number(seen[0].split('/')[1]);
  assert.equal(seen.at(-1), `${total}/${total}`);
  // Beyond the server's own bound it is refused, and nothing of it stays in the way.
  const vast = { receiverId: 'bob', content: 'x'.repeat(5 * 1048576) };
  await assert.rejects(ann.sluice.emit('private_message', vast), { code: 'too_large' });
  assert.equal((await ann.sluice.emit('private_message', { receiverId: 'bob', content })).seq, 3);
});

test('a message above the limit of the server is given up, not sent for ever', async (t) => {
  const { nodes } = await start(t, { args: [...ARGS, '--max-message', '20000'] });
  const ann = await roam(t, 'ann', nodes[0]);
  await ann.sluice.emit('join', { room: 'r' });
  const [before, big, after] = ['before', 'x'.repeat(30000), 'after'].map((message) =>
    ann.sluice.emit('sendMessage', { room: 'r', message }),
  );
  await assert.rejects(big, { code: 'too_large' });
  await Promise.all([before, after]);
  await has(ann, 'after');
  assert.deepEqual(ann.heard, ['before', 'after']);
  const closes = ann.states.filter(({ code }) => code === 1009);
  assert.equal(closes.length, 1);
  assert.match(closes[0].hint, /bigger/);
  // In pieces that the server takes it arrives.
  const bob = await roam(t, 'bob', nodes[1], { chunk: 10000 });
  await bob.sluice.emit('private_message', { receiverId: 'ann', content: 'y'.repeat(30000) });
  await has(ann, 'y'.repeat(30000));
});
