// Engine.IO v4 at /engine.io/ and /socket.io/: how sessions begin, what is refused and how, CORS.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { at, poll, socket, startConformance } from '../lib/conformance.mjs';
import { test, until } from '../lib/harness.mjs';
import * as raw from '../lib/rawws.mjs';

let p;
before(async () => {
  p = await startConformance();
});
after(() => p.stop());

for (const where of ['engine.io', 'socket.io']) {
  test(`${where}: a session by polling`, async () => {
    const { status, headers, body } = await p.get(at(where));
    assert.equal(status, 200);
    assert.equal(headers['content-type'], 'text/plain; charset=UTF-8');
    assert.equal(headers['cache-control'], 'no-store');
    const open = JSON.parse(body.slice(1));
    assert.deepEqual(
      { ...open, sid: 'x' },
      { sid: 'x', upgrades: ['websocket'], pingInterval: 25000, pingTimeout: 20000, maxPayload: 1000000 },
    );
    assert.match(open.sid, /^[\w-]{20}$/);
    assert.notEqual(open.sid, (await poll(p, where)).sid);
  });

  test(`${where}: a session by WebSocket`, async () => {
    const s = await socket(p, at(where, null, 'websocket'));
    const first = await s.next();
    assert.equal(first[0], '0');
    assert.deepEqual(JSON.parse(first.slice(1)).upgrades, []);
    s.ws.close();
    assert.equal((await s.closed()).code, 1005);
  });
}

const SID = 'sid=AAAAAAAAAAAAAAAAAAAA';
for (const [name, query, code, message, options] of [
  ['no transport', 'EIO=4', 0, 'Transport unknown'],
  ['an unknown transport', 'EIO=4&transport=abc', 0, 'Transport unknown'],
  ['a longer transport', 'EIO=4&transport=pollings', 0, 'Transport unknown'],
  ['an unknown transport and sid', `EIO=4&transport=abc&${SID}`, 0, 'Transport unknown'],
  ['an unknown sid', `EIO=4&transport=polling&${SID}`, 1, 'Session ID unknown'],
  ['a post to an unknown sid', `EIO=4&transport=polling&${SID}`, 1, 'Session ID unknown', { method: 'POST', body: '4a' }],
  ['a sid that is no sid', 'EIO=4&transport=polling&sid=%22%27..%2f', 1, 'Session ID unknown'],
  ['POST without a body', 'EIO=4&transport=polling', 2, 'Bad handshake method', { method: 'POST' }],
  ['POST with a body', 'EIO=4&transport=polling', 2, 'Bad handshake method', { method: 'POST', body: '4a' }],
  ['PUT', 'EIO=4&transport=polling', 2, 'Bad handshake method', { method: 'PUT' }],
  ['DELETE', 'EIO=4&transport=polling', 2, 'Bad handshake method', { method: 'DELETE' }],
  ['WebSocket without an upgrade', 'EIO=4&transport=websocket', 3, 'Bad request'],
  ['no EIO', 'transport=polling', 5, 'Unsupported protocol version'],
  ['EIO 3', 'EIO=3&transport=polling', 5, 'Unsupported protocol version'],
  ['EIO abc', 'EIO=abc&transport=polling', 5, 'Unsupported protocol version'],
  ['EIO 44', 'EIO=44&transport=polling', 5, 'Unsupported protocol version'],
]) {
  test(`${name} is refused`, async () => {
    for (const where of ['engine.io', 'socket.io']) {
      const answer = await p.get(`/${where}/?${query}`, options);
      assert.equal(answer.status, 400, answer.body);
      assert.deepEqual(answer.json(), { code, message });
      assert.equal(answer.headers['content-type'], 'application/json');
      assert.equal(answer.headers['access-control-allow-origin'], '*');
    }
  });
}

for (const [name, query, code] of [
  ['an unknown sid', `EIO=4&transport=websocket&${SID}`, 1],
  ['no EIO', 'transport=websocket', 5],
  ['EIO abc', 'EIO=abc&transport=websocket', 5],
  ['no transport', 'EIO=4', 0],
  ['the transport polling', 'EIO=4&transport=polling', 3],
]) {
  test(`a WebSocket with ${name} is refused`, async () => {
    const s = await raw.dial(p);
    await s.write(raw.handshake({ path: `/engine.io/?${query}` }));
    const { status, body } = await s.response();
    assert.equal(status, 400);
    assert.equal(JSON.parse(body).code, code);
    s.destroy();
  });
}

