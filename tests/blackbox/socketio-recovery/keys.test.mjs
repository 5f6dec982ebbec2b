// What connection state recovery keeps in Redis and in the nodes, and for how long; its option.
import assert from 'node:assert/strict';
import { after, describe } from 'node:test';
import { cluster, login, sleep, startNode, test, until } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';
import * as recovery from '../lib/recovery.mjs';
import { gauges, keys, restingGauges, scores } from '../lib/registry.mjs';
import { emit, front, next, WAYS } from '../lib/socketio.mjs';

const { away, back, claim, comeBack, forgotten, guest, QUICK, Scene, sessionKey } = recovery;
const { redis, nodes, stop } = await cluster({ nodes: 2, args: QUICK });
after(stop);

// Pings as they are by default: a client is not given up when the machine does something else.
const PATIENT = QUICK.slice(0, -4);
const SPARE = 60000; // for a node that is killed: its clients' time begins with its last word
const ttlIn = async (server, pid) => Number(await server.cli('PTTL', sessionKey(pid)));
const ttl = (pid) => ttlIn(redis, pid);
const allSessions = () => keys(redis, 'sluice:{sio:*');
const gone = (pid) => forgotten(redis, pid);

// The first waits for 40 s, with a Redis of its own; the others take their turns beside it.
describe('two at a time', { concurrency: 2 }, () => {
  test('its time to live begins anew while it is connected, and runs when it is not', async (t) => {
    const own = await cluster({ nodes: 2, args: [...PATIENT, '--socketio-recovery', '4s'] });
    t.after(own.stop);
    const ttl = (pid) => ttlIn(own.redis, pid);
    const guests = await Promise.all(
      WAYS.map((transports) => guest(t, own.nodes[0], `ttl-${transports.join('')}`, { transports })),
    );
    for (const ann of guests) {
      const left = await ttl(ann.pid);
      assert.ok(left > SPARE && left <= 4000 + SPARE, `${ann.user}: ${left} ms`);
      await own.redis.cli('PEXPIRE', sessionKey(ann.pid), 45000);
    }
    // In time, that is: not more than 30 s later.
    for (const ann of guests) {
      await until(async () => (await ttl(ann.pid)) > 50000, { timeout: 42000, what: 'is kept' });
      assert.equal(ann.comings.length, 1);
    }
    for (const ann of guests) await away(ann);
    for (const ann of guests) await until(async () => (await ttl(ann.pid)) <= 4000);
    for (const ann of guests) {
      await until(async () => (await ttl(ann.pid)) === -2, { timeout: 20000 });
    }
    assert.deepEqual(await keys(own.redis, 'sluice:{sio:*'), []);
    for (const ann of guests) assert.equal(await back(ann), false);
  });

  test('a session has its key from login on, a hash with a time to live', async (t) => {
    const ann = await guest(t, nodes[0], null);
    await emit(ann, 'heartbeat').catch(() => {});
    assert.deepEqual(await allSessions(), []);
    await emit(ann, 'login', { userId: 'ann' });
    assert.deepEqual(await allSessions(), [sessionKey(ann.pid)]);
    assert.equal(await redis.cli('TYPE', sessionKey(ann.pid)), 'hash');
    const left = await ttl(ann.pid);
    assert.ok(left > 100000 && left <= 120000 + SPARE, `${left} ms`);
    // join logs in, too.
    const bob = await guest(t, nodes[1], null);
    await emit(bob, 'join', { id: 'bob', room: 'r' });
    assert.ok((await ttl(bob.pid)) > 60000);
    assert.equal((await allSessions()).length, 2);
    await comeBack(bob, nodes[0]);
    for (const one of [ann, bob]) {
      one.disconnect();
      await gone(one.pid);
    }
    assert.deepEqual(await allSessions(), []);
  });

  for (const transports of WAYS) {
    const way = transports.join(' then ');

    test(`${way}: it lives on over cuts as one key, and goes with the client's goodbye`, async (t) => {
      const ann = await guest(t, nodes[0], `one-${transports.join('')}`, { transports });
      const scene = await Scene.of(t, nodes[1], ann);
      for (let i = 1; i <= 6; i++) {
        await comeBack(ann, nodes[i % 2], { meanwhile: () => scene.say(2) });
        await emit(ann, i % 2 ? 'leave' : 'join', { room: 'other' });
        assert.ok((await ttl(ann.pid)) > 0);
        assert.deepEqual(await allSessions(), [sessionKey(ann.pid)]);
      }
      await scene.check();
      const { pid } = ann;
      ann.disconnect();
      await gone(pid);
      assert.deepEqual(await allSessions(), []);
    });
  }

  test('nothing is left when all have gone and their time is over', async () => {
    const own = await cluster({ nodes: 2, args: [...PATIENT, '--socketio-recovery', '2s'] });
    const before = await restingGauges(own.nodes);
    const claims = [];
    for (let round = 0; round < 3; round++) {
      const fronts = await Promise.all(
        Array.from({ length: 45 }, async (_, n) => {
          const s = await front(own.nodes[n % 2], { transports: WAYS[n % 3] });
          await emit(s, 'login', { userId: `u${n}`, csId: n % 5 });
          await emit(s, 'join', { room: `r${n % 4}` });
          await emit(s, 'subscribe', { channel: `topic:t${n % 3}` });
          return s;
        }),
      );
      for (const [n, s] of fronts.entries()) {
        const { id, _pid: pid, _lastOffset: offset } = s;
        if (n % 3 === 0) s.disconnect();
        else s.io.engine.close();
        if (n % 3 !== 1) continue;
        const raw = await claim(own.nodes[(n + 1) % 2], { pid, offset });
        claims.push([raw.pid === pid, raw.sid === id].join());
        raw.terminate();
      }
      for (const s of fronts) s.end();
    }
    assert.deepEqual(new Set(claims), new Set(['true,true']));
    const empty = (pattern) =>
      until(async () => (await keys(own.redis, pattern)).length === 0, { timeout: 30000, what: pattern });
    await empty('sluice:{sio:*');
    await empty('*:conns');
    await empty('*:here');
    await until(async () => (await gauges(own.nodes)) === before, { timeout: 20000 });
    assert.equal(Object.keys(await scores(own.redis, 'sluice:online')).length, 0);
    for (const key of await keys(own.redis)) {
      if (key !== 'sluice:nodes') assert.notEqual(await own.redis.cli('TTL', key), '-1', key);
    }
    await own.stop();
  });

  test('0 turns it off: no pid, no offsets, nobody is recovered, nothing in Redis', async (t) => {
    for (const how of [
      { args: [...QUICK, '--socketio-recovery', '0'] },
      { args: QUICK, env: { SLUICE_SOCKETIO_RECOVERY: '0' } },
    ]) {
      const off = await startNode({ redis, ...how });
      t.after(() => off.stop());
      const bare = await claim(off, {});
      assert.match(bare.packet, /^40\{"sid":"[\w-]+"\}$/);
      bare.terminate();
      // One that was elsewhere before.
      const ann = await guest(t, nodes[0], `off-${how.args.length}`);
      const scene = await Scene.of(t, nodes[1], ann);
      await scene.check();
      const { pid } = ann;
      await away(ann);
      assert.ok(!(await back(ann, off)));
      assert.equal(ann.pid, undefined);
      await emit(ann, 'login', { userId: ann.user });
      await emit(ann, 'join', { room: scene.name });
      await emit(ann, 'subscribe', { channel: `topic:${scene.name}` });
      await scene.speaker.emit('publish', { channel: `topic:${scene.name}`, data: 'text' });
      await next(ann, 'message', { match: (data) => data === 'text' });
      const cat = await login(nodes[1], `cat-${ann.user}`);
      await cat.emit('join', { room: scene.name });
      await cat.close();
      await next(ann, 'user_offline');
      ann.heard.splice(0, ann.heard.findIndex(({ data }) => data === 'text'));
      for (const one of ann.heard) assert.ok(!('offset' in one) || one.offset === undefined, JSON.stringify(one));
      assert.ok(!(await back((await away(ann), ann))));
      await redis.cli('DEL', sessionKey(pid));
      assert.ok(!(await allSessions()).includes(sessionKey(ann.pid)));
      ann.end();
    }
  });

  test('the option: in --help, from the environment, and what is wrong stops start-up', async (t) => {
    const { out } = await runProgram(['--help']);
    assert.match(out, /--socketio-recovery [^[]*\[(2m|120000|120s)\]/);
    for (const value of ['x', '-1', '1.5s', '99999d']) {
      for (const how of [
        { args: ['--socketio-recovery', value] },
        { args: [], env: { SLUICE_SOCKETIO_RECOVERY: value } },
      ]) {
        const args = ['--listen', '127.0.0.1:0', ...how.args];
        const result = await runProgram(args, { env: how.env });
        assert.ok(result.code > 0, result.all);
        assert.match(result.err, /socketio-recovery|SLUICE_SOCKETIO_RECOVERY/);
      }
    }
    const short = await startNode({ redis, args: QUICK, env: { SLUICE_SOCKETIO_RECOVERY: '1500ms' } });
    t.after(() => short.stop());
    const ann = await guest(t, short, 'env');
    assert.ok((await ttl(ann.pid)) <= SPARE + 1500);
  });

  test('the keys begin with the prefix', async (t) => {
    const own = await cluster({ nodes: 2, redis, args: [...QUICK, '--prefix', 'other:'] });
    t.after(own.stop);
    const ann = await guest(t, own.nodes[0], 'prefixed');
    assert.deepEqual(await keys(redis, `*${ann.pid}*`), [`other:{sio:${ann.pid}}`]);
    await comeBack(ann, own.nodes[1]);
    // Those of another prefix do not know it.
    const raw = await claim(nodes[0], { pid: ann.pid });
    assert.notEqual(raw.pid, ann.pid);
    raw.terminate();
    ann.disconnect();
    await until(async () => (await keys(redis, '*{sio:*')).length === 0);
  });

  test('Redis is not asked more by those who come than by those who log in', async (t) => {
    // Connecting without a pid costs Redis nothing.
    const calls = async () =>
      Number((await redis.cli('INFO', 'stats')).match(/total_commands_processed:(\d+)/)[1]);
    const idle = await startNode({ redis, args: QUICK });
    t.after(() => idle.stop());
    const perCall = async (act) => {
      const before = await calls();
      const began = Date.now();
      await act();
      return { commands: (await calls()) - before, ms: Date.now() - began };
    };
    const quiet = await perCall(() => sleep(1000));
    const fronts = [];
    const busy = await perCall(async () => {
      for (let i = 0; i < 40; i++) fronts.push(await front(idle, { transports: ['websocket'] }));
    });
    const expected = (quiet.commands / quiet.ms) * busy.ms;
    assert.ok(busy.commands < 2 * expected + 30, `${busy.commands}, about ${expected} without`);
    const pids = fronts.map(({ _pid }) => _pid);
    assert.ok(pids.every(Boolean));
    const theirs = (key) => pids.some((pid) => key.includes(pid)); // another test has others
    assert.deepEqual((await allSessions()).filter(theirs), []);
    for (const s of fronts) s.end();
  });
});
