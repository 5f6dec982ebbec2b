// Keys with names and rights, and in which order a request is refused.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { bearer, caller, isRefusal, KEY, keyOf, withKeys, writeKeys } from '../lib/api.mjs';
import { range } from '../lib/frames.mjs';
import { cluster, request, startNode, startRedis, tempDir, test, until } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';
import * as raw from '../lib/rawws.mjs';

const ADMIN = 'an-admin-token-of-the-tests';
const RIGHTS = { shop: 'publish', eyes: 'read', desk: 'users', both: 'publish,read', boss: 'all' };
const { args, env, file } = withKeys(RIGHTS);
const { nodes } = await cluster({ nodes: 1, args, env: { ...env, SLUICE_ADMIN_TOKEN: ADMIN } });
const [node] = nodes;
const { call } = caller(node);

test('a key opens what it has a right to', async () => {
  const may = async (key, method, where) => {
    const answer = await call(method, where, undefined, { key });
    if (answer.status === 200) return true;
    isRefusal(answer, 403, 'forbidden');
    return false;
  };
  const opened = async (key) => ({
    read: await may(key, 'GET', '/cluster'),
    users: await may(key, 'POST', '/users/ann/disconnect'),
    description: await may(key, 'GET', '/openapi.json'),
    page: await may(key, 'GET', '/docs'),
  });
  const all = { read: true, users: true, description: true, page: true };
  const nothing = { read: false, users: false, description: true, page: true };
  assert.deepEqual(await opened(KEY), all);
  assert.deepEqual(await opened(keyOf('boss')), all);
  assert.deepEqual(await opened(keyOf('shop')), nothing);
  assert.deepEqual(await opened(keyOf('eyes')), { ...nothing, read: true });
  assert.deepEqual(await opened(keyOf('both')), { ...nothing, read: true });
  assert.deepEqual(await opened(keyOf('desk')), { ...nothing, users: true });
  assert.deepEqual(await opened(ADMIN), { ...nothing, read: true, page: false });
  for (const key of ['x', keyOf('nobody'), `${keyOf('eyes')}x`, keyOf('eyes').slice(1)]) {
    isRefusal(await call('GET', '/cluster', undefined, { key }), 401, 'unauthorized');
  }
});

test('404, 405, 401, 403, 413, 400, in this order', async () => {
  const none = { headers: { authorization: '' }, key: '' };
  const weak = { key: keyOf('eyes') };
  const REVOKE = '/users/a%20b/revoke';
  isRefusal(await call('PATCH', '/nothing', undefined, none), 404, 'not_found');
  isRefusal(await call('GET', REVOKE, undefined, none), 405, 'bad_method');
  isRefusal(await call('POST', REVOKE, 'x', none), 401, 'unauthorized');
  isRefusal(await call('POST', REVOKE, 'x'.repeat(5000), weak), 403, 'forbidden');
  isRefusal(await call('POST', REVOKE, 'x'.repeat(5000)), 413, 'too_large');
  isRefusal(await call('POST', REVOKE, 'x'), 400, 'bad_json');
  isRefusal(await call('POST', REVOKE, '{"before":"x"}'), 400, 'bad_field', 'id');
  isRefusal(await call('POST', '/users/ann/revoke', '{"before":"x"}'), 400, 'bad_field', 'before');
});

test('a right is asked for before a body is read', async () => {
  const s = await raw.dial(node);
  await s.write(
    `POST /api/v1/users/ann/revoke HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n` +
      `Authorization: Bearer ${keyOf('eyes')}\r\n\r\n`,
  );
  assert.equal((await s.response()).status, 403);
  s.destroy();
});

test('what is wrong with a body leaves the connection open', async () => {
  const s = await raw.dial(node);
  const head = `POST /api/v1/users/ann/revoke HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${KEY}\r\n`;
  await s.write(`${head}Content-Length: 1\r\n\r\nx`);
  assert.equal((await s.response()).status, 400);
  await s.write(`${head}Content-Length: 2\r\n\r\n{}`);
  assert.equal((await s.response()).status, 200);
  s.destroy();
});

test('Allow names all methods of a path', async () => {
  const answer = await call('POST', '/cluster', '{}');
  assert.equal(answer.headers.allow, 'GET, HEAD');
  assert.equal((await call('GET', '/users/ann/revoke')).headers.allow, 'POST');
  assert.equal((await call('HEAD', '/cluster')).status, 200);
});

