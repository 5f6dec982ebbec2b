// Connection state recovery when nodes fail or lines die: killed, drained, stopped, cut in the
// middle of being caught up.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after } from 'node:test';
import { cluster, login, startNode, sleep, test, until } from '../lib/harness.mjs';
import { clusterBehindNginx } from '../lib/nginx.mjs';
import { packets, poll } from '../lib/conformance.mjs';
import * as recovery from '../lib/recovery.mjs';
import { hash, metric } from '../lib/registry.mjs';
import { emit, next, once, WAYS } from '../lib/socketio.mjs';

const { assertOffsets, away, back, comeBack, ENDS, guest, QUICK, Scene } = recovery;
const { redis, nodes, stop } = await cluster({ nodes: 2, args: QUICK });
after(stop);

const another = (t, args = QUICK) => {
  const node = startNode({ redis, args });
  t.after(async () => (await node).stop());
  return node;
};
// Sessions of these outlive a time in which the machine does something else.
const PATIENT = [...QUICK.slice(0, -1), '60s']; // the last is the ping-timeout
const doomedNode = (args = QUICK) => startNode({ redis, args });
const isBack = (socket, times) =>
  until(() => socket.comings.length > times, { timeout: 20000, what: `${socket.user} is back` });
const connections = async (user) => Object.keys(await hash(redis, `sluice:{user:${user}}:conns`));
const offlines = (witness, user) =>
  witness.frames.filter(({ event, data }) => event === 'user_offline' && data === user).length;

for (const transports of WAYS) {
  const way = transports.join(' then ');
  const tag = transports.join('');

  test(`${way}: its node is killed, each time just when something was acknowledged`, async (t) => {
    let doomed = await doomedNode();
    const ann = await guest(t, doomed, `killed-${tag}`, { transports });
    const scene = await Scene.of(t, nodes[1], ann);
    await scene.speaker.emit('join', { room: `k-${tag}` });
    const topic = { channel: `topic:k-${tag}` };
    const steps = [
      [() => {}, 0, 0],
      [() => emit(ann, 'join', { room: `k-${tag}` }), 1, 0],
      [() => emit(ann, 'subscribe', topic), 1, 1],
      [() => emit(ann, 'leave', { room: `k-${tag}` }), 0, 1],
      [() => emit(ann, 'unsubscribe', topic), 0, 0],
    ];
    for (const [act, inRoom, inTopic] of steps) {
      await act();
      const { id } = ann;
      const times = ann.comings.length;
      const successor = await doomedNode();
      ann.door.to(successor);
      await doomed.kill();
      await scene.say(2);
      await scene.speaker.emit('sendMessage', { room: `k-${tag}`, message: 'other' });
      await scene.speaker.emit('publish', { ...topic, data: 'other topic' });
      await isBack(ann, times);
      assert.deepEqual(ann.comings.at(-1), { recovered: true, id });
      await scene.check();
      const count = (text) =>
        ann.heard.filter(({ data }) => (data.message ?? data) === text).length;
      await until(() => count('other') >= inRoom && count('other topic') >= inTopic);
      await scene.check();
      assert.deepEqual([count('other'), count('other topic')], [inRoom, inTopic]);
      ann.heard = ann.heard.filter(({ data }) => !/^other/.test(data.message ?? data));
      doomed = successor;
    }
    await doomed.stop();
  });

  test(`${way}: its node is drained, with messages all the time`, async (t) => {
    let going = await doomedNode();
    const ann = await guest(t, going, `drained-${tag}`, { transports });
    const scene = await Scene.of(t, nodes[1], ann);
    for (const node of [await doomedNode(), await doomedNode(), nodes[0]]) {
      const { id } = ann;
      const times = ann.comings.length;
      ann.door.to(node);
      const ended = going.stop('SIGTERM');
      for (let over = false; !over || ann.comings.length === times; ) {
        await scene.say();
        over ||= await Promise.race([ended.then(() => true), sleep(5)]);
      }
      assert.deepEqual(ann.comings.at(-1), { recovered: true, id });
      assert.equal(ann.comings.length, times + 1);
      await scene.check();
      going = node;
    }
    assertOffsets(ann);
  });

  test(`${way}: its node stands still, and wakes when it has gone on elsewhere`, async (t) => {
    const still = await another(t);
    const ann = await guest(t, still, `still-${tag}`, { transports });
    const scene = await Scene.of(t, nodes[1], ann);
    const { id } = ann;
    still.suspend();
    ann.door.to(nodes[0]);
    await scene.say(3);
    await isBack(ann, 1);
    assert.deepEqual(ann.comings.at(-1), { recovered: true, id });
    await scene.check();
    const before = offlines(scene.speaker, ann.user);
    still.resume();
    await until(async () => (await metric(still, 'sluice_users')) === 0, { timeout: 20000 });
    await scene.check();
    assert.equal((await connections(ann.user)).length, 1);
    assert.equal(offlines(scene.speaker, ann.user), before);
    await comeBack(ann, nodes[1], { meanwhile: () => scene.say(2) });
    await scene.check();
  });

  for (const [where, at] of [['the same node', 0], ['another node', 1]]) {
    test(`${way}: a dead line leaves its connection open, it goes on at ${where}`, async (t) => {
      const own = await another(t);
      const ann = await guest(t, own, `half${at}-${tag}`, { transports });
      const scene = await Scene.of(t, nodes[1], ann);
      const target = at ? nodes[0] : own;
      for (let i = 0; i < 3; i++) {
        if (ann.door.links().length) ann.door.stall();
        await scene.say(2);
        // It is not even told that the client gives it up.
        await comeBack(ann, target, { end: ENDS['the line is dead'] });
        await scene.check();
      }
      const open = target === own ? 1 : 0;
      await until(async () => (await metric(own, 'sluice_users')) === open, { timeout: 30000 });
      await until(async () => (await connections(ann.user)).length === 1, { timeout: 20000 });
      assert.equal(offlines(scene.speaker, ann.user), 0, 'it was never gone');
      await scene.check();
      await comeBack(ann, nodes[1], { meanwhile: () => scene.say(2) });
      await scene.check();
    });
  }
}

