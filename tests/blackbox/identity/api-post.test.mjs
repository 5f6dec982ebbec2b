// POST under /api/v1/: who may, and what is answered. What it does is in revoke*.test.mjs.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { cluster, request, startNode, tempDir, test, until } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';
import * as raw from '../lib/rawws.mjs';
import { IDENTITY } from '../lib/token.mjs';

const KEY = 'an-api-key-of-the-tests-with-over-32-bytes';
const ADMIN = 'an-admin-token-of-the-tests';
const env = { SLUICE_API_KEY: KEY, SLUICE_ADMIN_TOKEN: ADMIN };
const { redis, nodes } = await cluster({ nodes: 2, args: IDENTITY, env });

const bearer = (key) => ({ authorization: `Bearer ${key}` });
const post = (where, { body, headers = bearer(KEY), node = nodes[0], method = 'POST' } = {}) =>
  request(node.url + where, { method, headers, ...(body !== undefined && { body }) });
const REVOKE = '/api/v1/users/ann/revoke';
const DISCONNECT = '/api/v1/users/ann/disconnect';
const stored = async (user) => redis.cli('GET', `sluice:{user:${user}}:revoked`);

function isRefusal(answer, status, code, field) {
  assert.equal(answer.status, status, answer.body);
  assert.match(answer.headers['content-type'], /^application\/json/);
  const { error } = answer.json();
  assert.equal(error.code, code);
  assert.equal(error.field, field);
  assert.equal(typeof error.message, 'string');
}

test('200 and an empty object, with a body or without', async () => {
  for (const where of [REVOKE, DISCONNECT]) {
    for (const body of [undefined, '', '{}', ' {"other":1} ']) {
      const answer = await post(where, { body });
      assert.equal(answer.status, 200, `${where} ${body} ${answer.body}`);
      assert.deepEqual(answer.json(), {});
      assert.match(answer.headers['content-type'], /^application\/json/);
    }
  }
});

test('only the api-key may, the admin-token may not', async () => {
  for (const where of [REVOKE, DISCONNECT]) {
    for (const headers of [
      {},
      bearer(''),
      bearer(`${KEY}x`),
      bearer(KEY.slice(1)),
      { authorization: KEY },
      { authorization: `Basic ${KEY}` },
    ]) {
      for (const body of [undefined, '{}', 'not json']) {
        const answer = await post(where, { headers, body });
        isRefusal(answer, 401, 'unauthorized');
        assert.equal(answer.headers['www-authenticate'], 'Bearer');
      }
    }
    isRefusal(await post(where, { headers: bearer(ADMIN) }), 403, 'forbidden');
  }
  for (const key of [KEY, ADMIN]) {
    const { status } = await nodes[0].get('/api/v1/cluster', { headers: bearer(key) });
    assert.equal(status, 200);
  }
  const { status } = await nodes[0].get('/api/v1/cluster', { headers: bearer(`${KEY}x`) });
  assert.equal(status, 401);
});

test('404, then 405, then 401', async () => {
  for (const where of ['/api/v1/users/ann/revok', '/api/v1/users/ann/revoke/', '/api/v1/nothing']) {
    const answer = await post(where, { body: '{}' });
    assert.ok([404, 405].includes(answer.status), `${where} ${answer.status}`);
  }
  isRefusal(await post('/api/v2/users/ann/revoke', { headers: {} }), 404, 'not_found');
  for (const where of [REVOKE, DISCONNECT]) {
    for (const method of ['GET', 'DELETE', 'PUT', 'PATCH']) {
      const answer = await post(where, { method, headers: {} });
      isRefusal(answer, 405, 'bad_method');
      assert.equal(answer.headers.allow, 'POST');
    }
  }
  for (const where of ['/api/v1/users/ann', '/api/v1/cluster', '/api/v1/online']) {
    for (const body of [undefined, '{}']) {
      const answer = await post(where, { body });
      isRefusal(answer, 405, 'bad_method');
      assert.equal(answer.headers.allow, 'GET, HEAD');
    }
  }
});

