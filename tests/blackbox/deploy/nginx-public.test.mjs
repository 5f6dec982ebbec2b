// The files of deploy/nginx on the open internet: what they pass on, what one address may take, TLS.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import { after } from 'node:test';
import tls from 'node:tls';
import { WebSocket } from 'ws';
import { cluster, freePort, login, request, tempDir, test, until } from '../lib/harness.mjs';
import { begin } from '../lib/handover.mjs';
import { NGINX_FILES, startNginx } from '../lib/nginx.mjs';

const TOKEN = 'an-admin-token';
const both = await cluster({ nodes: 2, internal: true, args: ['--admin-token', TOKEN, '--drain', '0'] });
const plain = await cluster({ nodes: 1, redis: both.redis, args: ['--admin-token', TOKEN, '--drain', '0'] });
const ends = [both.stop, plain.stop];
after(async () => {
  for (const end of ends.reverse()) await end();
});
const front = async (nodes, how) => {
  const nginx = await startNginx(nodes, how);
  ends.push(() => nginx.stop());
  return nginx;
};

test('what is for operators is not passed on, however it is spelled', async () => {
  const headers = { Authorization: `Bearer ${TOKEN}` };
  for (const { nodes } of [both, plain]) {
    const nginx = await front(nodes);
    for (const where of [
      '/metrics', '/metrics/', '/metrics?x', '/%6detrics', '//metrics', '/./metrics', '/x/../metrics',
      '/healthz', '/console', '/console.js', '/console.css', '/console-parts.js', '/console/',
      '/api/', '/api/v1/cluster', '/api/v1/online', '/%61pi/v1/cluster', '/api', '/x/..//api/v1/online',
    ]) {
      const { status, body } = await request(nginx.url + where, { headers });
      assert.equal(status, 404, where);
      assert.match(body, /nginx/, `${where}: no node was asked`);
    }
    const post = await request(`${nginx.url}/api/v1/users/ann/revoke`, { method: 'POST', headers, body: '{}' });
    assert.equal(post.status, 404);
    for (const where of ['/', '/sluice.js', '/favicon.ico', '/readyz', '/socket.io/?EIO=4&transport=polling']) {
      assert.equal((await request(nginx.url + where)).status, 200, where);
    }
    await (await login(nginx, 'ann')).close();
  }
});

test('Sluice-Handover does not come through', async () => {
  const nginx = await front(both.nodes);
  const headers = { 'Sluice-Handover': 'x' };
  assert.equal((await both.nodes[0].get('/', { headers })).status, 400);
  for (const where of ['/', '/readyz']) {
    assert.equal((await request(nginx.url + where, { headers })).status, 200, where);
  }
  const client = await login(nginx, 'bea', {}, { headers });
  await client.close();
  const session = await begin(both.nodes[0], both.nodes);
  for (let i = 0; i < 4; i++) {
    const sent = await request(nginx.url + session.url, { method: 'POST', headers, body: '3' });
    assert.deepEqual([sent.status, sent.body], [200, 'ok']);
  }
});

test('a token of 8 KiB passes', async () => {
  const nginx = await front(both.nodes);
  const headers = { Authorization: `Bearer ${'x'.repeat(8192)}` };
  assert.equal((await request(`${nginx.url}/sluice.js`, { headers })).status, 200);
});

// Clients of any address: nginx takes it from a header here, as from a balancer in front.
const FROM = { more: 'set_real_ip_from 127.0.0.1;\nreal_ip_header X-From;\n' };
const from = (address) => ({ 'X-From': address });
const given = (text, pattern, instead) => {
  assert.match(text, pattern);
  return text.replace(pattern, instead);
};

test('connections of an address: over the limit 429, not for others', async () => {
  const settings = (text) => given(text, /(limit_conn \w+) \d+;/, '$1 3;');
  const nginx = await front(both.nodes, { ...FROM, settings });
  const clients = [];
  const open = async (address) => clients.push(await login(nginx, `u${clients.length}`, {}, { headers: from(address) }));
  const polls = async (address) => (await request(`${nginx.url}/sluice.js`, { headers: from(address) })).status;
  for (let i = 0; i < 3; i++) await open('203.0.113.1');
  assert.equal(await polls('203.0.113.1'), 429);
  await assert.rejects(open('203.0.113.1'), /429/);
  await open('203.0.113.2');
  for (const host of [':1', ':2:3', 'ffff:ffff:ffff:ffff']) await open(`2001:db8:0:1:${host}`);
  assert.equal(await polls('2001:db8:0:1::9'), 429, 'of IPv6 the network counts');
  assert.equal(await polls('2001:db8:0:2::9'), 200);
  for (let i = 0; i < 5; i++) await open('127.0.0.1');
  assert.equal(await polls('127.0.0.1'), 200, 'this machine is not limited');
  await clients[0].close();
  await until(async () => (await polls('203.0.113.1')) === 200);
  for (const client of clients) await client.close();
});

