// Connection state recovery by hand: what a client may claim. A client with an unknown pid, a
// malformed offset or another session's offset gets a new connection, and knows it. Of two that
// claim the same session one gets it.
import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import { cluster, login, test, until } from '../lib/harness.mjs';
import * as recovery from '../lib/recovery.mjs';
import { keys } from '../lib/registry.mjs';
import { once } from '../lib/socketio.mjs';

const { assertStranger, claim, comeBack, forgotten, guest, guestBeside } = recovery;
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

// A node looks after the sessions that it has every 30 s: the first waits for that, the others take
// their turns beside it.
describe('two at a time', { concurrency: 2 }, () => {
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
    await forgotten(redis, pid);
    await comeBack(main, nodes[0], { meanwhile: () => scenes[0].say(2) });
    await scenes[0].check();
    const before = { id: beside.comings.at(-1).id, pid };
    beside.connect();
    await once(beside, 'connect');
    assert.equal(beside.recovered, false);
    await assertStranger(beside, before);
  });

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
});
