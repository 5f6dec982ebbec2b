// scripts/run (`make run`): what it prints is there, and it leaves nothing.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { login, request, ROOT, test, until } from '../lib/harness.mjs';
import { BINARY } from '../lib/servers.mjs';

// Resolves when the last line is there: { lines, url, port, stop() }.
async function run(t, env = {}) {
  const clean = Object.fromEntries(
    Object.entries(process.env).filter(([key]) => !key.startsWith('SLUICE_') && key !== 'AUTH'),
  );
  const child = spawn(path.join(ROOT, 'scripts/run'), {
    env: { ...clean, SLUICE_BIN: BINARY, PORT: '18080', ASAN_OPTIONS: 'exitcode=99', ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let text = '';
  let result = null;
  child.stdout.on('data', (data) => (text += data));
  child.on('close', (code, signal) => (result = { code, signal }));
  const stop = async () => {
    child.kill('SIGTERM');
    await until(() => result, { timeout: 10000 });
    return result;
  };
  t.after(stop);
  await until(() => result || /^http:\/\/127\.0\.0\.1:\d+\n$/m.test(text), { timeout: 30000 });
  assert.equal(result, null, text);
  const lines = text.trimEnd().split('\n');
  const url = lines.at(-1);
  return { lines, url, port: Number(new URL(url).port), stop };
}

test('the console is on an internal port, and the chat needs no token', async (t) => {
  const all = await run(t);
  const [, where, token] = all.lines.join('\n').match(/^console (http:\S+)#(\S+)$/m);
  assert.equal((await request(where)).status, 200);
  const headers = { Authorization: `Bearer ${token}` };
  const view = await request(new URL('/api/v1/cluster', where).href, { headers });
  assert.equal(view.status, 200);
  for (const hidden of ['/console', '/metrics', '/api/v1/cluster', '/healthz']) {
    assert.equal((await request(all.url + hidden, { headers })).status, 404, hidden);
  }
  for (const [, node, internal] of all.lines.join('\n').matchAll(/^node n\d on 127\.0\.0\.1:(\d+), internal port (\d+)$/gm)) {
    assert.equal((await request(`http://127.0.0.1:${node}/metrics`)).status, 404);
    assert.equal((await request(`http://127.0.0.1:${internal}/metrics`)).status, 200);
  }
  assert.match(all.lines.at(-2), /AUTH=1/);
  const client = await login(all, 'ann');
  await client.close();
  assert.deepEqual(await all.stop(), { code: 0, signal: null });
  await assert.rejects(request(where), { code: 'ECONNREFUSED' });
});

test('AUTH=1: two links with tokens, and nobody without one', async (t) => {
  const all = await run(t, { AUTH: '1' });
  const links = all.lines.join('\n').match(/^(alice|bob) http:\S+\/#token=\S+$/gm);
  assert.equal(links.length, 2);
  const [alice, bob] = links.map((line) => {
    const [, user, link, token] = line.match(/^(\w+) (\S+)#token=(\S+)$/);
    assert.equal(link, `${all.url}/`);
    return { user, token };
  });
  const clients = [];
  for (const { user, token } of [alice, bob]) {
    clients.push(await login(all, user, { token }));
    await clients.at(-1).emit('join', { room: 'lobby' });
  }
  await clients[0].emit('sendMessage', { room: 'lobby', message: 'hi' });
  await clients[1].next('chatMessage');
  await assert.rejects(login(all, 'eve'), { code: 'unauthorized' });
  await assert.rejects(login(all, 'eve', { token: alice.token }), { code: 'forbidden' });
  for (const client of clients) await client.close();
  // The secret and the tokens stand on no command line.
  const lines = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map((pid) => {
    try {
      return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8');
    } catch {
      return ''; // it has gone
    }
  });
  const [, redis] = all.lines[0].match(/^Redis on (127\.0\.0\.1:\d+)$/);
  const own = lines.filter((line) => line.includes(`redis://${redis}/`));
  assert.equal(own.length, 2);
  for (const line of own) assert.doesNotMatch(line, /secret|eyJ/);
  assert.deepEqual(await all.stop(), { code: 0, signal: null });
});
