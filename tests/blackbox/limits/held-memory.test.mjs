// What a node holds for others is bounded and counted: before a login, for sessions that do not
// poll, and for a Redis that does not answer.
import assert from 'node:assert/strict';
import { cluster, connect, login, test, until } from '../lib/harness.mjs';
import { at } from '../lib/conformance.mjs';
import { range } from '../lib/frames.mjs';
import * as raw from '../lib/rawws.mjs';
import { front, once } from '../lib/socketio.mjs';
import { metric, publish } from '../lib/registry.mjs';

const args = ['--channels', 'events,chat:rw', '--redis-timeout', '60s', '--lease-timeout', '60s'];
args.push('--socketio-ping-interval', '2s');
const { redis, nodes, stop } = await cluster({ nodes: 1, args });
const [node] = nodes;
const held = (what) => metric(node, 'sluice_held_bytes', { what });

const event = (name, data, ack) => JSON.stringify({ event: name, data, ack });
const long = (size) => event('sendMessage', { room: 'r', message: 'x'.repeat(size) }, 9);

test('/ws before login: 16 KiB, then 1009; after it, and behind it, as long as ever', async () => {
  const fits = event('heartbeat', 'x'.repeat(16384 - 31));
  assert.equal(fits.length, 16384);
  const client = await connect(node);
  client.raw(fits);
  client.raw(fits.replace('x', 'xx'));
  assert.equal((await client.closed).code, 1009);

  const fragments = await raw.rawConnect(node);
  await fragments.send(raw.TEXT, 'x'.repeat(16000), { fin: false });
  await fragments.send(raw.CONTINUATION, 'x'.repeat(385));
  assert.equal((await fragments.close()).code, 1009);
  fragments.destroy();

  const eager = await raw.rawConnect(node);
  const texts = [
    event('login', { userId: 'eager' }, 1),
    event('join', { room: 'r' }, 2),
    long(500000),
  ];
  await eager.write(Buffer.concat(texts.map((text) => raw.encode(raw.TEXT, text))));
  for (let answer = {}; answer.ack !== 9; ) {
    answer = await eager.json();
    assert.equal(answer.error, undefined, JSON.stringify(answer).slice(0, 200));
  }
  eager.destroy();

  const refused = await raw.rawConnect(node);
  await refused.send(raw.TEXT, event('login', { userId: 'not valid' }, 1));
  assert.equal((await refused.json()).error.code, 'bad_field');
  await refused.send(raw.TEXT, long(20000));
  assert.equal((await refused.close()).code, 1009);
  refused.destroy();
});

test('raw: what is dropped anyway may not be long', async () => {
  const reader = await connect(node, { path: '/channels/events' });
  reader.raw('x'.repeat(16385));
  assert.equal((await reader.closed).code, 1009);
  const writer = await connect(node, { path: '/channels/chat' });
  writer.raw('x'.repeat(500000));
  assert.equal((await writer.next('raw')).text.length, 500000);
  await writer.close();
});

test('Socket.IO before login: a long message ends the session, by either transport', async () => {
  for (const transport of ['websocket', 'polling']) {
    const client = await front(node, { transports: [transport] });
    const gone = once(client, 'disconnect');
    client.emit('heartbeat', 'x'.repeat(20000));
    await gone;
    const good = await front(node, { transports: [transport] });
    for (let i = 0; i < 8; i++) good.emit('heartbeat', 'x'.repeat(10000)); // in one POST
    await good.emitWithAck('login', { userId: `u-${transport}` });
    await good.emitWithAck('join', { room: 'r' });
    const ack = await good.emitWithAck('sendMessage', { room: 'r', message: 'x'.repeat(300000) });
    assert.ok(ack.seq > 0, JSON.stringify(ack));
    good.end();
  }
});

test('Socket.IO: a body is short before a namespace is joined', async () => {
  const { sid } = JSON.parse((await node.get(at('socket.io'))).body.slice(1));
  const answer = await node.get(at('socket.io', sid), { method: 'POST', body: `40${'x'.repeat(70000)}` });
  assert.equal(answer.status, 413);
});

