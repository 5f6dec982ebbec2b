// Requests handed over while nodes die, stand still, drain and come, and while Redis is away.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { acquainted, begin, OPEN, UNKNOWN } from '../lib/handover.mjs';
import { cluster, freePort, sleep, startNode, test, until } from '../lib/harness.mjs';
import { startProxy } from '../lib/proxy.mjs';
import * as raw from '../lib/rawws.mjs';
import { metricChanges, metrics } from '../lib/registry.mjs';
import { emit, enter } from '../lib/socketio.mjs';

const { redis, nodes, stop } = await cluster({ nodes: 2, args: ['--drain', '1s'] });
after(stop);
const [one, two] = nodes;
const QUICK = ['--lease-interval', '200ms', '--lease-timeout', '1s', '--drain', '0'];
const BEAT = '421["heartbeat",""]';

test('the node dies while a poll waits elsewhere: unknown at once', async () => {
  const doomed = await startNode({ redis });
  const s = await begin(doomed, [doomed, one, two]);
  const waiting = s.get(one);
  await s.waits();
  const began = Date.now();
  await doomed.kill();
  const { status, body } = await waiting;
  assert.deepEqual([status, body], [400, UNKNOWN]);
  assert.ok(Date.now() - began < 2000, 'before its lease is dead');
  for (const node of nodes) assert.equal((await s.get(node)).body, UNKNOWN);
  assert.equal((await s.post(two, BEAT)).body, UNKNOWN);
});

test('the node stands still: unknown when its lease is dead; it comes back', async () => {
  const pair = [];
  for (let i = 0; i < 2; i++) pair.push(await startNode({ redis, args: QUICK }));
  const [still, other] = pair;
  const s = await begin(still, pair);
  const socket = await raw.dial(other);
  const path = s.url.replace('polling', 'websocket');
  await socket.write(raw.handshake({ path }));
  assert.equal((await socket.response()).status, 101);
  const waiting = s.get(other, { timeout: 15000 });
  await s.waits();
  still.suspend();
  const post = s.post(other, BEAT, { timeout: 15000 });
  for (const answer of [await waiting, await post]) {
    assert.deepEqual([answer.status, answer.body], [400, UNKNOWN]);
  }
  await socket.over();
  socket.destroy();
  assert.equal((await s.get(other)).body, UNKNOWN);
  still.resume();
  await until(async () => {
    const { sid } = JSON.parse((await still.get(OPEN)).body.slice(1));
    return (await other.get(`${OPEN}&sid=${sid}`, { method: 'POST', body: '40' })).status === 200;
  });
  await Promise.all(pair.map((node) => node.stop()));
});

test('the node that a poll waits at dies: the session goes on by another', async () => {
  const doomed = await startNode({ redis });
  const s = await begin(one, [one, two, doomed]);
  await s.login(two, 'ann');
  const waiting = s.get(doomed).catch((error) => error);
  await s.waits();
  await doomed.kill();
  assert.ok((await waiting) instanceof Error);
  for (let i = 0; i < 10; i++) {
    const data = await s.emit(two, ['publish', { channel: 'topic:t', data: `${i}` }]);
    assert.ok(data.seq > i);
  }
});

test('the next poll comes before the end of the node that the last one waits at is seen', async () => {
  for (const at of nodes) {
    const doomed = await startNode({ redis });
    const s = await begin(one, [one, two, doomed]);
    const waiting = s.get(doomed).catch((error) => error);
    await s.waits();
    doomed.suspend();
    const next = s.get(at);
    assert.equal((await s.post(at, BEAT)).body, 'ok');
    await doomed.kill();
    assert.ok((await waiting) instanceof Error);
    const { status, body } = await next;
    assert.deepEqual([status, body], [200, '431[{}]']);
    assert.equal((await s.post(two, BEAT)).body, 'ok');
    assert.equal((await s.get(two)).body, '431[{}]');
  }
});

