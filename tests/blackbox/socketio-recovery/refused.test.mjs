// Connection state recovery that is not to be: the client gets a new connection, knows it, and
// logs in anew. Never is something missing from, or twice in, what is called recovered.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after } from 'node:test';
import { cluster, login, sleep, test, until } from '../lib/harness.mjs';
import * as recovery from '../lib/recovery.mjs';
import { keys } from '../lib/registry.mjs';
import { emit, next, once, WAYS } from '../lib/socketio.mjs';

const { assertStranger, away, back, claim, comeBack, comeBackUnknown, guest, guestBeside } = recovery;
const { QUICK, Scene, sessionKey } = recovery;
const ARGS = [...QUICK, '--socketio-namespaces', '/shop'];
const { redis, nodes, stop } = await cluster({ nodes: 2, args: ARGS });
after(stop);

// A stranger's connection, by hand.
async function assertNew(raw, { sid, pid }) {
  assert.match(raw.pid, /^[\w-]{16,}$/);
  assert.notEqual(raw.pid, pid);
  assert.notEqual(raw.sid, sid);
  assert.notEqual(raw.pid, raw.sid);
  const said = raw.emit('sendMessage', 'x'); // it waits for a login, and fails with it
  raw.send(`42${raw.packet.match(/^40([^{]*)/)[1]}["login",{"userId":""}]`);
  const { error } = await said;
  assert.equal(error.code, 'not_logged_in');
}

let sessions = 0;

// A session by hand that has one message, and is cut: { sid, pid, offset }.
async function leftAlone(options) {
  const user = `raw${++sessions}`;
  const raw = await claim(nodes[0], undefined, options);
  await raw.emit('login', { userId: user });
  const bob = await login(nodes[1], `to-${user}`);
  await bob.emit('private_message', { receiverId: user, content: 'one' });
  const text = await raw.next();
  const [event, data, offset] = JSON.parse(text.slice(text.indexOf('[')));
  assert.deepEqual([event, data.content, typeof offset], ['new_private_message', 'one', 'string']);
  raw.terminate();
  const tell = (content) => bob.emit('private_message', { receiverId: user, content });
  return { user, sid: raw.sid, pid: raw.pid, offset, tell };
}

const contentOf = (text) => JSON.parse(text.slice(text.indexOf('[')))[1].content;

test('by hand: the answer comes first, then what was missed, then what is live', async () => {
  for (const [nsp, head] of [['/', '42'], ['/shop', '42/shop,']]) {
    const session = await leftAlone({ nsp });
    await session.tell('two');
    await session.tell('three');
    const raw = await claim(nodes[1], { pid: session.pid, offset: session.offset }, { nsp });
    assert.deepEqual([raw.sid, raw.pid], [session.sid, session.pid]);
    await session.tell('four');
    for (const text of ['two', 'three', 'four']) {
      const packet = await raw.next();
      assert.ok(packet.startsWith(`${head}["new_private_message",{`), packet);
      assert.equal(contentOf(packet), text);
    }
    raw.terminate();
    // The same again: as a client that got nothing of this.
    const again = await claim(nodes[0], { pid: session.pid, offset: session.offset }, { nsp });
    assert.deepEqual([again.sid, again.pid], [session.sid, session.pid]);
    for (const text of ['two', 'three', 'four']) assert.equal(contentOf(await again.next()), text);
    again.terminate();
  }
});

const LONG = 'x'.repeat(7000);
const PIDS = [
  ...[5, -1, 1.5, true, [], {}, ['x'], { a: 1 }],
  ...['', 'x', 'unknown-but-well-formed-pid-0123', LONG, '\u0000', 'a\nb', '}', '{}', '*', '../..', 'ä'],
];