test('a sid with another method, or the other transport', async () => {
  const s = await poll(p);
  for (const [url, method] of [
    [s.url, 'PUT'],
    [s.url, 'DELETE'],
    [at('engine.io', s.sid, 'websocket'), 'GET'],
    [at('engine.io', s.sid, 'websocket'), 'POST'],
  ]) {
    const answer = await p.get(url, { method });
    assert.deepEqual([answer.status, answer.json().code], [400, 3]);
  }
  assert.equal((await s.post('4still here')).body, 'ok');
});

test('a session belongs to its path', async () => {
  const s = await poll(p, 'engine.io');
  const answer = await p.get(at('socket.io', s.sid));
  assert.deepEqual([answer.status, answer.json().code], [400, 1]);
});

test('any origin: every answer names it, a preflight too', async () => {
  const headers = { Origin: 'http://page.example', 'Access-Control-Request-Headers': 'x-a, content-type' };
  const preflight = await p.get(at('socket.io'), { method: 'OPTIONS', headers });
  assert.equal(preflight.status, 204);
  assert.equal(preflight.headers['access-control-allow-origin'], '*');
  assert.equal(preflight.headers['access-control-allow-methods'], 'GET, POST');
  assert.equal(preflight.headers['access-control-allow-headers'], 'x-a, content-type');
  assert.equal(preflight.headers['content-length'], undefined);
  const s = await poll(p);
  assert.equal((await s.post('4a', { headers })).headers['access-control-allow-origin'], '*');
  assert.equal((await s.get({ headers })).headers['access-control-allow-origin'], '*');
});

test('listed origins: these and the own host, no others', async (t) => {
  const own = await startConformance({ args: ['--origins', 'https://a.example,https://b.example:8443'] });
  t.after(() => own.stop());
  const ask = (Origin, options) => own.get(at('engine.io'), { headers: { ...(Origin && { Origin }) }, ...options });
  for (const origin of ['https://a.example', 'https://b.example:8443']) {
    const { status, headers } = await ask(origin);
    assert.equal(status, 200);
    assert.equal(headers['access-control-allow-origin'], origin);
    assert.equal(headers['access-control-allow-credentials'], 'true');
    assert.equal(headers.vary, 'Origin');
  }
  for (const origin of [undefined, own.url]) {
    const { status, headers } = await ask(origin);
    assert.equal(status, 200);
    assert.equal(headers['access-control-allow-origin'], undefined);
  }
  for (const origin of ['https://a.example.org', 'https://b.example', 'http://a.example', 'null', 'https://c.example,https://a.example']) {
    const answer = await ask(origin);
    assert.deepEqual([answer.status, answer.json()], [403, { code: 4, message: 'Forbidden' }]);
    assert.equal(answer.headers['access-control-allow-origin'], undefined);
    const preflight = await own.get(at('engine.io'), { method: 'OPTIONS', headers: { Origin: origin } });
    assert.equal(preflight.headers['access-control-allow-origin'], undefined);
    const ws = await raw.dial(own);
    await ws.write(raw.handshake({ path: at('engine.io', null, 'websocket'), headers: { Origin: origin } }));
    assert.equal((await ws.response()).status, 403);
    ws.destroy();
  }
});

test('as many sessions as there may be, then 503, until one is gone', async (t) => {
  const own = await startConformance({ args: ['--ping-interval', '25000', '--max-sessions', '3'] });
  t.after(() => own.stop());
  const all = [await poll(own), await poll(own), await socket(own, at('engine.io', null, 'websocket'))];
  assert.equal((await own.get(at('engine.io'))).status, 503);
  await assert.rejects(socket(own, at('engine.io', null, 'websocket')), /503/);
  await all[0].post('1');
  await until(async () => (await own.sessions()) === 2);
  assert.equal((await all[1].post('4still here')).status, 200);
  await poll(own);
});
