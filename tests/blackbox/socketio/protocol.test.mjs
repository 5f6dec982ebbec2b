// Socket.IO v5 by hand, over WebSocket and polling: namespaces, events, acks, attachments, and what
// is not valid.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { at, packets, poll, socket, startConformance } from '../lib/conformance.mjs';
import { test } from '../lib/harness.mjs';

let p;
before(async () => {
  p = await startConformance();
});
after(() => p.stop());

const HOLE = (n) => `{"_placeholder":true,"num":${n}}`;

// An Engine.IO session by WebSocket, no namespace joined.
async function session() {
  const s = await socket(p, at('socket.io', null, 'websocket'));
  await s.next();
  s.all = async (count) => {
    const got = [];
    while (got.length < count) got.push(await s.next());
    return got;
  };
  return s;
}

// ... and one joined.
async function joined(nsp = '', auth = '') {
  const s = await session();
  s.send(`40${nsp}${auth}`);
  await s.all(2);
  return s;
}

for (const [name, sent, head, auth = '{}'] of [
  ['the main namespace', '40', '40'],
  ['the main namespace, with a payload', '40{"token":"123"}', '40', '{"token":"123"}'],
  ['the main namespace by name', '40/,', '40'],
  ['another one', '40/custom,', '40/custom,'],
  ['another one without a comma', '40/custom', '40/custom,'],
  ['another one, with a payload', '40/custom,{"token":"abc"}', '40/custom,', '{"token":"abc"}'],
  ['a payload byte for byte', '40{"n":9007199254740993,"x":1.0,"y":1e400,"z":"\\u00e4"}', '40', '{"n":9007199254740993,"x":1.0,"y":1e400,"z":"\\u00e4"}'],
]) {
  test(`connect to ${name}`, async () => {
    const s = await session();
    s.send(sent);
    const first = await s.next();
    assert.ok(first.startsWith(`${head}{`), first);
    const { sid, ...rest } = JSON.parse(first.slice(head.length));
    assert.match(sid, /^[\w-]{20}$/);
    assert.deepEqual(rest, {});
    assert.equal(await s.next(), `${head.replace('40', '42')}["auth",${auth}]`);
  });
}