test('requests of an address: beyond the rate and its burst 429, not for others', async () => {
  const settings = (text) =>
    given(given(text, /rate=\d+r\/s/, 'rate=1r/m'), /(zone=\w+ burst)=\d+/, '$1=4');
  const nginx = await front(both.nodes, { ...FROM, settings });
  const ask = async (address) => (await request(`${nginx.url}/sluice.js`, { headers: from(address) })).status;
  const many = [];
  for (let i = 0; i < 8; i++) many.push(await ask('203.0.113.1'));
  assert.deepEqual(many, [200, 200, 200, 200, 200, 429, 429, 429]);
  assert.equal(await ask('203.0.113.2'), 200);
  for (let i = 0; i < 8; i++) assert.equal(await ask('::1'), 200);
});

test('a head that does not come ends the connection', async () => {
  const settings = (text) => given(text, /client_header_timeout \d+s/, 'client_header_timeout 1s');
  const nginx = await front(both.nodes, { settings });
  const socket = net.connect(nginx.port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: x\r\n');
  let over = false;
  socket.on('close', () => (over = true)).on('error', () => {}).resume();
  await until(() => over);
});

test('TLS: the pages and sockets, 1.2 and 1.3 alone, and a redirect of plain HTTP', async () => {
  const dir = tempDir('tls');
  const [key, cert] = ['key.pem', 'cert.pem'].map((name) => path.join(dir, name));
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1',
    '-nodes', '-keyout', key, '-out', cert, '-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost',
    '-days', '2'], { stdio: 'ignore' });
  const of = (name) => fs.readFileSync(path.join(NGINX_FILES, 'tls', name), 'utf8');
  const port = await freePort();
  const { url } = await front(both.nodes, {
    listen: () => given(of('listen.conf'), /listen 8443/, `listen 127.0.0.1:${port}`),
    files: {
      'tls/key.pem': fs.readFileSync(key, 'utf8'),
      'tls/cert.pem': fs.readFileSync(cert, 'utf8'),
    },
    // The port that startNginx asks is that of plain HTTP.
    redirect: (plainPort) => given(of('redirect.conf'), /listen 8080/, `listen 127.0.0.1:${plainPort}`),
  });
  const ca = fs.readFileSync(cert);
  const get = (where) =>
    new Promise((resolve, reject) => {
      const options = { ca, servername: 'localhost', agent: false };
      https.get(`https://127.0.0.1:${port}${where}`, options, (res) => resolve(res.resume())).on('error', reject);
    });
  assert.equal((await get('/')).statusCode, 200);
  assert.equal((await get('/metrics')).statusCode, 404);
  const host = `localhost:${port}`;
  const ws = new WebSocket(`wss://127.0.0.1:${port}/ws`, {
    ca, servername: 'localhost', headers: { Host: host }, origin: `https://${host}`,
  });
  await new Promise((resolve, reject) => ws.on('open', resolve).on('error', reject));
  ws.terminate();
  const version = (wanted) =>
    new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port, ca, servername: 'localhost', minVersion: wanted, maxVersion: wanted };
      // Level 0: this client would not offer the older ones else.
      const socket = tls.connect({ ...options, ciphers: 'DEFAULT:@SECLEVEL=0' }, () => {
        resolve(socket.getProtocol());
        socket.destroy();
      });
      socket.on('error', reject);
    });
  for (const good of ['TLSv1.2', 'TLSv1.3']) assert.equal(await version(good), good);
  for (const bad of ['TLSv1', 'TLSv1.1']) await assert.rejects(version(bad), bad);
  const moved = await request(`${url}/some/page?x=1`, { headers: { Host: 'chat.example:8080' } });
  assert.deepEqual([moved.status, moved.headers.location], [301, 'https://chat.example/some/page?x=1']);
  assert.equal((await request(`${url}/metrics`)).status, 301);
});
