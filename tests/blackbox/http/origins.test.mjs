// allowed-origins: whose pages may open the doors, /ws, /channels/ and /socket.io/.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after } from 'node:test';
import { cluster, startNode, tempDir, test, until } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';
import { IDENTITY } from '../lib/token.mjs';
import * as raw from '../lib/rawws.mjs';

const args = ['--channels', 'events', '--drain', '0'];
const { redis, nodes, stop } = await cluster({ nodes: 2, args });
after(stop);
const [node] = nodes;

const POLL = '/socket.io/?EIO=4&transport=polling';
const UPGRADES = ['/ws', '/channels/events', '/channels/unknown', POLL.replace('polling', 'websocket')];

// The status of an upgrade; headers of undefined are left out.
async function upgrade(at, path, headers) {
  const s = await raw.dial(at);
  await s.write(raw.handshake({ path, headers }));
  const { status } = await s.response();
  s.destroy();
  return status;
}

async function poll(at, headers) {
  return (await at.get(POLL, { headers })).status;
}

// Every door lets in, or refuses, pages of this origin.
async function all(at, headers, allowed) {
  const note = JSON.stringify(headers);
  for (const path of UPGRADES) {
    const good = path.endsWith('unknown') ? 404 : 101;
    assert.equal(await upgrade(at, path, headers), allowed ? good : 403, `${path} ${note}`);
  }
  assert.equal(await poll(at, headers), allowed ? 200 : 403, `polling ${note}`);
}

const OWN = [
  ['http://a.example', 'a.example'],
  ['https://a.example', 'a.example'],
  ['http://a.example', 'a.example:80'],
  ['https://a.example', 'a.example:443'],
  ['https://a.example:443', 'a.example'],
  ['http://a.example:80', 'a.example'],
  ['https://a.example:8443', 'a.example:8443'],
  ['HTTPS://A.Example', 'a.eXAMPLE'],
  ['https://a.example.', 'a.example'],
  ['https://a.example', 'a.example.'],
  ['http://[::1]:8080', '[::1]:8080'],
  ['http://[2001:db8::1]', '[2001:DB8:0::1]:80'],
  ['http://127.0.0.1:81', '127.0.0.1:81'],
];
const FOREIGN = [
  ['http://b.example', 'a.example'],
  ['http://a.example:81', 'a.example'],
  ['http://a.example', 'a.example:81'],
  ['https://a.example', 'a.example:80'],
  ['http://a.example', 'a.example:443'],
  ['http://a.example.evil', 'a.example'],
  ['http://evil-a.example', 'a.example'],
  ['http://sub.a.example', 'a.example'],
  ['http://a.example@b.example', 'a.example'],
  ['http://b.example/a.example', 'a.example'],
  ['http://a.example/', 'a.example'],
  ['http://a.example b.example', 'a.example'],
  ['http://[::1]:8080', '[::2]:8080'],
  ['http://[::1]', '127.0.0.1'],
  ['ftp://a.example', 'a.example'],
  ['capacitor://localhost', 'localhost'],
  ['file://', 'a.example'],
  ['null', 'a.example'],
  ['null', 'null'],
  ['a.example', 'a.example'],
  ['', 'a.example'],
  ['*', 'a.example'],
  ['http://', 'a.example'],
  ['http://a.example:x', 'a.example'],
  ['http://a.example:99999', 'a.example'],
];

test('without a list: pages of the host that they came from, and who is no browser', async () => {
  for (const [Origin, Host] of OWN) await all(node, { Origin, Host }, true);
  for (const [Origin, Host] of FOREIGN) await all(node, { Origin, Host }, false);
  await all(node, { Host: 'a.example' }, true);
});

test('what a proxy, or a page, could say besides is not believed', async () => {
  for (const more of [
    { 'X-Forwarded-Host': 'b.example' },
    { Forwarded: 'host=b.example' },
    { 'X-Original-Host': 'b.example' },
    { Referer: 'http://a.example/' },
  ]) {
    await all(node, { Origin: 'http://b.example', Host: 'a.example', ...more }, false);
  }
  const s = await raw.dial(node);
  const twice = raw.handshake({ headers: { Host: 'a.example', Origin: 'http://a.example' } });
  await s.write(twice.replace('\r\n\r\n', '\r\nOrigin: http://b.example\r\n\r\n'));
  assert.equal((await s.response()).status, 403);
  s.destroy();
});

test('the origin is looked at before the token', async () => {
  const one = await startNode({ redis, args: [...args, ...IDENTITY] });
  const bad = { Authorization: 'Bearer abc' };
  const protocols = { 'Sec-WebSocket-Protocol': 'sluice, bearer.abc' };
  for (const path of ['/ws', '/channels/events']) {
    for (const [more, own] of [[bad, 401], [protocols, 401], [{}, path === '/ws' ? 101 : 401]]) {
      const from = (Origin) => upgrade(one, path, { Origin, Host: 'a.example', ...more });
      assert.equal(await from('http://b.example'), 403, path);
      assert.equal(await from('http://a.example'), own, `${path} ${JSON.stringify(more)}`);
    }
  }
  await one.stop();
});