test('a body that is no JSON object is 400', async () => {
  for (const where of [REVOKE, DISCONNECT]) {
    for (const body of ['x', '[]', '1', '"{}"', 'null', '{', '{} {}', '{"before":}', '\u0000']) {
      isRefusal(await post(where, { body }), 400, 'bad_json');
    }
    isRefusal(await post(where, { body: Buffer.from('{"a":"\xff"}', 'latin1') }), 400, 'bad_json');
  }
});

test('a wrong id is 400', async () => {
  for (const id of ['%20', 'a%20b', 'a%3Ab', 'a:b', '%', '%zz', 'x'.repeat(129), '%7B', '%00', '%ff']) {
    for (const verb of ['revoke', 'disconnect']) {
      isRefusal(await post(`/api/v1/users/${id}/${verb}`), 400, 'bad_field', 'id');
    }
  }
});

test('an id is percent-encoded', async () => {
  for (const id of ['dän/"1"', 'a/revoke', '%41', 'x'.repeat(128)]) {
    const { status } = await post(`/api/v1/users/${encodeURIComponent(id)}/revoke`);
    assert.equal(status, 200, id);
    assert.notEqual(await stored(id), '', id);
  }
  assert.equal(await stored('A'), '');
});

test('a body is small', async () => {
  const most = (length) => `{"x":"${'y'.repeat(length - 8)}"}`;
  assert.equal((await post(REVOKE, { body: most(4096) })).status, 200);
  isRefusal(await post(REVOKE, { body: most(4097) }), 413, 'too_large');
  const s = await raw.dial(nodes[0]);
  await s.write(
    `POST ${REVOKE} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\n` +
      `Transfer-Encoding: chunked\r\n\r\n1388\r\n${most(5000)}\r\n0\r\n\r\n`,
  );
  const answer = await s.response();
  assert.equal(answer.status, 413);
  assert.equal(JSON.parse(answer.body).error.code, 'too_large');
  s.destroy();
});

test('without the key a body is not even read', async () => {
  const s = await raw.dial(nodes[0]);
  await s.write(`POST ${REVOKE} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n`);
  assert.equal((await s.response()).status, 401);
  s.destroy();
});

test('before: up to a minute ahead, a number, and never lowered', async () => {
  const now = Math.floor(Date.now() / 1000);
  const revoke = (before, user = 'bea') =>
    post(`/api/v1/users/${user}/revoke`, { body: `{"before":${before}}` });
  for (const wrong of [now + 90, now + 3600, 1e18, '1e400', -1, '"1"', 'null', '[]', 'true', '{}']) {
    isRefusal(await revoke(wrong), 400, 'bad_field', 'before');
  }
  assert.equal(await stored('bea'), '', 'what is refused stores nothing');
  assert.equal((await revoke(now + 30)).status, 200);
  assert.equal(await stored('bea'), String(now + 30));
  for (const lower of [0, 1, now]) {
    assert.equal((await revoke(lower)).status, 200);
    assert.equal(await stored('bea'), String(now + 30));
  }
  assert.equal((await post('/api/v1/users/bea/revoke')).status, 200);
  assert.equal(await stored('bea'), String(now + 30));
  const ttl = Number(await redis.cli('PTTL', 'sluice:{user:bea}:revoked'));
  const days = ttl / 86400000;
  assert.ok(days > 29.9 && days <= 30, `${days} days`);

  assert.equal((await revoke(now - 1000.5, 'cal')).status, 200);
  assert.equal(await stored('cal'), String(now - 1000.5));
});

test('by default the next full second', async () => {
  const from = Date.now();
  assert.equal((await post('/api/v1/users/dot/revoke', { body: '{}' })).status, 200);
  const mark = Number(await stored('dot'));
  assert.ok(Number.isInteger(mark));
  assert.ok(mark * 1000 > from && mark * 1000 <= Date.now() + 1000, `${mark} ${from}`);
});

