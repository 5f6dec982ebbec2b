// Heartbeats: who sends one is held to it, who never does is watched by pings alone.
import assert from 'node:assert/strict';
import { ofUser } from '../lib/frames.mjs';
import { cluster, inRoom, login, sleep, test, until } from '../lib/harness.mjs';
import { count, fence, hash, scores } from '../lib/registry.mjs';

const TIMEOUT = 1000;
const { redis, nodes } = await cluster({
  nodes: 2,
  args: ['--heartbeat-timeout', `${TIMEOUT}ms`, '--ping-interval', '200ms'],
});

const of = (user) => ofUser(user, { timeout: 10000 });
const score = async (user) => (await scores(redis, 'sluice:online'))[user];

test('silent after a heartbeat: out of presence, the socket stays, an event brings it back', async () => {
  const [ann, eve] = await inRoom(nodes, 'a', 'ann', 'eve');
  const begun = Date.now();
  assert.deepEqual(await eve.emit('heartbeat', {}), {});
  await ann.next('user_offline', of('eve')); // although its WebSocket answers pings
  assert.ok(Date.now() - begun >= TIMEOUT * 0.9, 'not before it was silent for the timeout');
  assert.ok(eve.isOpen);
  assert.deepEqual(await hash(redis, 'sluice:{user:eve}:conns'), {});
  assert.equal(await score('eve'), undefined);

  // It still hears its room, and does not come back by that.
  await ann.emit('sendMessage', { room: 'a', message: 'hello?' });
  await eve.next('chatMessage');
  await fence(redis, [ann]);
  assert.equal(count(ann, 'user_online', 'eve'), 0);

  await eve.emit('typing', { room: 'a' });
  await ann.next('user_online', of('eve'));
  assert.ok((await score('eve')) > 0);
  await ann.next('user_offline', of('eve')); // and is held to it again
  await fence(redis, [ann]);
  assert.equal(count(ann, 'user_offline', 'eve'), 2);
  assert.equal(count(ann, 'user_online', 'eve'), 1);
});

test('a client that never sends one stays online', async () => {
  const [ann, quiet, beating] = await inRoom(nodes, 'b', 'ann-b', 'quiet', 'beating');
  await beating.emit('heartbeat');
  await ann.next('user_offline', of('beating'));
  await beating.emit('heartbeat');
  await ann.next('user_offline', of('beating')); // two timeouts are over now
  await fence(redis, [ann, quiet]);
  assert.equal(count(ann, 'user_offline', 'quiet'), 0);
  assert.ok((await score('quiet')) > 0);
});

test('any event counts as a beat', async () => {
  const [ann, eve] = await inRoom(nodes, 'c', 'ann-c', 'eve-c');
  await eve.emit('heartbeat', {});
  for (let i = 0; i < 12; i++) {
    await sleep(TIMEOUT / 5);
    eve.send('typing', { room: 'c' });
  }
  await fence(redis, [ann, eve]);
  assert.equal(count(ann, 'user_offline', 'eve-c'), 0);
  await ann.next('user_offline', of('eve-c'));
});

test('a silent device does not take down a user who has another', async () => {
  const [ann, phone] = await inRoom(nodes, 'd', 'ann-d', 'eve-d');
  const desk = await login(nodes[0], 'eve-d');
  await phone.emit('heartbeat');
  const conns = async () => Object.keys(await hash(redis, 'sluice:{user:eve-d}:conns'));
  await until(async () => (await conns()).length === 1);
  assert.deepEqual(await conns(), [desk.ack.connectionId]);
  await fence(redis, [ann]);
  assert.equal(count(ann, 'user_offline', 'eve-d'), 0);
});

test('one who went silent and then leaves is announced once', async () => {
  const [ann, eve] = await inRoom(nodes, 'f', 'ann-f', 'eve-f');
  await eve.emit('heartbeat', {});
  await ann.next('user_offline', of('eve-f'));
  await eve.close();
  const late = await login(nodes[1], 'late-f');
  await late.emit('join', { room: 'f' });
  await ann.next('userJoined', { match: ({ data }) => data.userId === 'late-f' });
  await fence(redis, [ann]);
  assert.equal(count(ann, 'user_offline', 'eve-f'), 1);
});

test('a new incarnation of the node does not bring back those who are silent', async () => {
  const [ann, eve] = await inRoom(nodes, 'g', 'ann-g', 'eve-g'); // eve on the second node
  const quiet = await login(nodes[1], 'quiet-g');
  await eve.emit('heartbeat', {});
  await ann.next('user_offline', of('eve-g'));
  const { incarnation } = await nodes[1].health();
  await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal');
  const conns = () => hash(redis, 'sluice:{user:quiet-g}:conns');
  await until(
    async () => {
      const [conn] = Object.values(await conns());
      return conn && !conn.startsWith(`${incarnation} `);
    },
    { what: 'the others are registered anew' },
  );
  assert.ok(quiet.isOpen && eve.isOpen);
  assert.equal(await score('eve-g'), undefined);
  assert.deepEqual(await hash(redis, 'sluice:{user:eve-g}:conns'), {});
  await eve.emit('heartbeat', {});
  await ann.next('user_online', of('eve-g'));
  for (const node of nodes) await node.untilReady();
});

test('heartbeats move the score in sluice:online', async () => {
  const [eve] = await inRoom(nodes, 'e', 'eve-e');
  const first = await score('eve-e');
  assert.ok(
    Math.abs(first - Number((await redis.cli('TIME')).split('\n')[0]) * 1000) < 60000,
    'ms',
  );
  for (let last = first, round = 0; round < 2; round++) {
    await until(async () => {
      await eve.emit('heartbeat', {});
      await sleep(100);
      return (await score('eve-e')) > last;
    });
    last = await score('eve-e');
  }
});

test('a beat never puts anyone into sluice:online', async () => {
  const [eve, fay] = await inRoom(nodes, 'h', 'eve-h', 'fay-h');
  const other = await login(nodes[0], 'other-h'); // on the node of eve
  await redis.cli('ZREM', 'sluice:online', 'eve-h');
  const first = await score('other-h');
  await until(async () => {
    for (const client of [eve, other]) await client.emit('heartbeat', {});
    await sleep(100);
    return (await score('other-h')) > first; // the node has written its scores
  });
  assert.equal(await score('eve-h'), undefined);
  assert.ok(fay.isOpen);
});

test('without heartbeats the score moves every score-interval', async () => {
  const own = await cluster({ nodes: 2, redis, args: ['--score-interval', '1s'] });
  const clients = await Promise.all(['s1', 's2', 's3'].map((id, i) => login(own.nodes[i % 2], id)));
  const first = await scores(redis, 'sluice:online');
  await until(async () => {
    const now = await scores(redis, 'sluice:online');
    return ['s1', 's2', 's3'].every((id) => now[id] > first[id]);
  });
  await Promise.all(clients.map((client) => client.close()));
  await own.stop();
});
