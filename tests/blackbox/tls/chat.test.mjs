// A chat over two nodes, all of it under TLS: clients, polling, Redis.
import assert from 'node:assert/strict';
import { inRoom, login, only, startNode, test } from '../lib/harness.mjs';
import { authority, metricOf, startSecureRedis } from '../lib/certificates.mjs';
import { front, next } from '../lib/socketio.mjs';

only('single', 'its Redis speaks TLS');

async function setUp(t) {
  const ca = authority();
  const redis = await startSecureRedis(ca.issue());
  const args = [...ca.issue().args, '--redis-ca', ca.caFile];
  const start = () => startNode({ redis: redis.tlsUrl, tls: { ca: ca.ca }, args });
  const nodes = [await start(), await start()];
  t.after(async () => {
    for (const node of nodes) await node.stop('SIGINT');
    await redis.stop();
  });
  return nodes;
}

test('messages cross from node to node', async (t) => {
  const nodes = await setUp(t);
  const [ann, bob] = await inRoom(nodes, 'den', 'ann', 'bob');
  await ann.emit('sendMessage', { room: 'den', message: 'hello' });
  assert.equal((await bob.next('chatMessage')).data.message, 'hello');
  await bob.emit('private_message', { receiverId: 'ann', content: 'psst' });
  assert.equal((await ann.next('new_private_message')).data.content, 'psst');
});

test('1 MiB goes each way, byte for byte', async (t) => {
  const nodes = await setUp(t);
  const ann = await login(nodes[0], 'ann');
  const bob = await login(nodes[1], 'bob');
  const content = Array.from({ length: 130000 }, (_, i) => String(i % 10)).join('').repeat(8);
  await ann.emit('private_message', { receiverId: 'bob', content }, { timeout: 30000 });
  const frame = await bob.next('new_private_message', { timeout: 30000 });
  assert.equal(frame.data.content, content);
});

test('metrics count what is said, not what it is encrypted to', async (t) => {
  const [node] = await setUp(t);
  const ann = await login(node, 'ann');
  const before = await metricOf(node, 'sluice_received_bytes_total{door="json"}');
  const ping = JSON.stringify({ event: 'heartbeat', ack: 7 });
  for (let i = 0; i < 10; i++) ann.raw(ping);
  await ann.emit('all_member', {}).catch(() => {});
  const after = await metricOf(node, 'sluice_received_bytes_total{door="json"}');
  const sent = 10 * (ping.length + 6) + '{"event":"all_member","data":{},"ack":2}'.length + 6;
  assert.equal(after - before, sent);
});

test('polling works over https, and so does the upgrade', async (t) => {
  const nodes = await setUp(t);
  const { ca } = nodes[0].tls;
  for (const transports of [['polling'], ['polling', 'websocket']]) {
    const ann = await front(nodes[0], { ca, transports, auth: { userId: 'ann', csId: 'den' } });
    const bob = await front(nodes[0], { ca, transports, auth: { userId: 'bob', csId: 'den' } });
    bob.emit('sendMessage', { message: `by ${transports}` });
    const message = await next(ann, 'chatMessage');
    assert.equal(message.message, `by ${transports}`);
    ann.end();
    bob.end();
  }
});
