// Half-open and bad links between a node and Redis: found, made anew and healed.
import assert from 'node:assert/strict';
import { ofUser } from '../lib/frames.mjs';
import { inRoom, login, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { nodeBehindProxy, startProxy } from '../lib/proxy.mjs';
import { connections, count } from '../lib/registry.mjs';
import { assertHeard, talk } from '../lib/talk.mjs';

const QUICK = ['--redis-timeout', '500ms', '--lease-interval', '200ms', '--lease-timeout', '10s'];
const redis = await startRedis();
const plain = await startNode({ redis, args: QUICK });

async function behindProxy(t, room) {
  const { proxy, node } = await nodeBehindProxy(redis, { args: QUICK });
  const [ann, bob] = await inRoom([plain, node], room, `ann-${room}`, `bob-${room}`);
  t.after(async () => {
    await ann.close();
    await bob.close();
    await node.stop();
    proxy.close();
  });
  return { proxy, node, ann, bob };
}

for (const direction of ['toNode', 'toRedis', 'both']) {
  test(`the subscriber link is silent (${direction}): remade, nothing missed`, async (t) => {
    const room = `sub-${direction}`;
    const { proxy, ann, bob } = await behindProxy(t, room);
    const before = proxy.opened;
    proxy.stall({ link: 'subscriber', direction });
    const texts = ['1', '2', '3'];
    for (const message of texts) await ann.emit('sendMessage', { room, message });
    await assertHeard(bob, 'chatMessage', ann.user, texts);
    // What is published by the link's own node goes through whether it stands or not.
    await ann.emit('sendMessage', { room, message: '4' });
    await assertHeard(bob, 'chatMessage', ann.user, [...texts, '4']);
    if (direction !== 'toRedis') assert.ok(proxy.opened > before, 'links were made anew');
    await bob.none('channel_reset');
  });
}

test('the command link loses the replies: the outcome is unknown, a repeat is harmless', async (t) => {
  const { proxy, ann, bob } = await behindProxy(t, 'replies');
  proxy.stall({ link: 'commands', direction: 'toNode' });
  const message = { room: 'replies', message: 'once', clientMessageId: 'c1' };
  await assert.rejects(bob.emit('sendMessage', message), {
    code: 'unavailable',
    outcome: 'unknown',
  });
  const got = await ann.next('chatMessage'); // it was stored
  const ack = await until(() => bob.emit('sendMessage', message));
  assert.equal(ack.seq, got.data.seq);
  assert.equal(ack.timestamp, got.data.timestamp);
  await bob.emit('sendMessage', { room: 'replies', message: 'twice' });
  for (const client of [ann, bob])
    await assertHeard(client, 'chatMessage', bob.user, ['once', 'twice']);
});

test('the command link loses the requests: unavailable soon, a repeat is sent once', async (t) => {
  const { proxy, ann, bob } = await behindProxy(t, 'requests');
  proxy.stall({ link: 'commands', direction: 'toRedis' });
  const message = { room: 'requests', message: 'once', clientMessageId: 'c1' };
  await assert.rejects(bob.emit('sendMessage', message), { code: 'unavailable' });
  await until(() => bob.emit('sendMessage', message));
  await bob.emit('sendMessage', { room: 'requests', message: 'twice' });
  for (const client of [ann, bob])
    await assertHeard(client, 'chatMessage', bob.user, ['once', 'twice']);
});

test('Redis stands still, links open: not ready, then healed', async (t) => {
  const { node, ann, bob } = await behindProxy(t, 'still');
  const talking = talk(bob, { room: 'still' });
  await talking.more(5);
  redis.pause();
  try {
    await node.untilNotReady();
    await assert.rejects(ann.emit('sendMessage', { room: 'still', message: 'x' }), {
      code: 'unavailable',
    });
    assert.equal((await node.get('/healthz')).status, 200);
  } finally {
    redis.resume();
  }
  await node.untilReady();
  await talking.more(5);
  const said = await talking.stop();
  for (const client of [ann, bob]) await assertHeard(client, 'chatMessage', bob.user, said);
});

test('a node cut off alone is not ready, and heals when the way is free', async (t) => {
  const { proxy, node, ann, bob } = await behindProxy(t, 'cut');
  await ann.emit('sendMessage', { room: 'cut', message: '1' });
  proxy.refusing = true;
  proxy.cut();
  await node.untilNotReady();
  await assert.rejects(bob.emit('sendMessage', { room: 'cut', message: 'x' }), {
    code: 'unavailable',
    outcome: 'refused',
  });
  const texts = ['1', '2', '3'];
  for (const message of texts.slice(1)) await ann.emit('sendMessage', { room: 'cut', message });
  proxy.refusing = false;
  await assertHeard(bob, 'chatMessage', ann.user, texts);
  await node.untilReady();
  await until(() => bob.emit('sendMessage', { room: 'cut', message: 'back' }));
  await assertHeard(ann, 'chatMessage', bob.user, ['back']);
});

test('a node cut off for longer than its lease is reaped, and comes back', async (t) => {
  const own = ['--redis-timeout', '500ms', '--lease-interval', '200ms', '--lease-timeout', '1s'];
  const proxy = await startProxy(redis);
  const nodes = [
    await startNode({ redis, args: own }),
    await startNode({ redis: proxy.url, args: own }),
  ];
  t.after(() => Promise.all(nodes.map((node) => node.stop('SIGINT'))));
  const { incarnation } = await nodes[1].health();
  const [ann, bob] = await inRoom(nodes, 'reap', 'ann-reap', 'bob-reap');
  proxy.refusing = true;
  proxy.cut();
  const of = ofUser('bob-reap', { timeout: 10000 });
  await ann.next('user_offline', of);
  assert.ok(bob.isOpen);
  proxy.refusing = false;
  await ann.next('user_online', of);
  const [conn] = await connections(redis, 'bob-reap');
  assert.notEqual(conn.incarnation, incarnation, 'under a new incarnation');
  await until(() => ann.emit('sendMessage', { room: 'reap', message: 'x' }));
  await assertHeard(bob, 'chatMessage', 'ann-reap', ['x']);
  assert.equal(count(ann, 'user_offline', 'bob-reap'), 1);
  assert.equal(count(ann, 'user_online', 'bob-reap'), 1);
});

test('a slow way keeps order and loses nothing', async (t) => {
  const { proxy, ann, bob } = await behindProxy(t, 'slow');
  proxy.delay = 60;
  const talks = [talk(ann, { room: 'slow' }), talk(bob, { room: 'slow' })];
  await Promise.all(talks.map((one) => one.more(8)));
  const [annSaid, bobSaid] = await Promise.all(talks.map((one) => one.stop()));
  assert.deepEqual(talks[1].failures, [], 'slow is not broken');
  for (const client of [ann, bob]) {
    await assertHeard(client, 'chatMessage', ann.user, annSaid);
    await assertHeard(client, 'chatMessage', bob.user, bobSaid);
  }
});

test('a new room while the subscriber link swallows requests is entered soon', async (t) => {
  const { proxy, ann, bob } = await behindProxy(t, 'swallow');
  proxy.stall({ link: 'subscriber', direction: 'toRedis' });
  await ann.emit('join', { room: 'swallow-2' });
  await until(() => bob.emit('join', { room: 'swallow-2' }), { timeout: 15000 });
  await ann.emit('sendMessage', { room: 'swallow-2', message: 'x' });
  await assertHeard(bob, 'chatMessage', ann.user, ['x']);
});

test('rosters are fresh after a node was cut off', async (t) => {
  const { proxy, node, ann, bob } = await behindProxy(t, 'rosters');
  const cat = await login(plain, 'cat');
  await cat.emit('join', { room: 'rosters' });
  const three = { match: ({ data }) => data.online === 3 && data.total === 3 };
  await bob.next('update_member_list', three);
  proxy.refusing = true;
  proxy.cut();
  await node.untilNotReady();
  await cat.close();
  await ann.next('user_offline', ofUser('cat'));
  bob.take('onlineUsers');
  proxy.refusing = false;
  const two = { match: ({ data }) => data.online === 2 && data.total === 3 };
  await bob.next('update_member_list', two);
  const roster = await bob.next('onlineUsers');
  assert.deepEqual([...roster.data].sort(), [ann.user, bob.user].sort());
});

test('links cut at random while all talk: everything arrives once, in order', async (t) => {
  const { proxy, ann, bob } = await behindProxy(t, 'random');
  const talks = [talk(ann, { room: 'random' }), talk(bob, { peer: ann.user })];
  for (const link of ['subscriber', 'commands', 'all', 'subscriber', 'commands']) {
    await Promise.all(talks.map((one) => one.more(5)));
    await until(() => proxy.links().includes('subscriber') && proxy.links().length >= 2);
    proxy.cut({ link });
  }
  await Promise.all(talks.map((one) => one.more(5)));
  const [said, whispered] = await Promise.all(talks.map((one) => one.stop()));
  await assertHeard(bob, 'chatMessage', ann.user, said);
  await assertHeard(ann, 'new_private_message', bob.user, whispered);
});
