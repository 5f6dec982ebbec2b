// Connection state recovery that is not to be: the client gets a new connection, knows it, and
// logs in anew. Never is something missing from, or twice in, what is called recovered.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, login, sleep, test, until } from '../lib/harness.mjs';
import * as recovery from '../lib/recovery.mjs';
import { emit, next, once, WAYS } from '../lib/socketio.mjs';

const { assertStranger, away, back, comeBack, comeBackUnknown, forgotten, guest } = recovery;
const { QUICK, Scene, sessionKey } = recovery;
const { redis, nodes, stop } = await cluster({ nodes: 2, args: QUICK });
after(stop);

test('who never logged in', async (t) => {
  const ann = await guest(t, nodes[0], null);
  for (const node of [nodes[1], nodes[0]]) await comeBackUnknown(ann, node);
  // Then it does, and is somebody.
  await emit(ann, 'login', { userId: 'late' });
  ann.user = 'late';
  const scene = await Scene.of(t, nodes[1], ann);
  await comeBack(ann, nodes[1], { meanwhile: () => scene.say(2) });
  await scene.check();
});

for (const transports of WAYS) {
  const way = transports.join(' then ');
  const tag = transports.join('');

  test(`${way}: who said goodbye`, async (t) => {
    const ann = await guest(t, nodes[0], `bye-${tag}`, { transports });
    const scene = await Scene.of(t, nodes[1], ann);
    await scene.check();
    await comeBack(ann, nodes[1]);
    const { id, pid } = ann;
    ann.disconnect();
    await forgotten(redis, pid);
    await scene.say(2);
    ann.connect();
    await once(ann, 'connect');
    assert.equal(ann.recovered, false);
    await assertStranger(ann, { id, pid });
    assert.ok(!ann.heard.some(({ data }) => scene.said.room.slice(-2).includes(data?.message)));
  });
}

/*
 * A client that is not recovered logs in anew and is recovered from then on, although it still
 * tells the offset of the session before if nothing came in this one.
 */
test('not recovered once, recovered again after the next login', async (t) => {
  const ann = await guest(t, nodes[0], 'anew');
  const first = await Scene.of(t, nodes[1], ann);
  for (const node of [nodes[1], nodes[0], nodes[1]]) {
    await first.check();
    await comeBackUnknown(ann, node, { meanwhile: () => redis.cli('DEL', sessionKey(ann.pid)) });
    await emit(ann, 'login', { userId: 'anew' });
    await comeBack(ann, nodes[0]);
    await comeBack(ann, nodes[1], { meanwhile: () => first.say(0) });
    await comeBack(ann, nodes[0], { meanwhile: () => first.say(2, ['private']) });
    await first.check(['private']);
    await emit(ann, 'join', { room: 'anew' });
    await emit(ann, 'subscribe', { channel: 'topic:anew' });
  }
});

test('away for longer than the option says; present for as long as it likes', async (t) => {
  const own = await cluster({ nodes: 2, redis, args: [...QUICK, '--socketio-recovery', '3000ms'] });
  t.after(own.stop);
  const guests = await Promise.all(
    WAYS.map((transports) => guest(t, own.nodes[0], `ex-${transports.join('')}`, { transports })),
  );
  const scenes = [];
  for (const ann of guests) scenes.push(await Scene.of(t, nodes[1], ann));
  for (const scene of scenes) await scene.check();
  await sleep(7000);
  for (const [i, ann] of guests.entries()) {
    assert.ok(ann.connected && ann.comings.length === 1);
    await comeBack(ann, own.nodes[1], { meanwhile: () => scenes[i].say() });
    await scenes[i].check();
  }
  const pids = guests.map(({ pid }) => pid);
  for (const ann of guests) await away(ann);
  for (const pid of pids) {
    await forgotten(redis, pid, { timeout: 15000 });
  }
  await Promise.all(guests.map((ann) => comeBackUnknown(ann, own.nodes[0])));
});

test('what was missed has been trimmed', async (t) => {
  const own = await cluster({ nodes: 2, args: [...QUICK, '--history-max', '10'] });
  t.after(own.stop);
  for (const kind of ['room', 'private', 'topic']) {
    const ann = await guest(t, own.nodes[0], `trim-${kind}`);
    const scene = await Scene.of(t, own.nodes[1], ann);
    await scene.check();
    await comeBack(ann, own.nodes[1], { meanwhile: () => scene.say(8, [kind]) });
    await scene.check();
    await comeBackUnknown(ann, own.nodes[0], { meanwhile: () => scene.say(300, [kind]) });
  }
});

test('what was missed is gone from its log', async (t) => {
  const losses = {
    'the log is deleted': ['DEL', 'log'],
    'log and numbers are deleted': ['DEL', 'log', 'meta'],
    'its head is cut off': ['XTRIM', 'log'],
  };
  const channels = { room: 'room:', private: 'user:', topic: 'topic:' };
  let n = 0;
  for (const [what, [command, ...parts]] of Object.entries(losses)) {
    for (const [kind, prefix] of Object.entries(channels)) {
      const name = `gone${++n}`;
      const ann = await guest(t, nodes[0], name);
      const scene = await Scene.of(t, nodes[1], ann);
      await scene.check();
      const lose = async () => {
        await scene.say(3);
        for (const part of parts) {
          const key = `sluice:{${prefix}${name}}:${part}`;
          const rest = command === 'XTRIM' ? ['MAXLEN', 1] : [];
          assert.ok(Number(await redis.cli(command, key, ...rest)) > 0, key);
        }
      };
      await comeBackUnknown(ann, nodes[1], { meanwhile: lose }).catch((error) => {
        error.message = `${kind}, ${what}: ${error.message}`;
        throw error;
      });
    }
  }
});

