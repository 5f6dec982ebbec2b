// What the port takes for a handshake, and what it does with all else.
import assert from 'node:assert/strict';
import net from 'node:net';
import { connect, login, request, startNode, test, until } from '../lib/harness.mjs';
import { authority, handshakes, secureCluster, secureDial } from '../lib/certificates.mjs';
import { dial } from '../lib/rawws.mjs';

async function secureNode(t, options) {
  const { nodes, ca, stop } = await secureCluster(options);
  t.after(stop);
  return { node: nodes[0], ca };
}

const versions = (version) => ({
  minVersion: version,
  maxVersion: version,
  ciphers: 'DEFAULT:@SECLEVEL=0',
});

const get = 'GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n';

test('TLS 1.2 and 1.3 are spoken, 1.1 is refused and counted', async (t) => {
  const { node } = await secureNode(t);
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const socket = await secureDial(node, versions(version));
    assert.equal(socket.getProtocol(), version);
    assert.ok(/GCM|CHACHA20/.test(socket.getCipher().name), socket.getCipher().name);
    socket.write(get);
    await until(() => socket.received.startsWith('HTTP/1.1 200 '));
    socket.destroy();
  }
  await assert.rejects(secureDial(node, versions('TLSv1.1')), /alert protocol version|UNSUPPORTED/i);
  assert.equal(await handshakes(node, 'version'), 1);
});

test('ciphers without forward secrecy are refused', async (t) => {
  const { node } = await secureNode(t);
  const weak = { maxVersion: 'TLSv1.2', ciphers: 'AES128-GCM-SHA256:ECDHE-ECDSA-AES128-SHA' };
  await assert.rejects(secureDial(node, weak), /handshake failure/i);
  assert.equal(await handshakes(node, 'nothing_shared'), 1);
});

test('plain HTTP is answered 400 and closed', async (t) => {
  const { node } = await secureNode(t);
  const plain = { url: node.url.replace('https', 'http') };
  const answer = await request(`${plain.url}/ws`);
  assert.equal(answer.status, 400);
  assert.match(answer.body, /TLS/);
  await assert.rejects(connect(plain), { status: 400 });
  assert.equal(await handshakes(node, 'http'), 2);
  assert.doesNotMatch(node.log(), /tls_handshake_failed/); // not at info
});

test('what is no TLS at all is closed, told at info, and not for each', async (t) => {
  const { node } = await secureNode(t);
  for (let i = 0; i < 40; i++) {
    const raw = await dial(node);
    await raw.write('\x01\x02\x03 nonsense of some length that is no TLS record\r\n\r\n');
    await until(() => raw.closed || raw.ended, { what: 'the end' });
    raw.destroy();
  }
  assert.equal(await handshakes(node, 'version'), 40);
  const lines = node.log().match(/tls_handshake_failed/g);
  assert.ok(lines.length >= 10 && lines.length < 30, `${lines.length} lines`);
});

test('a handshake that stands still ends with handshake-timeout', async (t) => {
  const { node } = await secureNode(t, { args: ['--handshake-timeout', '700ms'] });
  const silent = await dial(node);
  const half = await dial(node);
  await half.write(Buffer.from('16030100f0010000ec0303', 'hex'));
  await until(() => silent.closed && half.closed, { timeout: 5000, what: 'both are closed' });
  assert.equal(await handshakes(node, 'late'), 2);
  // Its time is that of the request's head, too.
  const idle = await secureDial(node);
  await until(() => idle.destroyed, { timeout: 5000, what: 'the idle one is closed' });
});