test('paths are whole', async () => {
  for (const where of ['', '/', '/cluster/', '/clusters', '/users', '/users/', '/users/a/b', '/users//revoke'])
    isRefusal(await call('GET', where), 404, 'not_found');
});

const reload = async (line) => {
  const before = node.log().split(line).length;
  await node.signal('SIGHUP');
  await until(() => node.log().split(line).length > before, { what: line });
};

test('the file is read again on SIGHUP, and a bad one changes nothing', async (t) => {
  t.after(async () => {
    writeKeys(file, RIGHTS);
    await reload('event=reloaded');
  });
  const status = async (name) => (await call('GET', '/cluster', undefined, { key: keyOf(name) })).status;
  writeKeys(file, { eyes: 'publish', more: 'read' });
  await reload('event=reloaded');
  assert.deepEqual([await status('eyes'), await status('more'), await status('boss')], [403, 200, 401]);
  for (const bad of [{ eyes: 'read,', late: 'read' }, { eyes: 'write' }, { default: 'all' }]) {
    writeKeys(file, bad);
    await reload('reload_failed');
  }
  fs.rmSync(file);
  await reload('reload_failed');
  assert.deepEqual([await status('eyes'), await status('more')], [403, 200], 'as it was');
  assert.ok(!node.log().includes(keyOf('eyes')));
});

test('a bad file stops the start', async () => {
  const start = async (text, given = {}) => {
    const bad = path.join(tempDir('keys'), 'keys');
    fs.writeFileSync(bad, text);
    const how = { env: given, serves: /event=listening/ };
    return runProgram(['--listen', '127.0.0.1:0', '--api-keys', bad], how);
  };
  const [one, two] = [keyOf('one'), keyOf('two')];
  const cases = [
    [`one ${one} read\none ${two} read\n`, /two keys are called one/],
    [`one ${one} read\ntwo ${one} read\n`, /two has the key of one/],
    [`one ${one} read\ntwo short read\n`, /line 2: a key must be 32 to 1023 visible ASCII/],
    [`one ${one}\n`, /line 1: NAME KEY RIGHT/],
    [`one ${one} read users\n`, /line 1: NAME KEY RIGHT/],
    [`one ${one} read,write\n`, /line 1: NAME KEY RIGHT/],
    [`\n# a comment\no/ne ${one} read\n`, /line 3: a name has 1 to 64 of/],
    [`${'n'.repeat(65)} ${one} read\n`, /line 1: a name has 1 to 64 of/],
    ['x'.repeat(262145), /is longer than 256 KiB/],
  ];
  for (const [text, complaint] of cases) {
    const { code, err } = await start(text);
    assert.equal(code, 1, text.slice(0, 80));
    assert.match(err, complaint);
    assert.match(err, /api-keys is ".*": /);
    assert.ok(!err.includes(one));
  }
  const taken = await start(`default ${one} read\n`, { SLUICE_API_KEY: KEY });
  assert.match(taken.err, /two keys are called default/);
  const same = await start(`one ${KEY} read\n`, { SLUICE_API_KEY: KEY });
  assert.match(same.err, /one has the key of default/);
  const good = await start(`# comment\n\n  ${'n'.repeat(64)}\t${one}   read,publish \r\nA-b_c.1 ${two} all`);
  assert.match(good.all, /event=listening/);
});

test('only so many requests of a key are under way', async () => {
  const MOST = 1000;
  const slow = await startRedis();
  const busy = await startNode({ redis: slow, args: [...args, '--redis-timeout', '30s'], env });
  const ask = (key) => request(`${busy.url}/api/v1/users/nobody`, { headers: bearer(key), timeout: 60000 });
  slow.pause();
  const all = range(0, MOST).map(() => ask(keyOf('eyes')));
  const refused = await Promise.any(all);
  isRefusal(refused, 429, 'rate_limited');
  assert.equal(refused.headers['retry-after'], '1');
  const other = ask(keyOf('boss'));
  slow.resume();
  const statuses = (await Promise.all(all)).map(({ status }) => status);
  assert.equal(statuses.filter((status) => status === 404).length, MOST);
  assert.equal((await other).status, 404, 'another key is counted for itself');
  assert.equal((await ask(keyOf('eyes'))).status, 404, 'and those that were answered do not count');
});