/*
 * `behind`: the channels in which much was missed; in `live` somebody goes on speaking, and that
 * is heard before the others are caught up.
 */
for (const [behind, live] of [
  [['room', 'private', 'topic'], []],
  [['room'], ['private']],
  [['private', 'topic'], ['room']],
]) {
  const what = `much in ${behind.join(', ')}, ${live.join() || 'nothing'} live`;
  test(`cut in the middle of being caught up, until it has it all: ${what}`, async (t) => {
    for (const transports of WAYS.slice(1)) {
      const name = `mid-${behind.length}${live.join()}-${transports.length}`;
      const ann = await guest(t, nodes[0], name, { transports });
      const scene = await Scene.of(t, nodes[1], ann);
      await away(ann);
      for (let i = 0; i < 6; i++) await scene.say(20, behind, 'x'.repeat(10000));
      const [{ id }] = ann.comings;
      const left = () =>
        behind.reduce((n, kind) => n + scene.said[kind].length - scene.heard()[kind].length, 0);
      let rounds = 0;
      for (; left() > 0; rounds++) {
        assert.ok(rounds < 80, `${left()} are left after ${rounds} rounds`);
        ann.door.fuse = 100000 + 37777 * (rounds % 7);
        assert.equal(await back(ann, nodes[rounds % 2]), true);
        while (ann.connected && left() > 0) await (live.length ? scene.say(1, live) : sleep(2));
        if (!ann.connected) ann.door.refusing = true;
        await sleep(1);
      }
      assert.ok(rounds > 3, `${rounds} rounds`);
      ann.door.fuse = 0;
      if (!ann.connected) await back(ann);
      await scene.check();
      assert.equal(ann.id, id);
      assert.ok(ann.comings.every(({ recovered }, i) => recovered === i > 0));
      assertOffsets(ann);
    }
  });
}

test('a client that reads slowly is closed for it, and goes on', async (t) => {
  const own = await another(t, [...PATIENT, '--max-queue', '200K']);
  const ann = await guest(t, own, 'slow', { straight: true });
  const scene = await Scene.of(t, nodes[1], ann);
  const { id } = ann;
  const socket = ann.io.engine.transport.ws._socket;
  socket.pause();
  const closed = async () => (await metric(own, 'sluice_closes_total', { code: 1013 })) > 0;
  for (let n = 0; !(await closed()); n++) {
    assert.ok(n < 1000, 'it is closed before 50 MB');
    await scene.say(1, ['room'], 'x'.repeat(50000));
  }
  socket.resume();
  await isBack(ann, 1);
  assert.deepEqual(ann.comings.at(-1), { recovered: true, id });
  await scene.check();
});

test('nginx in front: the node is killed, its clients go on at another', async (t) => {
  const own = await clusterBehindNginx({ nodes: 3, redis, args: QUICK });
  t.after(own.stop);
  const guests = await Promise.all(
    WAYS.map((transports) => guest(t, own.nginx, `ng-${transports.join('')}`, { transports })),
  );
  const scenes = [];
  for (const ann of guests) scenes.push(await Scene.of(t, nodes[1], ann));
  const serving = new Set(guests.map(({ ack }) => ack.node));
  for (const node of own.nodes.filter(({ id }) => serving.has(id)).slice(0, 2)) {
    const theirs = guests.filter(({ ack }) => ack.node === node.id);
    const times = theirs.map(({ comings }) => comings.length);
    await node.kill();
    for (const scene of scenes) await scene.say(2);
    for (const [i, ann] of theirs.entries()) await isBack(ann, times[i]);
    for (const ann of theirs) assert.equal(ann.comings.at(-1).recovered, true, ann.user);
    for (const scene of scenes) await scene.check();
  }
});