test('a node that drains: polls are let go and sent elsewhere, posts pass, nothing is lost', async () => {
  const leaving = await startNode({ redis, args: ['--drain', '1500ms'] });
  const some = [];
  for (let i = 0; i < 5; i++) some.push(await begin(one, [one, two, leaving]));
  const waiting = some.map((s) => s.get(leaving));
  await some[0].waits();
  // Somebody of its own, or it has nothing to wait for.
  const own = await leaving.get(OPEN);
  assert.equal(own.status, 200);
  const end = leaving.stop();
  await leaving.untilNotReady();
  assert.equal((await some[0].post(leaving, BEAT)).status, 200);
  assert.equal((await some[1].get(leaving).catch(() => ({ status: 503 }))).status, 503);
  const bodies = (await Promise.all(waiting)).map(({ body }) => body);
  assert.ok(['6', '431[{}]'].includes(bodies[0]));
  assert.deepEqual(bodies.slice(1), ['6', '6', '6', '6']);
  for (const [i, s] of some.entries()) {
    assert.equal((await s.post(two, BEAT)).body, 'ok');
    const got = (await s.get(two)).body;
    if (i > 0 || bodies[0] !== '6') assert.equal(got, '431[{}]');
    else assert.equal(got, '431[{}]\x1e431[{}]');
  }
  assert.deepEqual(await end, { code: 0, signal: null });
});

test('the node of the session drains: the poll elsewhere has the end', async () => {
  const leaving = await startNode({ redis, args: ['--drain', '500ms'] });
  const s = await begin(leaving, [one, two, leaving]);
  const waiting = s.get(two);
  await s.waits();
  await leaving.stop();
  assert.deepEqual([(await waiting).status, (await waiting).body], [200, '1']);
  assert.equal((await s.get(two)).body, UNKNOWN);
});

test('Redis is away: polling goes on across nodes', async () => {
  const own = await cluster({ nodes: 2, args: QUICK });
  const s = await begin(own.nodes[0], own.nodes);
  const other = await begin(own.nodes[1], own.nodes);
  await sleep(600); // the nodes have seen each other's lease, which is all that gets old
  const away = Date.now();
  await own.redis.kill();
  for (const node of own.nodes) {
    await node.untilNotReady();
  }
  for (let i = 0; i < 20; i++) {
    const waiting = s.get(own.nodes[i % 2]);
    await s.post(own.nodes[(i + 1) % 2], BEAT);
    assert.equal((await waiting).body, '431[{}]');
  }
  const begun = JSON.parse((await own.nodes[1].get(OPEN)).body.slice(1));
  const url = `${OPEN}&sid=${begun.sid}`;
  assert.equal((await own.nodes[0].get(url, { method: 'POST', body: '40' })).body, 'ok');
  await until(() => Date.now() - away > 1500, { what: 'longer than a lease lives' });
  const waiting = [s.get(own.nodes[1], { timeout: 20000 }), other.get(own.nodes[0], { timeout: 20000 })];
  await s.waits();
  await own.redis.restart();
  for (const node of own.nodes) {
    await node.untilReady();
  }
  for (const each of [s, other]) assert.equal((await each.post(own.nodes[0], BEAT)).body, 'ok');
  for (const answer of waiting) assert.equal((await answer).body, '431[{}]');
  for (let i = 0; i < 50; i++) {
    assert.equal((await s.post(own.nodes[1], BEAT)).body, 'ok');
    assert.equal((await s.get(own.nodes[1])).body, '431[{}]');
    await sleep(20);
  }
  await own.stop();
});