test('unfinished messages and requests are counted, and let go of', async () => {
  const messages = await held('messages');
  const requests = await held('requests');
  const sockets = await Promise.all(range(1, 20).map(() => raw.rawConnect(node)));
  const half = raw.encode(raw.TEXT, 'x'.repeat(16000)).subarray(0, 12000);
  await Promise.all(sockets.map((socket) => socket.write(half)));
  const heads = await Promise.all(range(1, 20).map(() => raw.dial(node)));
  const head = `GET / HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(12000)}`;
  await Promise.all(heads.map((socket) => socket.write(head)));
  await until(async () => (await held('messages')) >= messages + 20 * 12000);
  await until(async () => (await held('requests')) >= requests + 20 * 12000);
  for (const socket of [...sockets, ...heads]) socket.destroy();
  await until(async () => (await held('messages')) < messages + 12000);
  await until(async () => (await held('requests')) < requests + 12000);
});

// A session that has joined `/`, logged in, and is in the room; it polls no more.
async function sleeper(user) {
  const { sid } = JSON.parse((await node.get(at('socket.io'))).body.slice(1));
  const path = at('socket.io', sid);
  const post = (body) => node.get(path, { method: 'POST', body });
  await post('40');
  await post(`421["login",{"userId":"${user}"}]\x1e422["join",{"room":"r"}]`);
  for (let all = ''; !all.includes('432['); ) all += (await node.get(path)).body;
  return { path, post, poll: () => node.get(path) };
}

test('polled sessions share what they wait for; one that polls no more is over', async () => {
  const N = 20;
  const sleepers = await Promise.all(range(1, N).map((i) => sleeper(`s${i}`)));
  const ann = await login(node, 'ann');
  await ann.emit('join', { room: 'r' });
  const queues = await held('queues');
  const message = 'x'.repeat(900000);
  await ann.emit('sendMessage', { room: 'r', message });
  const waiting = () => metric(node, 'sluice_queue_bytes');
  await until(async () => (await waiting()) > N * message.length, { what: 'it waits for all' });
  assert.ok((await held('queues')) < queues + 4 * message.length);
  // One polls: all of it comes, in order with what is short.
  let got = '';
  while (!got.includes(message)) got += (await sleepers[0].poll()).body;
  // The others answer pings, but do not ask for anything.
  const over = async () => {
    const answers = await Promise.all(sleepers.slice(1).map(({ post }) => post('3')));
    return answers.every(({ status }) => status === 400);
  };
  await until(over, { timeout: 20000, every: 300, what: 'those that do not poll are over' });
  assert.ok((await metric(node, 'sluice_queue_bytes')) < message.length);
  await ann.close();
});

test('a Redis that does not answer: what waits for it is bounded, the rest refused', async () => {
  const N = 70;
  const clients = await Promise.all(range(1, N).map((i) => login(node, `w${i}`)));
  for (const client of clients) await client.emit('subscribe', { channel: 'topic:t' });
  for (const client of clients) await client.emit('unsubscribe', { channel: 'topic:t' });
  redis.signal('SIGSTOP');
  const data = 'x'.repeat(1000000);
  const answers = clients.map((client, i) =>
    client.emit('publish', { channel: 'topic:t', data, clientMessageId: i }, { timeout: 60000 }).then(
      () => 'stored',
      (error) => `${error.code} ${error.outcome}`,
    ),
  );
  const refused = () => metric(node, 'sluice_errors_total', { code: 'unavailable' });
  await until(async () => (await refused()) > 0, { timeout: 30000, what: 'a refusal' });
  assert.ok((await held('redis')) < 140e6);
  redis.signal('SIGCONT');
  const all = await Promise.all(answers);
  assert.deepEqual([...new Set(all)].sort(), ['stored', 'unavailable refused']);
  assert.equal(await redis.cli('XLEN', 'sluice:{topic:t}:log'), String(all.filter((a) => a === 'stored').length));
  await until(async () => (await held('redis')) < 10e6);
  assert.equal(await publish(redis, 'nobody', 'x'), '0');
  await stop(); // fails if a sanitizer spoke
});