// Passes on what the client sends in pieces of one byte.
async function byteByByte(port) {
  const server = net.createServer({ noDelay: true }, (client) => {
    const upstream = net.connect({ port, host: '127.0.0.1', noDelay: true });
    let queue = Promise.resolve();
    client.on('data', (data) => {
      for (const byte of data) {
        queue = queue.then(
          () => new Promise((done) => upstream.write(Buffer.from([byte]), () => setImmediate(done))),
        );
      }
    });
    upstream.pipe(client);
    for (const socket of [client, upstream]) socket.on('error', () => {}).unref();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  server.unref();
  return server;
}

test('a handshake and a login that come a byte at a time succeed', async (t) => {
  const { node } = await secureNode(t);
  const slow = await byteByByte(node.port);
  t.after(() => slow.close());
  const url = `https://127.0.0.1:${slow.address().port}`;
  const ann = await login({ url, tls: node.tls }, 'ann');
  assert.equal(ann.ack.userId, 'ann');
  await ann.close();
});

test('records of one byte are taken', async (t) => {
  const { node } = await secureNode(t);
  const socket = await secureDial(node);
  socket.setNoDelay(true);
  for (const byte of get) socket.write(byte);
  await until(() => socket.received.startsWith('HTTP/1.1 200 '));
  socket.destroy();
});

test('a ClientHello may not announce more memory than one needs', async (t) => {
  const { node } = await secureNode(t);
  const raw = await dial(node);
  // A record of 512 bytes, whose message announces 131,000.
  const head = Buffer.from('16030102000101ffb80303', 'hex');
  await raw.write(Buffer.concat([head, Buffer.alloc(506)]));
  await until(() => raw.ended || raw.closed, { timeout: 3000, what: 'it is closed' });
  assert.equal(await handshakes(node, 'no_memory'), 1);
  assert.equal((await node.get('/healthz')).status, 200);
});

test('of protocols http/1.1 is chosen, others are refused, and none is fine', async (t) => {
  const { node } = await secureNode(t);
  const both = await secureDial(node, { ALPNProtocols: ['h2', 'http/1.1'] });
  assert.equal(both.alpnProtocol, 'http/1.1');
  both.destroy();
  const none = await secureDial(node);
  assert.equal(none.alpnProtocol, false);
  none.destroy();
  await assert.rejects(secureDial(node, { ALPNProtocols: ['h2'] }), /no application protocol/i);
  const named = await secureDial(node, { servername: 'somebody.example', checkServerIdentity: () => {} });
  named.destroy();
});

for (const version of ['TLSv1.2', 'TLSv1.3']) {
  test(`a session is resumed (${version})`, async (t) => {
    const { node } = await secureNode(t);
    const first = await secureDial(node, versions(version));
    first.write(get);
    const session = await until(() => first.ticket);
    first.destroy();
    const second = await secureDial(node, { ...versions(version), session });
    assert.ok(second.isSessionReused());
    second.write(get);
    await until(() => second.received.startsWith('HTTP/1.1 200 '));
    second.destroy();
    assert.equal(await handshakes(node, 'resumed'), 1);
  });
}

test('nobody renegotiates, and the connection goes on or ends', async (t) => {
  const { node } = await secureNode(t);
  const socket = await secureDial(node, versions('TLSv1.2'));
  socket.write(get);
  await until(() => socket.received.includes('"status":"ok"'));
  const outcome = await new Promise((resolve) => {
    socket.once('error', resolve);
    socket.once('close', () => resolve(new Error('closed')));
    socket.renegotiate({}, (error) => resolve(error ?? null));
  });
  assert.ok(outcome instanceof Error, 'it was renegotiated');
  assert.equal((await node.get('/healthz')).status, 200);
});

test('a client is held to its certificate', async (t) => {
  const ca = authority();
  const mine = ca.issue({ subject: 'client' });
  const other = authority('Somebody else').issue();
  const args = [...ca.issue().args, '--tls-client-ca', ca.caFile];
  const own = { cert: mine.cert, key: mine.key };
  const node = await startNode({ tls: { ca: ca.ca, ...own }, args, ready: false });
  t.after(() => node.stop('SIGINT'));
  assert.equal((await node.get('/healthz')).status, 200);
  // By TLS 1.3 the refusal comes after the client's handshake.
  for (const shown of [{}, { cert: other.cert, key: other.key }]) {
    await assert.rejects(request(`${node.url}/healthz`, { tls: { ca: ca.ca, ...shown } }));
    const old = { ...versions('TLSv1.2'), ca: ca.ca, ...shown };
    await assert.rejects(request(`${node.url}/healthz`, { tls: old }));
  }
  assert.equal(await handshakes(node, 'certificate'), 4);
});

test('a flood of handshakes does not stop those that talk', async (t) => {
  const { node } = await secureNode(t);
  const ann = await login(node, 'ann');
  let stop = false;
  let done = 0;
  const storm = async () => {
    while (!stop) {
      const socket = await secureDial(node).catch(() => null);
      socket?.destroy();
      done++;
    }
  };
  const storms = Array.from({ length: 30 }, storm);
  for (let i = 0; i < 100; i++) await ann.emit('heartbeat', {}, { timeout: 5000 });
  await until(() => done > 100);
  stop = true;
  await Promise.all(storms);
  await ann.close();
});
