// --real-address-header: behind a proxy the registry has the client's own address.
import assert from 'node:assert/strict';
import http from 'node:http';
import { cluster, login, test, until } from './lib/harness.mjs';
import { hash } from './lib/registry.mjs';

const address = async (redis, user) => {
  const [conn] = Object.values(await hash(redis, `sluice:{user:${user}}:conns`));
  return conn.split(' ')[2];
};

test('the header counts only if the option names it', async (t) => {
  const headers = { 'X-Real-IP': '203.0.113.9' };
  const trusting = await cluster({ nodes: 2, args: ['--real-address-header', 'X-Real-IP'] });
  t.after(trusting.stop);
  const plain = await cluster({ nodes: 2, redis: trusting.redis });
  t.after(plain.stop);
  const { redis } = trusting;
  await login(trusting.nodes[0], 'ann', {}, { headers });
  await login(trusting.nodes[1], 'six', {}, { headers: { 'x-real-ip': '2001:db8::7 \t' } });
  await login(trusting.nodes[1], 'bad', {}, { headers: { 'X-Real-IP': 'no address {}' } });
  await login(plain.nodes[0], 'eve', {}, { headers });
  assert.match(await address(redis, 'ann'), /^203\.0\.113\.9(:\d+)?$/);
  assert.match(await address(redis, 'six'), /2001:db8::7/);
  assert.match(await address(redis, 'bad'), /^127\.0\.0\.1/);
  assert.match(await address(redis, 'eve'), /^127\.0\.0\.1:\d+$/);
});

test('a connection that carries several clients counts for the one it has', async (t) => {
  const args = ['--real-address-header', 'X-Real-IP', '--max-connections-per-address', '1'];
  const { nodes, stop } = await cluster({ nodes: 1, args });
  t.after(stop);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const [node] = nodes;
  const handshake = '/socket.io/?EIO=4&transport=polling';
  const begin = (ip, own) =>
    new Promise((resolve, reject) => {
      const options = { agent: own ? false : agent, headers: { 'X-Real-IP': ip } };
      const answered = async (res) => {
        resolve([res.statusCode, (await res.setEncoding('utf8').toArray()).join('')]);
      };
      http.get(node.url + handshake, options, answered).on('error', reject);
    });
  // The session is ended, as it would count for the address, too; the connection stays.
  const open = async (ip, { own = false } = {}) => {
    const [status, body] = await begin(ip, own);
    const { sid } = status === 200 ? JSON.parse(body.slice(1)) : {};
    if (sid) await node.get(`${handshake}&sid=${sid}`, { method: 'POST', body: '1' });
    return status;
  };
  assert.equal(await open('203.0.113.1'), 200);
  assert.equal(await open('203.0.113.2'), 200);
  assert.equal(await open('203.0.113.2', { own: true }), 429);
  assert.equal(await open('203.0.113.1', { own: true }), 200, 'it left with the connection');
  agent.destroy();
  const free = async (ip) => (await open(ip, { own: true })) === 200;
  for (const ip of ['203.0.113.1', '203.0.113.2']) await until(() => free(ip), { what: ip });
});
