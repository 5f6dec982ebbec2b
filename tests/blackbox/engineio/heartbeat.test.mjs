// Engine.IO's pings with 300 and 200 ms: who answers lives, who does not is gone at the deadline.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { at, poll, socket, startConformance } from '../lib/conformance.mjs';
import { sleep, test, until } from '../lib/harness.mjs';
import * as raw from '../lib/rawws.mjs';

let p;
before(async () => {
  p = await startConformance({ args: [] });
});
after(() => p.stop());

// Outlives many pings, if the machine lets it: a try that was starved counts as none.
async function lives(what) {
  for (let tries = 1; ; tries++) {
    const began = Date.now();
    try {
      return await what();
    } catch (error) {
      if (tries === 5 || Date.now() - began < 400) throw error;
    }
  }
}

test('polling: a ping each interval, a pong for each keeps it', () =>
  lives(async () => {
    const s = await poll(p);
    for (let i = 0; i < 5; i++) {
      assert.equal((await s.get()).body, '2');
      assert.equal((await s.post('3')).body, 'ok');
    }
    await s.post('1');
  }));

test('polling, and no namespace joined: three pings come before that is asked for', () =>
  lives(async () => {
    const s = await poll(p, 'socket.io');
    for (let i = 0; i < 3; i++) {
      assert.equal((await s.get()).body, '2');
      assert.equal((await s.post('3')).body, 'ok');
    }
    await s.post('1');
  }));

test('WebSocket: a ping each interval, a pong for each keeps it', () =>
  lives(async () => {
    const s = await socket(p, at('engine.io', null, 'websocket'), { pongs: false });
    await s.next();
    for (let i = 0; i < 5; i++) {
      assert.equal(await s.next(), '2');
      s.send('3');
    }
    s.send('4a');
    assert.equal(await s.next(), '4a');
    s.ws.close();
  }));

test('polling: the deadline is interval and timeout after the handshake, to the request', async () => {
  const s = await poll(p);
  await sleep(500);
  const { status, json } = await s.get();
  assert.deepEqual([status, json().code], [400, 1]);
  const posted = await poll(p);
  await sleep(500);
  assert.equal((await posted.post('3')).status, 400);
});

test('polling: one that waits without pongs is told at the deadline', async () => {
  const s = await poll(p);
  assert.equal((await s.get()).body, '2');
  assert.equal((await s.get()).body, '1');
  assert.equal((await s.get()).json().code, 1);
});

test('polling: messages and polls are no pongs', async () => {
  const s = await poll(p);
  let last;
  await until(async () => {
    last = await s.post('4a');
    return last.status !== 200;
  });
  assert.equal(last.json().code, 1);
});

test('WebSocket: no pong, and it is closed at the deadline', async () => {
  const s = await socket(p, at('socket.io', null, 'websocket'), { pongs: false });
  assert.equal((await s.closed()).code, 1008);
});

test('an upgraded session is pinged by WebSocket', () =>
  lives(async () => {
    const s = await poll(p);
    const ws = await socket(p, at('engine.io', s.sid, 'websocket'), { pongs: false });
    ws.send('2probe');
    assert.equal(await ws.next(), '3probe');
    ws.send('5');
    for (let i = 0; i < 3; i++) {
      assert.equal(await ws.next(), '2');
      ws.send('3');
    }
    ws.ws.close();
  }));

test('thousands of sessions that nobody asks for again are freed', async () => {
  const pipeline = `GET ${at('socket.io')} HTTP/1.1\r\nHost: x\r\n\r\n`.repeat(100);
  const sockets = [];
  for (let i = 0; i < 30; i++) {
    const s = await raw.dial(p);
    await s.write(pipeline);
    sockets.push(s);
  }
  await until(async () => (await p.sessions()) > 500, { what: 'many sessions' });
  await until(async () => (await p.sessions()) === 0, { what: 'they are freed' });
  for (const s of sockets) s.destroy();
});

test('a post whose body never comes, and a poll, end with the session', async () => {
  const s = await poll(p);
  const posting = await raw.dial(p);
  await posting.write(`POST ${s.url} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n4`);
  await posting.over();
  assert.equal((await s.get()).json().code, 1);
  posting.destroy();
});
