// Engine.IO over WebSocket, and the upgrade to it.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { at, poll, socket, startConformance } from '../lib/conformance.mjs';
import { test, until } from '../lib/harness.mjs';

let p;
before(async () => {
  p = await startConformance();
});
after(() => p.stop());

async function open() {
  const s = await socket(p, at('engine.io', null, 'websocket'));
  s.sid = JSON.parse((await s.next()).slice(1)).sid;
  return s;
}

const probeOf = (s) => socket(p, at('engine.io', s.sid, 'websocket'));

async function probed(s) {
  const probe = await probeOf(s);
  probe.send('2probe');
  assert.equal(await probe.next(), '3probe');
  return probe;
}

async function upgraded(s) {
  const probe = await probed(s);
  probe.send('5');
  return probe;
}

test('text and binary come back', async () => {
  const s = await open();
  for (const text of ['4hello', '4', '4äöü €😀', `4${'x'.repeat(999999)}`]) {
    s.send(text);
    assert.equal(await s.next(), text);
  }
  for (const bytes of [Buffer.from([1, 2, 3, 4]), Buffer.alloc(0), Buffer.alloc(70000, 7)]) {
    s.send(bytes);
    assert.deepEqual(await s.next(), bytes);
  }
});

test('base64 in a text frame is binary', async () => {
  const s = await open();
  s.send('bAQIDBA==');
  assert.deepEqual(await s.next(), Buffer.from([1, 2, 3, 4]));
});

for (const [name, data, code = 1002] of [
  ['an unknown type', 'abc'],
  ['an empty text', ''],
  ['a ping', '2'],
  ['a close', '1', 1000],
  ['a message over maxPayload', `4${'x'.repeat(1000000)}`, 1009],
]) {
  test(`${name} ends it with ${code}`, async () => {
    const s = await open();
    s.send(data);
    assert.equal((await s.closed()).code, code);
    const { status, json } = await p.get(at('engine.io', s.sid));
    assert.deepEqual([status, json().code], [400, 1]);
  });
}

for (const sent of ['0', '0{}', '3', '3probe', '5', '5x', '6', '6x']) {
  test(`${sent} out of turn does no harm`, async () => {
    const s = await open();
    s.send(sent);
    s.send('4a');
    assert.equal(await s.next(), '4a');
  });
}

test('base64 in a text frame may have lines', async () => {
  const s = await open();
  s.send('bAQID\nBA==\n');
  assert.deepEqual(await s.next(), Buffer.from([1, 2, 3, 4]));
});

test('the end of its connection is the end of the session', async () => {
  for (const how of ['close', 'terminate']) {
    const s = await open();
    s.ws[how]();
    await until(async () => (await p.get(at('engine.io', s.sid))).json().code === 1);
  }
});

test('upgrade: a poll is let go by the probe, then all goes by WebSocket', async () => {
  const s = await poll(p);
  const waiting = s.get();
  await p.get('/status');
  const probe = await probed(s);
  assert.equal((await waiting).body, '6');
  assert.equal((await s.get()).body, '6');
  probe.send('5');
  probe.send('4hello');
  assert.equal(await probe.next(), '4hello');
});

test('upgrade: what waited for a poll moves over, text and binary, in order', async () => {
  const s = await poll(p);
  const probe = await probed(s);
  await s.post('4one\x1ebAQID\x1e4two\x1eb');
  probe.send('5');
  probe.send('4three');
  assert.equal(await probe.next(), '4one');
  assert.deepEqual(await probe.next(), Buffer.from([1, 2, 3]));
  assert.equal(await probe.next(), '4two');
  assert.deepEqual(await probe.next(), Buffer.alloc(0));
  assert.equal(await probe.next(), '4three');
});