test('a list: these and the own pages, by both names of the option', async () => {
  const list = ' https://One.example , http://two.example:8080, https://[2001:db8::2]:444';
  for (const name of ['--allowed-origins', '--cors-origins']) {
    const one = await startNode({ redis, args: [...args, name, list] });
    const at = (Origin, allowed) => all(one, { Origin, Host: 'a.example' }, allowed);
    await at('https://one.example', true);
    await at('https://one.example:443', true);
    await at('http://two.example:8080', true);
    await at('https://[2001:db8:0::2]:444', true);
    await at('https://a.example', true);
    await at('http://one.example', false);
    await at('https://one.example:444', false);
    await at('https://two.example:8080', false);
    await at('http://two.example', false);
    await at('null', false);
    await one.stop();
  }
});

test('*: every page, also one without an origin', async () => {
  const one = await startNode({ redis, args: [...args, '--allowed-origins', '*'] });
  for (const Origin of ['https://any.example', 'null', 'file://', 'x']) {
    await all(one, { Origin, Host: 'a.example' }, true);
  }
  await one.stop();
});

test('what polling tells browsers (CORS)', async () => {
  const one = await startNode({ redis, args: [...args, '--allowed-origins', 'https://one.example'] });
  const ask = (Origin, method = 'GET') =>
    one.get(POLL, { method, headers: { Origin, Host: 'a.example' } });
  const good = await ask('https://one.example');
  assert.equal(good.headers['access-control-allow-origin'], 'https://one.example');
  assert.equal(good.headers['access-control-allow-credentials'], 'true');
  assert.equal(good.headers.vary, 'Origin');
  const bad = await ask('https://two.example');
  assert.deepEqual([bad.status, bad.json().code], [403, 4]);
  assert.ok(!('access-control-allow-origin' in bad.headers));
  assert.equal(bad.headers.vary, 'Origin');
  const before = await ask('https://two.example', 'OPTIONS');
  assert.ok(!('access-control-allow-methods' in before.headers));
  await one.stop();
});

test('a session is for these pages, whichever node it is on', async () => {
  const { body } = await node.get(POLL);
  const { sid } = JSON.parse(body.slice(1));
  for (const at of nodes) {
    for (const options of [{}, { method: 'POST', body: '40' }]) {
      const headers = { Origin: 'http://b.example' };
      const answer = await at.get(`${POLL}&sid=${sid}`, { ...options, headers });
      assert.equal(answer.status, 403);
    }
  }
  assert.equal((await node.get(`${POLL}&sid=${sid}`, { method: 'POST', body: '40' })).body, 'ok');
});

test('the list is read again on SIGHUP', async () => {
  const file = path.join(tempDir('config'), 'sluice.conf');
  const write = (line) => fs.writeFileSync(file, `${line}\n`);
  write('allowed-origins = https://one.example');
  const one = await startNode({ redis, args: [...args, '--config', file] });
  const is = (Origin) => upgrade(one, '/ws', { Origin, Host: 'a.example' });
  assert.deepEqual([await is('https://one.example'), await is('https://two.example')], [101, 403]);
  await until(() => /level=warn event=origin_refused .*origin="?https:\/\/two\.example/.test(one.log()));
  write('cors-origins = https://two.example');
  one.signal('SIGHUP');
  await until(async () => (await is('https://two.example')) === 101);
  assert.equal(await is('https://one.example'), 403);
  write('cors-origins = two.example');
  one.signal('SIGHUP');
  await until(() => /two\.example.*an origin is like/.test(one.log()));
  assert.equal(await is('https://two.example'), 101, 'the old list stays');
  await one.stop();
});

test('lists that are wrong, and two that differ, stop the start-up', async () => {
  const bad = async (more, why) => {
    const { code, err } = await runProgram(['--listen', '127.0.0.1:0', ...more]);
    assert.equal(code, 1, more.join(' '));
    assert.match(err, why);
  };
  for (const name of ['allowed-origins', 'cors-origins']) {
    for (const list of ['a.example', 'https://', 'https://a/b', 'https://a,*', 'https://*.a', 'https://a:x']) {
      await bad([`--${name}`, list], new RegExp(`^sluice: command line: ${name} is ".*: .* origin is like`));
    }
  }
  await bad(
    ['--allowed-origins', 'https://a', '--cors-origins', 'https://b'],
    /cors-origins is "https:\/\/b": another name of allowed-origins/,
  );
});
