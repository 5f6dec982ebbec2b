// --real-address-header: behind a proxy the registry has the client's own address.
import assert from 'node:assert/strict';
import http from 'node:http';
import { cluster, login, test, until } from '../lib/harness.mjs';
import { connections } from '../lib/registry.mjs';

const address = async (redis, user) => {
  const [conn] = await connections(redis, user);
  return conn.address;
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

test('ports, brackets and zones are stripped; of several hops the last that is not trusted counts', async (t) => {
  const { redis, nodes, stop } = await cluster({
    nodes: 1,
    args: ['--real-address-header', 'X-Forwarded-For'],
  });
  t.after(stop);
  const [node] = nodes;
  const cases = [
    ['203.0.113.1:51008', '203.0.113.1'],
    ['203.0.113.2, 10.0.0.6', '203.0.113.2'],
    ['203.0.113.2:4,10.0.0.6:80 ,\t192.168.1.1', '203.0.113.2'],
    ['198.51.100.1, 203.0.113.3', '203.0.113.3'],
    ['10.0.0.7, 127.0.0.1', '10.0.0.7'],
    ['[2001:db8::1]:443', '[2001:db8::1]'],
    ['[2001:db8::2]', '[2001:db8::2]'],
    ['2001:db8::3', '[2001:db8::3]'],
    ['fe80::1%eth0', '[fe80::1]'],
    ['[fe80::2%25eth0]:1', '[fe80::2]'],
    ['::ffff:203.0.113.4', '203.0.113.4'],
    ['2001:db8::5, fd00::1, ', '[2001:db8::5]'],
    [['203.0.113.5', '10.1.1.1, 172.31.255.255'], '203.0.113.5'],
    [['203.0.113.5', '172.32.0.1'], '172.32.0.1'],
    // What cannot be read says nothing of what stands before it.
    ['203.0.113.6, unknown', '127.0.0.1'],
    ['203.0.113.6, unknown, 10.0.0.8', '10.0.0.8'],
    ['203.0.113.6:port', '127.0.0.1'],
    ['[2001:db8::6', '127.0.0.1'],
    [`203.0.113.6, ${'9'.repeat(300)}`, '127.0.0.1'],
    ['', '127.0.0.1'],
  ];
  for (const [i, [value, wanted]] of cases.entries()) {
    const client = await login(node, `u${i}`, {}, { headers: { 'X-Forwarded-For': value } });
    const seen = (await address(redis, `u${i}`)).replace(/:\d+$/, '');
    assert.equal(seen, wanted, JSON.stringify(value));
    await client.close();
  }
  const warnings = node.log().match(/level=warn event=real_address_unreadable .*/g);
  assert.equal(warnings.length, 1, 'said once');
  assert.match(warnings[0], /value="203\.0\.113\.6, unknown"/);
});

test('trusted-proxies says whose header is believed', async (t) => {
  const args = ['--real-address-header', 'X-Forwarded-For', '--trusted-proxies'];
  const none = await cluster({ nodes: 1, args: [...args, ''] });
  t.after(none.stop);
  const { redis } = none;
  const far = await cluster({ nodes: 1, redis, args: [...args, '10.0.0.0/8, 2001:db8::/32'] });
  t.after(far.stop);
  const exact = await cluster({ nodes: 1, redis, args: [...args, '127.0.0.1,203.0.113.128/25'] });
  t.after(exact.stop);
  const see = async (all, user, value) => {
    const options = { headers: { 'X-Forwarded-For': value } };
    const client = await login(all.nodes[0], user, {}, options);
    const seen = (await address(redis, user)).replace(/:\d+$/, '');
    await client.close();
    return seen;
  };
  assert.equal(await see(none, 'a', '203.0.113.1'), '127.0.0.1');
  assert.equal(await see(far, 'b', '203.0.113.1'), '127.0.0.1');
  assert.match(far.nodes[0].log(), /level=warn event=real_address_not_trusted .*127\.0\.0\.1/);
  assert.equal(await see(exact, 'c', '198.51.100.1, 203.0.113.127, 203.0.113.128'), '203.0.113.127');
  assert.equal(await see(exact, 'd', '198.51.100.1, 10.0.0.1'), '10.0.0.1');
});

test('a request without the header counts for the socket again', async (t) => {
  const args = ['--real-address-header', 'X-Real-IP', '--max-connections-per-address', '1'];
  const { nodes, stop } = await cluster({ nodes: 1, args });
  t.after(stop);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const begin = (headers, own) =>
    new Promise((resolve, reject) => {
      const url = `${nodes[0].url}/socket.io/?EIO=4&transport=polling`;
      const answered = (res) => res.resume().on('end', () => resolve(res.statusCode));
      http.get(url, { agent: own ? false : agent, headers }, answered).on('error', reject);
    });
  assert.equal(await begin({ 'X-Real-IP': '203.0.113.1' }), 200);
  assert.equal(await begin({}), 200);
  assert.equal(await begin({}, true), 429, 'the socket has as many as it may');
});