test('a namespace that is not there is refused, the session goes on', async () => {
  const s = await session();
  for (const nsp of ['/random', '/customs', '/custom/', "/it's", '/"quotes"\\', '/ä', `/${'n'.repeat(254)}`]) {
    s.send(`40${nsp},{"a":1}`);
    assert.equal(await s.next(), `44${nsp},{"message":"Invalid namespace"}`);
  }
  s.send('40');
  assert.match(await s.next(), /^40\{/);
});

test('an application refuses with a message and data', async () => {
  const s = await session();
  s.send('40/custom,{"refuse":true,"why":1.0}');
  assert.equal(await s.next(), '44/custom,{"message":"refused","data":{"refuse":true,"why":1.0}}');
  s.send('40/custom,{}');
  assert.match(await s.next(), /^40\/custom,\{/);
});

for (const [name, event, back] of [
  ['arguments of all kinds', '["message",1,"2",{"3":[true]},null]', '["message-back",1,"2",{"3":[true]},null]'],
  ['no argument', '["message"]', '["message-back"]'],
  ['numbers as they are', '["message",9007199254740993,1.0,1e400,-0]', '["message-back",9007199254740993,1.0,1e400,-0]'],
  ['text as it is', '["message","äöü €😀\\u00e4\\n\\"\\\\"]', '["message-back","äöü €😀\\u00e4\\n\\"\\\\"]'],
  ['white space', '[ "message" ,\n{ "a" : 1 } ]', '["message-back",{ "a" : 1 } ]'],
  ['a placeholder without binary', `["message",${HOLE(0)}]`, `["message-back",${HOLE(0)}]`],
  ['nested arrays', `["message",${'['.repeat(127)}${']'.repeat(127)}]`, `["message-back",${'['.repeat(127)}${']'.repeat(127)}]`],
]) {
  test(`an event with ${name}, in both namespaces`, async () => {
    for (const nsp of ['', '/custom,']) {
      const s = await joined(nsp);
      s.send(`42${nsp}${event}`);
      assert.equal(await s.next(), `42${nsp}${back}`);
    }
  });
}

test('an event is acknowledged with its id', async () => {
  const s = await joined();
  for (const id of ['0', '456', '18446744073709551615']) {
    s.send(`42${id}["message-with-ack",1,"2",{"3":[false]}]`);
    assert.equal(await s.next(), `43${id}[1,"2",{"3":[false]}]`);
  }
  s.send('427["message-with-ack"]');
  assert.equal(await s.next(), '437[]');
});

test('the server asks for an ack, and gets it', async () => {
  const s = await joined('/custom,');
  for (let i = 0; i < 3; i++) {
    s.send(`42/custom,["message-to-ack",${i}]`);
    assert.equal(await s.next(), `42/custom,${i}["message-to-ack",${i}]`);
    s.send(`43/custom,${i}["yes",${i}]`);
    assert.equal(await s.next(), `42/custom,["message-acked","yes",${i}]`);
  }
  s.send('43/custom,99["to nothing"]');
  s.send('42/custom,["message",1]');
  assert.equal(await s.next(), '42/custom,["message-back",1]');
});

test('binary attachments of events and acks, there and back', async () => {
  const [a, b] = [Buffer.from([1, 2, 3]), Buffer.from([4, 5, 6])];
  for (const nsp of ['', '/custom,']) {
    const s = await joined(nsp);
    s.send(`452-${nsp}["message",${HOLE(0)},{"deep":[${HOLE(1)}]}]`);
    s.send(a);
    s.send(b);
    assert.deepEqual(await s.all(3), [`452-${nsp}["message-back",${HOLE(0)},{"deep":[${HOLE(1)}]}]`, a, b]);
    s.send(`452-${nsp}789["message-with-ack",${HOLE(1)},${HOLE(0)}]`);
    s.send(a);
    s.send(Buffer.alloc(0));
    assert.deepEqual(await s.all(3), [`462-${nsp}789[${HOLE(1)},${HOLE(0)}]`, a, Buffer.alloc(0)]);
    s.send(`42${nsp}["message-to-ack"]`);
    assert.equal(await s.next(), `42${nsp}0["message-to-ack"]`);
    s.send(`461-${nsp}0[${HOLE(0)}]`);
    s.send(b);
    assert.deepEqual(await s.all(2), [`451-${nsp}["message-acked",${HOLE(0)}]`, b]);
  }
});

test('a binary event without attachments is an event', async () => {
  const s = await joined();
  s.send('450-["message",1]');
  assert.equal(await s.next(), '42["message-back",1]');
});

test('disconnect: the session goes on, the namespace can be joined again', async () => {
  const s = await joined();
  s.send('40/custom,');
  await s.all(2);
  s.send('41/custom,');
  s.send('42["message","to the main one"]');
  assert.equal(await s.next(), '42["message-back","to the main one"]');
  s.send('41');
  s.send('40/custom,');
  assert.match(await s.next(), /^40\/custom,\{/);
  assert.equal(await s.next(), '42/custom,["auth",{}]');
});

test('disconnected by the server: what is still under way is no fault', async () => {
  const s = await joined();
  s.send('42["disconnect-me"]');
  s.send('42["message","too late"]');
  assert.equal(await s.next(), '41');
  s.send('430["too late"]');
  s.send('40');
  assert.match(await s.next(), /^40\{/);
});

test('a namespace that holds its client back: in order, nothing lost', async () => {
  const s = await joined();
  for (let i = 0; i < 50; i++) s.send(i % 10 === 5 ? '42["hold-me"]' : `42["message",${i}]`);
  for (let i = 0; i < 50; i++) if (i % 10 !== 5) assert.equal(await s.next(), `42["message-back",${i}]`);
  const polled = await poll(p, 'socket.io');
  await polled.post('40');
  await polled.get();
  const events = Array.from({ length: 50 }, (_, i) => (i % 10 === 5 ? '42["hold-me"]' : `42["message",${i}]`));
  assert.equal((await polled.post(events.join('\x1e'))).body, 'ok');
  const got = [];
  while (got.length < 45) got.push(...packets((await polled.get()).body));
  assert.deepEqual(got.filter((one) => !one.includes('auth')), events.filter((one) => !one.includes('hold')).map((one) => one.replace('message', 'message-back')));
});

test('all that was sent has left: told once, by each transport and over the upgrade', async () => {
  const s = await joined();
  s.send('42["message",1]');
  s.send('42["tell-when-drained"]');
  assert.deepEqual(await s.all(2), ['42["message-back",1]', '42["drained"]']);
  s.send('42["message",2]');
  assert.equal(await s.next(), '42["message-back",2]');
  for (const upgrade of [false, true]) {
    const polled = await poll(p, 'socket.io');
    await polled.post('40\x1e42["message",1]\x1e42["tell-when-drained"]\x1e42["message",2]');
    if (upgrade) {
      const ws = await socket(p, at('socket.io', polled.sid, 'websocket'));
      ws.send('2probe');
      assert.equal(await ws.next(), '3probe');
      ws.send('5');
      assert.match(await ws.next(), /^40/);
      for (const event of ['["auth",{}]', '["message-back",1]', '["message-back",2]', '["drained"]']) {
        assert.equal(await ws.next(), `42${event}`);
      }
    } else {
      assert.equal(packets((await polled.get()).body).length, 4);
      assert.equal((await polled.get()).body, '42["drained"]');
    }
  }
});

// What is sent behind a join, or (first: false) before any.
for (const [name, sent, { first = true } = {}] of [
  ['an unknown packet type', ['4abc']],
  ['an unknown packet type before joining', ['4abc'], { first: false }],
  ['an empty packet', ['4']],
  ['a connect error', ['44{"message":"x"}']],
  ['type 7', ['47']],
  ['an event that is no array', ['42{}']],
  ['an event without a name', ['42[]']],
  ['a name that is an object', ['42[{}]']],
  ['a name that is null', ['42[null]']],
  ['the name connect', ['42["connect"]']],
  ['the name disconnecting', ['42["disconnecting"]']],
  ['the name newListener, escaped', ['42["\\u006eewListener"]']],
  ['an invalid id', ['42abc["message-with-ack",1]']],
  ['a negative id', ['42-1["message-with-ack"]']],
  ['an id of 30 digits', ['42123456789012345678901234567890["message-with-ack"]']],
  ['JSON that is cut', ['42["message",']],
  ['JSON with a comma too many', ['42["message",]']],
  ['JSON that is too deep', [`42["message",${'['.repeat(200)}${']'.repeat(200)}]`]],
  ['JSON a million deep', [`42["message",${'['.repeat(400000)}${']'.repeat(400000)}]`]],
  ['an ack that is no array', ['431{}']],
  ['a connect with an array', ['40/custom,[]']],
  ['a connect with a string', ['40/custom,"a"']],
  ['a connect with null', ['40/custom,null']],
  ['a second connect', ['40']],
  ['a disconnect with a payload', ['41{}']],
  ['an event for a namespace that was not joined', ['42/custom,["message"]']],
  ['an event for a namespace that is not there', ['42/none,["message"]']],
  ['an event before joining', ['42["message"]'], { first: false }],
  ['a disconnect before joining', ['41'], { first: false }],
  ['an event behind the own disconnect', ['41', '42["message"]']],
  ['an attachment that was not announced', [Buffer.from('x')]],
  ['an attachment before joining', [Buffer.from('x')], { first: false }],
  ['one attachment too many', [`451-["message",${HOLE(0)}]`, Buffer.from('x'), Buffer.from('y')]],
  ['an event where an attachment is due', [`451-["message",${HOLE(0)}]`, '42["message"]']],
  ['999,999,999 attachments', [`45999999999-["message",${HOLE(0)}]`]],
  ['257 attachments', [`45257-["message",${Array.from({ length: 257 }, (_, i) => HOLE(i)).join()}]`]],
  ['no number of attachments', [`45["message",${HOLE(0)}]`]],
  ['fewer placeholders than attachments', [`452-["message",${HOLE(0)}]`]],
  ['more placeholders than attachments', [`451-["message",${HOLE(0)},${HOLE(1)}]`]],
  ['a placeholder twice', [`452-["message",${HOLE(0)},${HOLE(0)}]`]],
  ['a placeholder out of range', [`451-["message",${HOLE(1)}]`]],
  ['a placeholder of a string', ['451-["message",{"_placeholder":true,"num":"0"}]']],
  ['attachments of more than 4,000,000 bytes', [`455-["message",${[0, 1, 2, 3, 4].map(HOLE)}]`, ...Array(5).fill(Buffer.alloc(900000))]],
]) {
  test(`${name} closes the session`, async () => {
    const s = first ? await joined() : await session();
    for (const one of sent) s.send(one);
    const { code } = await s.closed();
    assert.equal(code, name.startsWith('attachments of') ? 1009 : 1002);
    const polled = await poll(p, 'socket.io');
    const body = (first ? ['40', ...sent] : sent)
      .map((one) => (Buffer.isBuffer(one) ? `b${one.toString('base64')}` : one))
      .join('\x1e');
    if (body.length <= 1000000) assert.equal((await polled.post(body)).status, 400);
    else for (const one of body.split('\x1e')) if ((await polled.post(one)).status !== 200) break;
    assert.equal((await polled.get()).json().code, 1);
  });
}

test('an event without a payload, an ack without one or an id: nothing happens', async () => {
  const s = await joined();
  for (const one of ['42', '427', '43', '431', '43[]', '431[]', '460-[]']) s.send(one);
  s.send('42["message",1]');
  assert.equal(await s.next(), '42["message-back",1]');
});

test('by polling: events, acks, attachments as base64', async () => {
  const s = await poll(p, 'socket.io');
  await s.post('40{"a":1}');
  let got = [];
  while (got.length < 2) got.push(...packets((await s.get()).body));
  assert.match(got[0], /^40\{"sid":"[\w-]{20}"\}$/);
  assert.equal(got[1], '42["auth",{"a":1}]');
  await s.post(`42["message",1]\x1e421["message-with-ack"]\x1e451-["message",${HOLE(0)}]\x1ebAQID`);
  assert.deepEqual(packets((await s.get()).body), [
    '42["message-back",1]',
    '431[]',
    `451-["message-back",${HOLE(0)}]`,
    'bAQID',
  ]);
});

test('attachments that come in several posts', async () => {
  const s = await poll(p, 'socket.io');
  await s.post('40');
  await s.post(`452-["message",${HOLE(0)},${HOLE(1)}]`);
  await s.post('bAQID');
  await s.post('bBAUG');
  const got = [];
  while (got.length < 5) got.push(...packets((await s.get()).body));
  assert.deepEqual(got.filter((one) => one[0] === 'b'), ['bAQID', 'bBAUG']);
});

test('no namespace joined in time: the session is closed', async (t) => {
  const own = await startConformance({ args: ['--ping-interval', '25000', '--connect-timeout', '200'] });
  t.after(() => own.stop());
  const s = await socket(own, at('socket.io', null, 'websocket'));
  const polled = await poll(own, 'socket.io');
  const custom = await socket(own, at('socket.io', null, 'websocket'));
  custom.send('40/custom');
  custom.send('41/custom');
  s.send('40/none');
  assert.equal((await polled.get()).body, '1');
  assert.equal((await s.closed()).code, 1008);
  custom.send('40'); // it had joined one
  assert.match(await custom.next(), /^0/);
  assert.match(await custom.next(), /^40\/custom/);
});
