// How connections under TLS end: whole answers, close codes, half-closed and cut streams.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { connect, login, test, until } from '../lib/harness.mjs';
import { secureCluster, secureDial } from '../lib/certificates.mjs';
import { encode, handshake, TEXT } from '../lib/rawws.mjs';
import { kept } from '../lib/waiting.mjs';

async function secureNode(t, options) {
  const { nodes, stop } = await secureCluster(options);
  t.after(stop);
  return nodes[0];
}

test('close codes arrive, whoever closes', async (t) => {
  const node = await secureNode(t, { args: ['--max-message', '1000'] });
  const ann = await login(node, 'ann');
  assert.equal((await ann.close(4000, 'bye')).code, 4000);
  const bob = await login(node, 'bob');
  bob.raw('x'.repeat(300000)); // much of it is still on its way when the node closes
  assert.equal((await bob.closed).code, 1009);
  const cat = await connect(node);
  const [{ code }] = await Promise.all([cat.closed, node.stop()]);
  assert.equal(code, 1012);
});

// Node takes the end of the stream for close_notify; openssl tells one from the other.
test('close_notify follows the last byte, and then the end of the stream', async (t) => {
  const node = await secureNode(t);
  const args = ['s_client', '-quiet', '-verify_quiet', '-connect', `127.0.0.1:${node.port}`];
  const client = spawn('openssl', args, { stdio: 'pipe' });
  let [out, err] = ['', ''];
  client.stdout.on('data', (data) => (out += data));
  client.stderr.on('data', (data) => (err += data));
  client.stdin.write('GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await kept(once(client, 'close'));
  const [head, body] = out.split('\r\n\r\n');
  assert.equal(body.length, Number(head.match(/Content-Length: (\d+)/)[1]));
  assert.doesNotMatch(err, /unexpected eof/i);
});

test('a client that ends its side gets the whole answer', async (t) => {
  const node = await secureNode(t);
  const socket = await secureDial(node, { allowHalfOpen: true });
  socket.end('GET /sluice.js HTTP/1.1\r\nHost: a\r\n\r\n');
  await once(socket, 'end');
  const [head, body] = socket.received.split('\r\n\r\n');
  assert.match(head, /^HTTP\/1.1 200 /);
  assert.ok(Buffer.byteLength(socket.received, 'latin1') > head.length + 4 && body.length > 0);
  const length = Number(head.match(/Content-Length: (\d+)/)[1]);
  assert.equal(Buffer.byteLength(socket.received, 'latin1') - head.length - 4, length);
});

test('a stream that ends without close_notify ends the client', async (t) => {
  const node = await secureNode(t);
  const tcp = net.connect(node.port, '127.0.0.1');
  await once(tcp, 'connect');
  const socket = await secureDial(node, { socket: tcp, port: undefined, host: undefined });
  socket.write(handshake());
  await until(() => socket.received.includes('101 Switching'));
  socket.write(encode(TEXT, '{"event":"login","data":{"userId":"ann"},"ack":1}'));
  await until(() => socket.received.includes('"ack":1'));
  const bob = await login(node, 'bob');
  tcp.end(); // FIN alone
  const left = async () => (await node.health()).connections <= 2;
  await until(left, { timeout: 5000, what: 'the node lets it go' });
  await bob.close();
});

test('a slow reader gets all of what waits for it, and its close', async (t) => {
  const node = await secureNode(t);
  const slow = await login(node, 'slow');
  const ann = await login(node, 'ann');
  slow.pauseReading();
  const content = 'y'.repeat(100000);
  for (let i = 0; i < 30; i++) await ann.emit('private_message', { receiverId: 'slow', content });
  slow.resumeReading();
  for (let i = 0; i < 30; i++) {
    const { data } = await slow.next('new_private_message', { timeout: 20000 });
    assert.equal(data.content.length, content.length);
  }
  assert.equal((await slow.close()).code, 1000);
});

test('a reader that takes nothing is closed by max-queue, counted in plain bytes', async (t) => {
  const node = await secureNode(t, { args: ['--max-queue', '256K'] });
  const slow = await login(node, 'slow');
  const ann = await login(node, 'ann');
  slow.pauseReading();
  const content = 'z'.repeat(200000);
  const isClosed = async () => {
    await ann.emit('private_message', { receiverId: 'slow', content });
    return (await node.get('/metrics')).body.includes('sluice_closes_total{code="1013"} 1');
  };
  await until(isClosed, { timeout: 30000 });
  slow.resumeReading();
  assert.equal((await slow.closed).code, 1013);
});
