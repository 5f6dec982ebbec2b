// A message is compressed once on each node, for all that agreed to it; the others get it as ever.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, connect, login, startNode, test, until } from '../lib/harness.mjs';
import { secureCluster } from '../lib/certificates.mjs';
import { begin } from '../lib/handover.mjs';
import * as raw from '../lib/rawws.mjs';
import { metricChanges, metrics, publish, publishBytes } from '../lib/registry.mjs';
import { emit, enter, next } from '../lib/socketio.mjs';

const args = ['--deflate', '--channels', 'events', '--socketio-namespaces', '/shop'];
const { redis, nodes, stop } = await cluster({ nodes: 2, args });
after(stop);
const [one, two] = nodes;

const DEFLATES = { perMessageDeflate: true };
const PLAIN = { perMessageDeflate: false };
const headers = { 'Sec-WebSocket-Extensions': raw.OFFER };
const prose = (bytes, from = 0) =>
  Array.from({ length: bytes / 6 + 1 }, (_, i) => `word${(i * 7 + from) % 90}`).join(' ').slice(0, bytes);

const deflated = (rise) => rise('sluice_deflated_messages_total');

// Clients of /ws, each with its settings and on its node, in one topic.
async function subscribed(channel, ...kinds) {
  const clients = [];
  for (const [i, [node, options]] of kinds.entries()) {
    const client = await login(node, `${channel.slice(6)}${i}`, {}, options);
    await client.emit('subscribe', { channel });
    clients.push(client);
  }
  return clients;
}

test('one message to many on two nodes is compressed twice, and the same for all', async () => {
  const channel = 'topic:many';
  const kinds = Array.from({ length: 40 }, (_, i) => [nodes[i % 2], i % 4 < 2 ? DEFLATES : PLAIN]);
  const clients = await subscribed(channel, ...kinds);
  assert.equal(clients.filter(({ socket }) => socket.extensions).length, 20);
  const read = () => clients.map(({ socket }) => socket._socket.bytesRead);
  const rises = [];
  const before = read();
  rises[1] = await metricChanges(two, async () => {
    rises[0] = await metricChanges(one, async () => {
      await clients[0].emit('publish', { channel, data: prose(3000) });
      for (const client of clients) assert.equal((await client.next('message')).data, prose(3000));
    });
  });
  for (const rise of rises) {
    assert.equal(deflated(rise), 1);
    const plain = rise('sluice_deflated_plain_bytes_total');
    const packed = rise('sluice_deflated_packed_bytes_total');
    assert.ok(plain > 3000 && plain < 3300, `${plain}`);
    assert.ok(packed > 100 && packed < plain / 3, `${packed}`);
  }
  for (const [i, bytes] of read().entries()) {
    const came = bytes - before[i];
    assert.ok(clients[i].socket.extensions ? came < 1200 : came > 3000, `${i}: ${came} bytes`);
  }
  const texts = new Set(clients.map(({ frames }) => frames.at(-1).text));
  assert.equal(texts.size, 1);
  for (const client of clients) await client.close();
});

test('who did not agree gets the same bytes as without the option', async () => {
  const off = await startNode({ redis });
  const plain = [await raw.rawConnect(off), await raw.rawConnect(one)];
  const other = await login(one, 'other', {}, DEFLATES);
  await other.emit('subscribe', { channel: 'topic:same' });
  for (const [i, s] of plain.entries()) {
    await s.send(raw.TEXT, `{"event":"login","data":{"userId":"same${i}"},"ack":1}`);
    await s.json();
    await s.send(raw.TEXT, '{"event":"subscribe","data":{"channel":"topic:same"},"ack":2}');
    await s.json();
    assert.equal(s.received.length, 0);
  }
  const data = Array.from({ length: 30 }, (_, i) => prose(i * 50, i));
  for (const each of data) await other.emit('publish', { channel: 'topic:same', data: each });
  for (const each of data) assert.equal((await other.next('message')).data, each);
  const last = (s) => s.received.includes(`"${data.at(-1)}"}`);
  await until(() => plain.every(last));
  assert.ok(plain[0].received.equals(plain[1].received));
  for (const s of plain) s.destroy();
  await other.close();
  await off.stop();
});

test('short and long messages come in order', async () => {
  const channel = 'topic:order';
  const clients = await subscribed(channel, [one, DEFLATES], [two, DEFLATES], [two, PLAIN]);
  const data = Array.from({ length: 300 }, (_, i) => prose([10, 500, 30000, 240, 2000][i % 5], i));
  await Promise.all(data.map((each) => clients[0].emit('publish', { channel, data: each })));
  for (const client of clients) {
    for (const each of data) assert.equal((await client.next('message')).data, each);
    await client.close();
  }
});

test('answers are compressed, too: a page of history', async () => {
  const ann = await login(one, 'ann', {}, DEFLATES);
  await ann.emit('join', { room: 'past' });
  for (let i = 0; i < 20; i++) await ann.emit('sendMessage', { room: 'past', message: prose(300, i) });
  for (let i = 0; i < 20; i++) await ann.next('chatMessage'); // which are compressed, too
  const rise = await metricChanges(one, async () => {
    const { messages } = await ann.emit('history', { room: 'past' });
    assert.deepEqual(messages.map(({ message }) => message), data);
  });
  assert.equal(deflated(rise), 1);
  assert.ok(rise('sluice_deflated_packed_bytes_total') < rise('sluice_deflated_plain_bytes_total') / 4);
  await ann.close();
});
const data = Array.from({ length: 20 }, (_, i) => prose(300, i));