test('a pid that is unknown or none at all', async () => {
  const session = await leftAlone();
  for (const pid of PIDS) {
    for (const offset of [undefined, session.offset, 'x']) {
      const raw = await claim(nodes[1], { pid, offset });
      await assertNew(raw, session);
      raw.terminate();
    }
  }
  for (const pid of [`${session.pid}x`, session.pid.slice(1), ` ${session.pid}`, session.sid]) {
    const raw = await claim(nodes[1], { pid, offset: session.offset });
    await assertNew(raw, session);
    raw.terminate();
  }
  for (const auth of ['', '{}', '[]', '"x"', '5', 'null', `{"offset":${JSON.stringify(session.offset)}}`]) {
    if (/^[^{]/.test(auth) && auth !== '') continue; // no auth of Socket.IO: closed as invalid
    const raw = await claim(nodes[1], auth);
    await assertNew(raw, session);
    raw.terminate();
  }
  // All of that harmed nobody.
  await session.tell('two');
  const raw = await claim(nodes[0], { pid: session.pid, offset: session.offset });
  assert.deepEqual([raw.sid, raw.pid], [session.sid, session.pid]);
  assert.equal(contentOf(await raw.next()), 'two');
  raw.terminate();
});

test('an offset that is malformed, or of somebody else', async () => {
  const other = await leftAlone();
  const bad = [
    ...[5, 0, -1, 1e400, true, false, [], {}, ['1'], { seq: 1 }],
    ...['', ' ', 'x', '-1', '1e3', '0x1', '99999999999999999999999', LONG, '\u0000', 'a\nb', 'ä', '{}'],
    (offset) => `${offset} `,
    (offset) => ` ${offset}`,
    (offset) => `${offset}x`,
    (offset) => `${offset}\u0000`,
    (offset) => `${offset}\u0000${LONG.slice(0, 5000)}`,
    (offset) => `${offset.slice(0, 3)}\u0000${LONG.slice(0, 5000)}`,
    (offset) => offset.replace(/\.[^.]*$/, `.${LONG}`),
    (offset) => `~${offset}`,
    (offset) => `~${offset} ${offset}`,
    '!',
    '~',
    '.'.repeat(1000),
    ' '.repeat(1000),
    (offset) => [offset],
    async () => (await leftAlone()).offset,
    () => other.pid,
  ];
  const tries = bad.map(async (one) => {
    const session = await leftAlone();
    await session.tell('two');
    const offset = typeof one === 'function' ? await one(session.offset) : one;
    const raw = await claim(nodes[1], { pid: session.pid, offset });
    const what = JSON.stringify(offset)?.slice(0, 60);
    assert.notEqual(raw.pid, session.pid, `offset ${what} is refused`);
    await assertNew(raw, session);
    raw.terminate();
  });
  await Promise.all(tries);
});

/*
 * The client tells the offset of a session before until something comes in this one, perhaps of
 * another user: so it has nothing of this one.
 */
test('an offset from before the session, of somebody else', async () => {
  const before = await leftAlone();
  const session = await leftAlone();
  await session.tell('two');
  const raw = await claim(nodes[1], { pid: session.pid, offset: before.offset });
  if (raw.pid !== session.pid) await assertNew(raw, session);
  else for (const text of ['one', 'two']) assert.equal(contentOf(await raw.next()), text);
  raw.terminate();
});

test('the session of another namespace', async (t) => {
  const session = await leftAlone();
  const shop = await claim(nodes[1], { pid: session.pid, offset: session.offset }, { nsp: '/shop' });
  await assertNew(shop, session);
  shop.terminate();
  const inShop = await leftAlone({ nsp: '/shop' });
  const raw = await claim(nodes[1], { pid: inShop.pid, offset: inShop.offset });
  await assertNew(raw, inShop);
  raw.terminate();

  // Both of one client are recovered, each as itself.
  const main = await guest(t, nodes[0], 'main');
  const beside = await guestBeside(t, main, '/shop', 'shopper');
  const scenes = [await Scene.of(t, nodes[1], main), await Scene.of(t, nodes[1], beside)];
  for (const node of [nodes[1], nodes[0], nodes[1]]) {
    const { id, comings } = beside;
    const times = comings.length;
    const meanwhile = async () => {
      for (const scene of scenes) await scene.say(2);
    };
    await comeBack(main, node, { meanwhile });
    await until(() => comings.length > times);
    assert.deepEqual(comings.at(-1), { recovered: true, id });
    for (const scene of scenes) await scene.check();
  }
  // One leaves by itself, the other is recovered alone.
  const { pid } = beside;
  beside.disconnect();
  await until(async () => (await redis.cli('EXISTS', sessionKey(pid))) === '0');
  await comeBack(main, nodes[0], { meanwhile: () => scenes[0].say(2) });
  await scenes[0].check();
  const before = { id: beside.comings.at(-1).id, pid };
  beside.connect();
  await once(beside, 'connect');
  assert.equal(beside.recovered, false);
  await assertStranger(beside, before);
});

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
    await until(async () => (await redis.cli('EXISTS', sessionKey(pid))) === '0');
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
    await until(async () => (await redis.cli('EXISTS', sessionKey(pid))) === '0', { timeout: 15000 });
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
    await until(() => probe.emit('publish', { channel: 'topic:probe', data: 'stored' }));
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
    if (how === 'empty') {
      for (const name of fs.readdirSync(own.redis.dir)) {
        if (name.endsWith('.rdb')) fs.rmSync(path.join(own.redis.dir, name));
      }
    }
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
async function bothClaim({ pid, offset }, where) {
  const claims = await Promise.allSettled(where.map((node) => claim(node, { pid, offset })));
  return claims.filter(({ value }) => value).map(({ value }) => value);
}

test('two claim it at the same moment: not both get it', async () => {
  for (let round = 0; round < 12; round++) {
    const session = await leftAlone();
    await session.tell('two');
    const where = round % 3 ? [nodes[0], nodes[1]] : [nodes[1], nodes[1]];
    // Redis hears of both at once.
    await redis.cli('CLIENT', 'PAUSE', '200', 'ALL');
    const claims = await bothClaim(session, where);
    const [winner, ...more] = claims.filter(({ pid }) => pid === session.pid);
    assert.deepEqual(more, [], `round ${round}: both are recovered`);
    if (winner) assert.equal(contentOf(await winner.next()), 'two');
    for (const raw of claims) {
      if (raw !== winner) await assertNew(raw, session);
      raw.terminate();
    }
    // Whoever comes later may have it, or must begin anew.
    const later = await claim(nodes[0], { pid: session.pid, offset: session.offset });
    if (later.pid === session.pid) {
      assert.equal(later.sid, session.sid);
      assert.equal(contentOf(await later.next()), 'two');
    } else {
      await assertNew(later, session);
    }
    later.terminate();
  }
});

test('the newer of two that have it stays, the older is closed', async () => {
  const session = await leftAlone();
  const auth = { pid: session.pid, offset: session.offset };
  const olders = [];
  const told = [];
  for (const node of [nodes[0], nodes[0], nodes[1]]) {
    const newer = await claim(node, auth);
    assert.deepEqual([newer.pid, newer.sid], [session.pid, session.sid]);
    told.push(`at ${node.id}, ${told.length}`);
    await session.tell(told.at(-1));
    for (const text of told) assert.equal(contentOf(await newer.next()), text);
    assert.deepEqual(await newer.emit('heartbeat'), {});
    olders.push(newer);
  }
  const newest = olders.pop();
  const open = () => olders.filter(({ ws }) => ws.readyState !== 3).length;
  await until(() => open() === 0, { timeout: 50000, what: 'the older ones are closed' });
  assert.deepEqual(await newest.emit('all_member', {}).then(({ error }) => error?.code), 'not_a_member');
  await session.tell('still');
  assert.equal(contentOf(await newest.next()), 'still');
  newest.terminate();
  assert.equal((await keys(redis, sessionKey(session.pid))).length, 1);
});