test('a hundred are cut at once, and all go on', async (t) => {
  const going = await doomedNode(PATIENT);
  const guests = await Promise.all(
    Array.from({ length: 100 }, (_, i) =>
      guest(t, going, `m${i}`, { transports: WAYS[i % 3], fields: { csId: 'many' } }),
    ),
  );
  const bob = await login(nodes[1], 'many-bob', { csId: 'many' });
  const tell = (message) => bob.emit('sendMessage', { room: 'room-many', message });
  await tell('first');
  for (const ann of guests) ann.door.to(nodes[0]);
  await going.kill();
  for (let i = 0; i < 5; i++) await tell(`missed ${i}`);
  for (const ann of guests) await isBack(ann, 1);
  await tell('live');
  for (const ann of guests) {
    await next(ann, 'chatMessage', { match: ({ message }) => message === 'live' });
    assert.equal(ann.comings.at(-1).recovered, true, ann.user);
    const texts = ann.heard.filter(({ event }) => event === 'chatMessage').map((m) => m.data.message);
    const missed = Array.from({ length: 5 }, (_, i) => `missed ${i}`);
    assert.deepEqual(texts, ['first', ...missed, 'live']);
  }
  await bob.close();
});

test('with linger, who comes back in time was never gone', async (t) => {
  const own = await cluster({ nodes: 2, redis, args: [...QUICK, '--linger', '10s'] });
  t.after(own.stop);
  const ann = await guest(t, own.nodes[0], 'linger');
  const scene = await Scene.of(t, own.nodes[1], ann);
  for (const [i, end] of [...Object.values(ENDS), ...Object.values(ENDS)].entries()) {
    await comeBack(ann, own.nodes[(i + 1) % 2], { end, meanwhile: () => scene.say() });
    await scene.check();
  }
  await until(async () => (await connections('linger')).length === 1, { timeout: 30000 });
  assert.equal(offlines(scene.speaker, 'linger'), 0);
});

/*
 * An official client does not count what comes in the payload that ends its session to what it
 * has, but keeps it until it is connected again: so it would have it twice.
 */
async function pollAll(session, payloads) {
  for (;;) {
    const { status, body } = await session.get({ timeout: 20000 });
    if (status !== 200) return;
    const some = packets(body);
    payloads.push(some);
    if (some.includes('2')) await session.post('3');
  }
}

async function endedByOverlap(t, own, round) {
  const room = `room-alone${round}`;
  const bob = await login(nodes[1], `alone-bob${round}`, { csId: `alone${round}` });
  t.after(() => bob.terminate());
  const payloads = [];
  const sessions = await Promise.all(
    Array.from({ length: 5 }, async (_, i) => {
      const session = await poll(own, 'socket.io');
      await session.post('40');
      await session.post(`421["login",{"userId":"alone${round}-${i}","csId":"alone${round}"}]`);
      session.over = pollAll(session, payloads);
      session.line = net.connect(own.port, '127.0.0.1').on('error', () => {});
      t.after(() => session.line.destroy());
      await once(session.line, 'connect');
      return session;
    }),
  );
  const isMessage = (packet) => packet.startsWith('42["chatMessage"');
  const heard = () => payloads.flat().filter(isMessage).length;
  const say = () => bob.emit('sendMessage', { room, message: 'x' });
  const isAck = (packet) => packet.startsWith('431[');
  // A member may not have been checked yet; a session that is logged in hears whatever is said.
  await until(() => payloads.flat().filter(isAck).length === sessions.length);
  await say();
  await until(() => heard() === sessions.length);
  await sleep(600); // the rosters have come
  // A message comes, and in the same turn of the loop a second poll, which ends the session.
  own.suspend();
  await say();
  for (const { line, url } of sessions) line.write(`GET ${url} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await sleep(100);
  own.resume();
  await Promise.all(sessions.map(({ over }) => over));
  return payloads.filter((some) => some.includes('1') && some.some(isMessage));
}

test('polling: what ends a session comes alone', async (t) => {
  const own = await another(t, QUICK.slice(0, -4)); // pings as they are by default
  for (let round = 0; round < 3; round++) assert.deepEqual(await endedByOverlap(t, own, round), []);
});