test('what a client missed comes compressed', async () => {
  const [ann, bob] = await subscribed('topic:missed', [one, DEFLATES], [two, DEFLATES]);
  await bob.close();
  for (const each of data) await ann.emit('publish', { channel: 'topic:missed', data: each });
  const back = await login(two, 'missed1', { resume: bob.positions }, DEFLATES);
  for (const each of data) assert.equal((await back.next('message')).data, each);
  await ann.close();
  await back.close();
});

test('raw channels: text and binary, once for all, and as it was published', async () => {
  const path = '/channels/events';
  const readers = [];
  for (const options of [DEFLATES, DEFLATES, PLAIN, DEFLATES]) {
    readers.push(await connect(one, { path, ...options }));
  }
  await until(async () => /\b1$/.test(await redis.cli('PUBSUB', 'NUMSUB', 'events')));
  const rise = await metricChanges(one, async () => {
    await publish(redis, 'events', prose(5000));
    await publishBytes(redis, 'events', Array(300).fill(0xff));
    await publish(redis, 'events', prose(255));
    for (const reader of readers) {
      assert.equal((await reader.next('raw')).text, prose(5000));
      assert.deepEqual([...(await reader.next('raw')).binary], Array(300).fill(0xff));
      assert.equal((await reader.next('raw')).text, prose(255));
    }
  });
  assert.equal(deflated(rise), 2);
  for (const reader of readers) await reader.close();
});

test('Socket.IO: once for each namespace and kind of client; polled sessions as ever', async () => {
  const websocket = { transports: ['websocket'], perMessageDeflate: {} };
  const polling = { transports: ['polling'] };
  const sockets = [];
  for (const [i, options] of [websocket, websocket, polling, { ...websocket, nsp: '/shop' }].entries()) {
    const socket = await enter(one, `sio${i}`, {}, options);
    await emit(socket, 'join', { room: 'mixed' });
    sockets.push(socket);
  }
  const json = await login(one, 'sio-json', {}, DEFLATES);
  await json.emit('join', { room: 'mixed' });
  const isIt = { match: (data) => data.message === prose(2000) };
  const rise = await metricChanges(one, async () => {
    await json.emit('sendMessage', { room: 'mixed', message: prose(2000) });
    for (const socket of sockets) await next(socket, 'chatMessage', isIt);
    await json.next('chatMessage');
  });
  assert.equal(deflated(rise), 3, 'two namespaces, and /ws');
  for (const socket of sockets) socket.end();
  await json.close();
});

test('Socket.IO: an official client that upgrades, with attachments', async () => {
  const [ann, bob] = await Promise.all(['ann', 'bob'].map((user) => enter(two, `up-${user}`, {}, { perMessageDeflate: {} })));
  for (const socket of [ann, bob]) {
    await until(() => socket.io.engine.transport.name === 'websocket');
    assert.match(socket.io.engine.transport.ws.extensions, /^permessage-deflate/);
    await emit(socket, 'join', { room: 'up' });
  }
  const blob = Buffer.alloc(5000, 'blob');
  const rise = await metricChanges(two, async () => {
    await emit(ann, 'sendMessage', { room: 'up', message: { text: prose(1000), blob } });
    for (const socket of [ann, bob]) {
      const { message } = await next(socket, 'chatMessage');
      assert.equal(message.text, prose(1000));
      assert.ok(message.blob.equals(blob));
    }
  });
  assert.equal(deflated(rise), 1, 'the packet, not the attachment');
  for (const socket of [ann, bob]) socket.end();
});

test('a WebSocket that another node has: the tunnel passes offer and answer on', async () => {
  const s = await begin(one, nodes);
  const socket = await raw.rawConnect(two, { path: s.url.replace('polling', 'websocket'), headers });
  assert.match(socket.agreed ?? '', /^permessage-deflate/);
  await socket.send(raw.TEXT, '2probe');
  assert.equal((await socket.frame()).text, '3probe');
  await socket.send(raw.TEXT, '5');
  await socket.send(raw.TEXT, raw.pack('421["heartbeat",""]'), { rsv: 4 });
  assert.equal((await socket.frame()).text, '431[{}]');
  socket.destroy();
});

test('a slow reader of compressed messages is closed, or gets them all', async () => {
  const channel = 'topic:slow';
  const [ann, bob] = await subscribed(channel, [one, DEFLATES], [two, DEFLATES]);
  bob.pauseReading();
  const texts = Array.from({ length: 50 }, (_, i) => prose(20000, i));
  for (const text of texts) await ann.emit('publish', { channel, data: text });
  bob.resumeReading();
  for (const text of texts) assert.equal((await bob.next('message')).data, text);
  await until(async () => (await metrics(two))('sluice_queue_bytes') === 0);
  await ann.close();
  await bob.close();
});

test('under TLS, and in order behind what was short', async (t) => {
  const secure = await secureCluster({ nodes: 2, args: ['--deflate'] });
  t.after(() => secure.stop());
  const [ann, bob] = await subscribed('topic:tls', [secure.nodes[0], DEFLATES], [secure.nodes[1], DEFLATES]);
  const texts = Array.from({ length: 30 }, (_, i) => prose(i % 2 ? 40000 : 20, i));
  for (const text of texts) await ann.emit('publish', { channel: 'topic:tls', data: text });
  for (const text of texts) assert.equal((await bob.next('message')).data, text);
  assert.equal((await metrics(secure.nodes[1]))('sluice_deflated_messages_total'), 15);
  await ann.close();
  await bob.close();
});