test('Redis loses everything: nobody is forgotten for it', async () => {
  const own = await cluster({ nodes: 2, args: QUICK });
  const s = await begin(own.nodes[0], own.nodes);
  for (let round = 0; round < 3; round++) {
    await own.redis.cli('FLUSHALL');
    for (let i = 0; i < 40; i++) {
      assert.equal((await s.post(own.nodes[1], BEAT)).body, 'ok');
      assert.equal((await s.get(own.nodes[1])).body, '431[{}]');
      await sleep(10);
    }
  }
  await own.redis.cli('CLIENT', 'KILL', 'TYPE', 'normal');
  for (let i = 0; i < 100; i++) {
    assert.equal((await s.post(own.nodes[1], BEAT)).body, 'ok');
    assert.equal((await s.get(own.nodes[1])).body, '431[{}]');
    await sleep(20);
  }
  await own.stop();
});

test('a node that has just come is known to the others before its first session', async () => {
  for (let i = 0; i < 4; i++) {
    const young = await startNode({ redis, ready: false, args: ['--drain', '0'] });
    const opened = await until(async () => {
      const answer = await young.get(OPEN);
      return answer.status === 200 && answer;
    }, { every: 1 });
    const { sid } = JSON.parse(opened.body.slice(1));
    const { status } = await two.get(`${OPEN}&sid=${sid}`, { method: 'POST', body: '40' });
    assert.equal(status, 200);
    await young.stop();
  }
});

test('a node without Redis begins no polled session that others could not find', async () => {
  const alone = await startNode({ redis: 'redis://127.0.0.1:1/0', ready: false, args: ['--drain', '0'] });
  assert.equal((await alone.get(OPEN)).status, 503);
  assert.equal((await alone.get(OPEN, { method: 'OPTIONS' })).status, 204);
  await alone.stop();
});

test('a node that cannot be reached where it says: unknown, within the time of a connect', async () => {
  const lost = await startNode({ redis, args: ['--advertise', '127.0.0.1:1', '--drain', '0'] });
  const s = await begin(lost, [lost, one, two]);
  const rise = await metricChanges(two, async () => {
    assert.equal((await s.get(two)).body, UNKNOWN);
    assert.equal((await s.post(two, BEAT)).body, UNKNOWN);
  });
  assert.equal(rise('sluice_handovers_total', { result: 'failed' }), 2);
  assert.equal((await s.post(lost, BEAT)).body, 'ok', 'at the node itself it lives');
  await lost.stop();
});

test('nodes that all name one address hand a request over once', async () => {
  const args = ['--advertise', `127.0.0.1:${two.port}`, '--drain', '0'];
  const astray = await startNode({ redis, args });
  const s = await begin(astray, [astray, one, two]);
  const rise = await metricChanges(two, async () => {
    assert.equal((await s.get(one)).body, UNKNOWN);
    assert.equal((await s.get(two)).body, UNKNOWN);
  });
  const received = rise('sluice_received_messages_total', { door: 'http' });
  assert.ok(received < 10, `${received} requests`);
  await astray.stop();
});

test('a node that listens everywhere is reached where its link to Redis begins', async () => {
  const args = ['--allow-anonymous', '--drain', '0'];
  for (const host of ['0.0.0.0', '[::]']) {
    const wide = await startNode({ redis, args, host });
    const s = await begin(wide, [wide, one, two]);
    assert.match(two.log(), new RegExp(`event=peer .*addr=127\\.0\\.0\\.1:${wide.port}\\b`));
    assert.equal((await s.post(two, BEAT)).body, 'ok');
    assert.equal((await s.get(two)).body, '431[{}]');
    await wide.stop();
  }
});

test('where a node is reached may be a name', async () => {
  const { port } = await startNode({ redis }).then(async (node) => (await node.stop(), node));
  const named = await startNode({
    redis,
    port,
    args: ['--advertise', `localhost:${port}`, '--drain', '0'],
  });
  const s = await begin(named, [named, one, two]);
  assert.equal((await s.post(two, BEAT)).body, 'ok');
  await named.stop();
});