test('503 while Redis is away', async (t) => {
  await redis.kill();
  t.after(async () => {
    await redis.restart();
    for (const node of nodes) await node.untilReady();
  });
  await nodes[0].untilNotReady();
  for (const where of [REVOKE, DISCONNECT]) {
    isRefusal(await post(where), 503, 'unavailable');
    isRefusal(await post(where, { body: 'x' }), 400, 'bad_json');
    isRefusal(await post(where, { headers: {} }), 401, 'unauthorized');
  }
});

test('without a key there is no API; each key opens what is its own', async (t) => {
  const file = path.join(tempDir('key'), 'key');
  fs.writeFileSync(file, `${KEY}\n`);
  const none = await startNode({ redis });
  const admin = await startNode({ redis, env: { SLUICE_ADMIN_TOKEN: ADMIN } });
  const filed = await startNode({ redis, args: ['--api-key-file', file] });
  for (const node of [none, admin, filed]) t.after(() => node.stop());
  const get = async (node, where, headers = bearer(KEY)) => (await node.get(where, { headers })).status;

  isRefusal(await post(REVOKE, { node: none }), 404, 'not_found');
  assert.equal(await get(none, '/api/v1/cluster'), 404);
  isRefusal(await post(REVOKE, { node: admin, headers: bearer(ADMIN) }), 403, 'forbidden');
  assert.equal(await get(admin, '/console'), 200);
  assert.equal((await post(REVOKE, { node: filed })).status, 200);
  isRefusal(await post(REVOKE, { node: filed, headers: bearer(`${KEY}\n`.trim() + '0') }), 401, 'unauthorized');
  assert.equal(await get(filed, '/api/v1/cluster'), 200);
  assert.equal(await get(filed, '/console'), 404, 'the page is for the admin-token');

  const other = 'another-key-that-is-long-enough-for-it';
  fs.writeFileSync(file, other);
  process.kill(filed.pid, 'SIGHUP');
  await until(async () => (await get(filed, '/api/v1/cluster', bearer(other))) === 200);
  assert.equal(await get(filed, '/api/v1/cluster'), 401);
  fs.writeFileSync(file, 'short');
  process.kill(filed.pid, 'SIGHUP');
  await until(() => filed.log().includes('reload_failed'));
  assert.equal(await get(filed, '/api/v1/cluster', bearer(other)), 200, 'the old one stays');
});

test('a key that is too short, or no header, stops the start', async () => {
  const listen = ['--listen', '127.0.0.1:0'];
  for (const bad of ['x'.repeat(31), `${'x'.repeat(31)} y`, `${'x'.repeat(40)}é`, 'x'.repeat(1024)]) {
    const given = await runProgram(listen, { env: { SLUICE_API_KEY: bad } });
    assert.equal(given.code, 1, bad);
    assert.match(given.err, /SLUICE_API_KEY: api-key: must be 32 to 1023 visible ASCII/);
    assert.ok(!given.err.includes(bad));
    const file = path.join(tempDir('key'), 'key');
    fs.writeFileSync(file, bad);
    const filed = await runProgram([...listen, '--api-key-file', file]);
    assert.equal(filed.code, 1, bad);
    assert.match(filed.err, /api-key-file is ".*": must be 32 to 1023 visible ASCII/);
    assert.ok(!filed.err.includes(bad));
  }
  const missing = await runProgram([...listen, '--api-key-file', '/nowhere/key']);
  assert.equal(missing.code, 1);
  assert.match(missing.err, /api-key-file is "\/nowhere\/key": No such file/);
});

test('no key is in a log', () => {
  for (const node of nodes) assert.ok(!node.log().includes(KEY) && !node.log().includes(ADMIN));
});