test('upgrade: polls, posts and WebSockets of the session are refused after it', async () => {
  const s = await poll(p);
  const probe = await upgraded(s);
  probe.send('4a');
  assert.equal(await probe.next(), '4a');
  for (const answer of [await s.get(), await s.post('4b')]) {
    assert.deepEqual([answer.status, answer.json().code], [400, 3]);
  }
  const second = await probeOf(s);
  assert.equal((await second.closed()).code, 1000);
  probe.send('4c');
  assert.equal(await probe.next(), '4c');
});

test('upgrade: a second probe is closed, the first goes on', async () => {
  const s = await poll(p);
  const probe = await probed(s);
  const second = await probeOf(s);
  await second.closed();
  probe.send('5');
  probe.send('4a');
  assert.equal(await probe.next(), '4a');
});

for (const [name, ...sent] of [
  ['a message', '4a'],
  ['another ping', '2other'],
  ['a ping', '2'],
  ['binary', Buffer.from('2probe')],
]) {
  test(`a probe of ${name} is closed, polling goes on`, async () => {
    const s = await poll(p);
    const probe = await probeOf(s);
    for (const one of sent) probe.send(one);
    await probe.closed();
    await s.post('4still');
    assert.equal((await s.get()).body, '4still');
    const next = await upgraded(s);
    next.send('4now');
    assert.equal(await next.next(), '4now');
  });
}

test('a probe that is asked for twice, or not at all', async () => {
  for (const probes of [0, 2]) {
    const s = await poll(p);
    const probe = await probeOf(s);
    for (let i = 0; i < probes; i++) probe.send('2probe');
    for (let i = 0; i < probes; i++) assert.equal(await probe.next(), '3probe');
    probe.send('5');
    probe.send('5'); // as some do at each opening
    probe.send('4now');
    assert.equal(await probe.next(), '4now');
  }
});

test('a probe whose connection ends leaves the session as it was', async () => {
  const s = await poll(p);
  const probe = await probed(s);
  probe.ws.terminate();
  const waiting = s.get();
  await until(async () => (await s.post('4a')).status === 200);
  assert.ok(['4a', '6'].includes((await waiting).body));
});

test('a probe that asks on and reads no answer is closed, and polls wait as before', async () => {
  const s = await poll(p);
  const { ws } = await probeOf(s);
  let over = false;
  ws.on('error', () => {}).on('close', () => (over = true));
  ws._socket.pause();
  const frame = Buffer.from('8186000000003270726f6265', 'hex'); // 2probe, masked by zeros
  const many = Buffer.concat(Array(20000).fill(frame));
  await until(() => {
    if (!over && ws._socket.writableLength < 2 * many.length) ws._socket.write(many);
    return over;
  }, { every: 1, what: 'the probe is closed' });
  for (const text of ['4one', '4two']) {
    const waiting = s.get();
    await s.post(text);
    assert.equal((await waiting).body, text);
  }
});

test('a probe that does not go on is closed in time, polling goes on', async (t) => {
  const own = await startConformance({ args: ['--ping-interval', '25000', '--upgrade-timeout', '200'] });
  t.after(() => own.stop());
  const s = await poll(own);
  const probe = await socket(own, at('engine.io', s.sid, 'websocket'));
  probe.send('2probe');
  assert.equal(await probe.next(), '3probe');
  await probe.closed();
  const waiting = s.get();
  await s.post('4a');
  assert.equal((await waiting).body, '4a');
});

test('the session ends: its probe does, too', async () => {
  const s = await poll(p);
  const probe = await probed(s);
  await s.post('1');
  await probe.closed();
});

test('an upgrade while a post comes ends the session', async () => {
  const s = await poll(p);
  const probe = await probed(s);
  const slow = p.get(s.url, { method: 'POST', headers: { 'Content-Length': 10 }, body: '4abc', timeout: 20000 });
  slow.catch(() => {});
  await until(async () => (await p.get('/status')).json().connections > 1);
  await new Promise((resolve) => setTimeout(resolve, 100));
  probe.send('5');
  await probe.closed();
  assert.equal((await s.get()).json().code, 1);
});