test('an answer of several MB, read slowly, at another node', async () => {
  const s = await begin(one, nodes);
  await s.login(two, 'eve');
  const adam = await enter(one, 'adam');
  const text = 'y'.repeat(900000);
  const texts = [];
  for (let i = 0; i < 4; i++) {
    texts.push(`${i}${text}`);
    await emit(adam, 'private_message', { receiverId: 'eve', content: texts[i] });
  }
  const socket = await raw.dial(two);
  socket.pause();
  await socket.write(`GET ${s.url} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await sleep(200);
  socket.resume();
  const heard = [];
  const collect = (body) => {
    for (const packet of body.split('\x1e')) {
      if (packet.startsWith('42["new_private')) heard.push(JSON.parse(packet.slice(2))[1].content);
    }
  };
  collect((await socket.response({ timeout: 9000 })).body);
  while (heard.length < 4) collect((await s.get(two)).body);
  assert.deepEqual(heard.map((one) => one.length), texts.map((one) => one.length));
  assert.deepEqual(heard, texts);
  socket.destroy();
  adam.end();
  assert.equal((await metrics(two))('sluice_queue_bytes'), 0);
});

test('kept connections end in time, and a late request is no failure', async () => {
  const args = ['--handshake-timeout', '300ms', '--drain', '0'];
  const pair = [];
  for (let i = 0; i < 2; i++) pair.push(await startNode({ redis, args }));
  const s = await begin(pair[0], pair);
  const rise = await metricChanges(pair[1], async () => {
    for (let i = 0; i < 30; i++) {
      assert.equal((await s.post(pair[1], BEAT)).body, 'ok');
      assert.equal((await s.get(pair[1])).body, '431[{}]');
      await sleep(140 + (i % 5) * 5); // around the time for which one is kept
    }
  });
  assert.equal(rise('sluice_handovers_total', { result: 'failed' }), 0);
  await until(async () => (await metrics(pair[1]))('sluice_connections', { door: 'peer' }) === 0);
  await Promise.all(pair.map((node) => node.stop()));
});

test('a full node keeps the sessions that it hands over', async () => {
  const full = await startNode({ redis, args: ['--max-connections', '4', '--drain', '0'] });
  await acquainted([full, one, two]);
  const some = await Promise.all([1, 2, 3].map(() => begin(one, [one, two, full])));
  const waiting = some.map((s) => s.get(full));
  await some[0].waits();
  for (const s of some) await s.post(full, BEAT);
  for (const answer of waiting) assert.equal((await answer).body, '431[{}]');
  await full.stop();
});

test('a node that has just come hands over at once, and while it waits for Redis', async () => {
  const some = await Promise.all([one, two, one, two].map((node) => begin(node, [one, two])));
  const port = await freePort();
  const young = { port, url: `http://127.0.0.1:${port}` };
  const asked = some.map(async (s) => {
    const body = '421["heartbeat",""]';
    const text = `POST ${s.url} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const socket = await until(() => raw.dial(young), { every: 1 });
    await socket.write(text);
    const answer = await socket.response();
    socket.destroy();
    return answer.body;
  });
  const proxy = await startProxy(redis);
  proxy.delay = 100;
  const node = await startNode({ redis: proxy.url, port, args: ['--drain', '0'], ready: false });
  assert.deepEqual(await Promise.all(asked), some.map(() => 'ok'));
  for (const s of some) assert.equal((await s.get(node)).body, '431[{}]');
  await node.stop();
  proxy.close();
});

test('a node that finds no Redis holds a request for two seconds, no longer', async () => {
  const alone = await startNode({ redis: 'redis://127.0.0.1:1/0', ready: false, args: ['--drain', '0'] });
  const s = await begin(one, [one, two]);
  const began = Date.now();
  const answers = await Promise.all([s.get(alone), s.post(alone, BEAT)]);
  assert.deepEqual(answers.map(({ body }) => body), [UNKNOWN, UNKNOWN]);
  assert.ok(Date.now() - began > 500, 'held');
  assert.equal((await s.get(alone)).body, UNKNOWN);
  await alone.stop();
});