// Each node has greeted Redis again: a login that comes while its links are away gets no ack.
async function knowOfFlush(nodes) {
  for (const node of nodes) {
    const probe = await until(() => login(node, 'probe'));
    for (let i = 0; i < 20; i++) {
      await until(() => probe.emit('publish', { channel: `topic:probe${i}`, data: 'stored' }));
    }
    await probe.close();
  }
}

test('Redis is flushed, or its key deleted', async (t) => {
  const own = await cluster({ nodes: 2, args: QUICK });
  t.after(own.stop);
  for (const how of ['DEL', 'FLUSHALL']) {
    const ann = await guest(t, own.nodes[0], `fl-${how}`);
    const scene = await Scene.of(t, own.nodes[1], ann);
    await scene.check();
    const { pid } = ann;
    await comeBackUnknown(ann, own.nodes[1], {
      meanwhile: () => own.redis.cli(...(how === 'DEL' ? ['DEL', sessionKey(pid)] : ['FLUSHALL'])),
    });
    await knowOfFlush(own.nodes);
    const anew = await guest(t, own.nodes[0], `fl2-${how}`);
    const next = await Scene.of(t, own.nodes[1], anew);
    await comeBack(anew, own.nodes[1], { meanwhile: () => next.say(2) });
    await next.check();
  }
});

/*
 * Flushed while it is connected: it is told what is lost; whether it can be recovered later is
 * not said, but if so, nothing of what was said since is missing or comes twice.
 */
test('Redis is flushed while it is connected', async (t) => {
  const own = await cluster({ nodes: 2, args: QUICK });
  t.after(own.stop);
  for (let round = 0; round < 4; round++) {
    await knowOfFlush(own.nodes);
    const ann = await guest(t, own.nodes[0], `live${round}`);
    const scene = await Scene.of(t, own.nodes[1], ann);
    await scene.check();
    await own.redis.cli('FLUSHALL');
    const sayAgain = () => scene.speaker.emit('sendMessage', { room: scene.name, message: 'back?' });
    if (round % 2) {
      await until(sayAgain);
      await until(() => ann.heard.some(({ data }) => data?.message === 'back?'));
    }
    const { id } = ann;
    const before = ann.heard.length;
    const said = [];
    await away(ann);
    for (let i = 0; i < 3; i++) {
      await until(() => scene.speaker.emit('sendMessage', { room: scene.name, message: i }));
      said.push(i);
    }
    if (!(await back(ann, own.nodes[1]))) continue;
    assert.equal(ann.id, id);
    await until(() => scene.speaker.emit('sendMessage', { room: scene.name, message: 'end' }));
    await next(ann, 'chatMessage', { match: ({ message }) => message === 'end' });
    const since = ann.heard.slice(before).filter(({ event }) => event === 'chatMessage');
    assert.deepEqual(since.map(({ data }) => data.message).filter((text) => text !== 'back?'), [...said, 'end']);
  }
});

test('Redis comes back empty, or without its last moments', async (t) => {
  const own = await cluster({ nodes: 2, args: QUICK, redis: { config: { appendonly: 'no' } } });
  t.after(own.stop);
  for (const how of ['empty', 'tail lost, which it had', 'tail lost, which it had not']) {
    const ann = await guest(t, own.nodes[0], how.replace(/\W+/g, '-'));
    const scene = await Scene.of(t, own.nodes[1], ann);
    await scene.check();
    await own.redis.cli('SAVE');
    if (how === 'tail lost, which it had') await scene.check();
    await away(ann);
    await scene.say(3);
    if (how === 'empty') own.redis.forget();
    await own.redis.kill();
    await own.redis.restart();
    for (const node of own.nodes) await node.untilReady();
    // The channel's numbers are given anew.
    for (let i = 0; i < 5; i++) {
      await until(() => scene.speaker.emit('sendMessage', { room: scene.name, message: `anew ${i}` }));
      await scene.speaker.emit('private_message', { receiverId: ann.user, content: `anew ${i}` });
    }
    const { id, pid } = ann;
    const recovered = await back(ann, own.nodes[1]);
    if (how !== 'tail lost, which it had not') {
      assert.equal(recovered, false, how);
      await assertStranger(ann, { id, pid });
      continue;
    }
    if (!recovered) continue;
    // It had nothing of what is lost: it may go on with what is there.
    const anew = Array.from({ length: 5 }, (_, i) => `anew ${i}`);
    await until(() => ann.heard.some(({ data }) => data?.content === 'anew 4'));
    await until(() => ann.heard.some(({ data }) => data?.message === 'anew 4'));
    const texts = (event, field) =>
      ann.heard.filter((one) => one.event === event).map(({ data }) => data[field]);
    assert.deepEqual(texts('chatMessage', 'message'), [...scene.said.room.slice(0, 1), ...anew]);
    assert.deepEqual(texts('new_private_message', 'content'), [...scene.said.private.slice(0, 1), ...anew]);
  }
});

// Each answers, or is closed without an answer: that is the new one, or nobody.
