// A poll was answered through another node, which dies before it has passed the answer on, while the
// client's proxy repeats the poll: the session ends, for the client to come back with its last offset.
import assert from 'node:assert/strict';
import http from 'node:http';
import { after } from 'node:test';
import { acquainted, begin, UNKNOWN } from '../lib/handover.mjs';
import { cluster, login, startNode, test, until } from '../lib/harness.mjs';
import * as raw from '../lib/rawws.mjs';
import { hash } from '../lib/registry.mjs';
import { emit, front, next } from '../lib/socketio.mjs';

const QUICK_PING = ['--socketio-ping-interval', '500ms', '--socketio-ping-timeout', '20s'];
const { redis, nodes, stop } = await cluster({ nodes: 2 });
after(stop);
const [one, two] = nodes;
const BEAT = '421["heartbeat",""]';
const BEATEN = '431[{}]';

// What a node writes of itself for the others to know.
async function keyOf(node) {
  const { incarnation } = await node.health();
  return (await hash(redis, `sluice:{node:${incarnation}}:stats`)).key;
}

// A connection to the session's node, as another node has it: poll() hands a poll over.
async function asker(node, s) {
  const socket = await raw.dial(node);
  const head = `GET ${s.url} HTTP/1.1\r\nHost: x\r\nSluice-Handover: ${await keyOf(node)}\r\n\r\n`;
  socket.poll = () => socket.write(head);
  return socket;
}

// ... with messages in the answer, which it alone has.
async function answered(node = one) {
  const s = await begin(node, [...new Set([node, one, two])]);
  const socket = await asker(node, s);
  assert.equal((await s.post(node, BEAT)).body, 'ok');
  await socket.poll();
  assert.equal((await socket.response()).body, BEATEN);
  return { s, socket };
}

// What has left is with the others: told by requests behind it.
async function settled(...some) {
  for (let i = 0; i < 3; i++) for (const node of some) await node.get('/healthz');
}

async function goesOn(s) {
  for (const node of [two, one]) {
    assert.equal((await s.post(node, BEAT)).body, 'ok');
    assert.equal((await s.get(node)).body, BEATEN);
  }
}

for (const how of ['destroy', 'end', 'reset']) {
  test(`the node goes with the messages (${how}): the next poll is unknown`, async () => {
    for (const node of nodes) {
      const { s, socket } = await answered();
      socket[how]();
      const { status, body } = await s.get(node);
      assert.deepEqual([status, body], [400, UNKNOWN]);
      assert.equal((await s.post(node, BEAT)).body, UNKNOWN);
    }
  });
}

test('... also when it came before that, and it is given nothing newer', async () => {
  for (const node of nodes) {
    const { s, socket } = await answered();
    const poll = s.get(node);
    await s.waits();
    assert.equal((await s.post(two, BEAT)).body, 'ok');
    assert.equal((await s.post(one, BEAT)).body, 'ok');
    await s.waits();
    socket.destroy();
    const { status, body } = await poll;
    assert.deepEqual([status, body], [400, UNKNOWN]);
  }
});

test('... or when nobody asks: the session is over', async () => {
  const { s, socket } = await answered();
  socket.destroy();
  await until(async () => (await s.post(two, '3')).body === UNKNOWN, { what: 'it is gone' });
});

test('an empty line says that they were passed on: the session goes on', async () => {
  const { s, socket } = await answered();
  await socket.write('\r\n');
  socket.destroy();
  await goesOn(s);
});

test('... and a poll that has come meanwhile is answered then', async () => {
  for (const node of nodes) {
    const { s, socket } = await answered();
    assert.equal((await s.post(two, BEAT)).body, 'ok');
    const poll = s.get(node);
    await s.waits();
    await socket.write('\r\n');
    assert.equal((await poll).body, BEATEN);
    socket.destroy();
    await goesOn(s);
  }
});

test('so does another request on the connection', async () => {
  const { s, socket } = await answered();
  await socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.equal((await socket.response()).status, 200);
  assert.equal((await s.post(two, BEAT)).body, 'ok');
  await socket.poll();
  assert.equal((await socket.response()).body, BEATEN, 'the next poll, here');
  assert.equal((await s.post(two, BEAT)).body, 'ok');
  await socket.poll();
  assert.equal((await socket.response()).body, BEATEN, 'and the next');
  await socket.write('\r\n');
  socket.destroy();
  await goesOn(s);
});

test('a noop alone is no loss', async () => {
  const s = await begin(one, nodes);
  const socket = await asker(one, s);
  await socket.poll();
  const probe = await raw.dial(one);
  await probe.write(raw.handshake({ path: s.url.replace('polling', 'websocket') }));
  assert.equal((await probe.response()).status, 101);
  await probe.send(raw.TEXT, '2probe');
  assert.equal((await probe.frame()).text, '3probe');
  assert.equal((await socket.response()).body, '6');
  probe.destroy();
  socket.destroy();
  await s.waits();
  await goesOn(s);
});

test('nor is a ping', async () => {
  const node = await startNode({ redis, args: [...QUICK_PING, '--drain', '0'] });
  const s = await begin(node, [node, one, two]);
  const socket = await asker(node, s);
  await socket.poll();
  assert.equal((await socket.response()).body, '2');
  socket.destroy();
  await s.waits();
  assert.equal((await s.post(two, `3\x1e${BEAT}`)).body, 'ok');
  assert.equal((await s.get(one)).body, BEATEN);
  await node.stop();
});

test('a client that has upgraded had them; one that polls still had not', async () => {
  for (const polls of [false, true]) {
    const { s, socket } = await answered();
    const probe = await raw.dial(one);
    await probe.write(raw.handshake({ path: s.url.replace('polling', 'websocket') }));
    assert.equal((await probe.response()).status, 101);
    await probe.send(raw.TEXT, '2probe');
    assert.equal((await probe.frame()).text, '3probe');
    const poll = polls && s.get(two);
    await s.waits();
    await probe.send(raw.TEXT, '5');
    if (polls) {
      assert.deepEqual([(await poll).status, (await poll).body], [400, UNKNOWN]);
      assert.equal((await probe.close()).code, 1000);
    } else {
      await probe.send(raw.TEXT, BEAT);
      assert.equal((await probe.frame()).text, BEATEN);
      socket.destroy();
      await s.waits();
      await probe.send(raw.TEXT, BEAT);
      assert.equal((await probe.frame()).text, BEATEN);
    }
    probe.destroy();
    socket.destroy();
  }
});

test('the session ends otherwise meanwhile', async () => {
  const { s, socket } = await answered();
  const poll = s.get(two);
  await s.waits();
  assert.equal((await s.post(two, 'abc')).status, 400);
  assert.equal((await poll).body, UNKNOWN);
  socket.destroy();
  assert.equal((await s.get(one)).body, UNKNOWN);
});

test('a node that stands still with the answer, and dies', async () => {
  for (const early of [false, true]) {
    const doomed = await startNode({ redis });
    const s = await begin(one, [one, two, doomed]);
    const waiting = s.get(doomed).catch((error) => error);
    await s.waits();
    doomed.suspend();
    assert.equal((await s.post(two, BEAT)).body, 'ok');
    const poll = early && s.get(two);
    await settled(one, two);
    await doomed.kill();
    assert.ok((await waiting) instanceof Error);
    const { status, body } = early ? await poll : await s.get(two);
    assert.deepEqual([status, body], [400, UNKNOWN]);
  }
});

// What a proxy does: a poll whose node is lost is asked for at the next one.
async function repeating(t, way) {
  const server = http.createServer((request, response) => {
    const { method, url: path, headers } = request;
    const pass = ([node, ...others]) => {
      const { port } = node;
      const asked = http.request({ host: '127.0.0.1', port, method, path, headers, agent: false });
      if (method === 'GET') proxy.polls++;
      asked.on('close', () => method === 'GET' && proxy.polls--);
      asked.on('response', (answer) => {
        response.writeHead(answer.statusCode, answer.headers);
        answer.pipe(response);
      });
      asked.on('error', () => (method === 'GET' && others.length ? pass(others) : response.destroy()));
      if (method === 'GET') asked.end();
      else request.pipe(asked);
    };
    pass(way[method] ?? way.GET);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const proxy = { url: `http://127.0.0.1:${server.address().port}`, polls: 0 };
  return proxy;
}

test('the official client behind a proxy that repeats: recovered, each message once', async (t) => {
  const doomed = await startNode({ redis });
  await acquainted([one, two, doomed]);
  const way = { GET: [one], POST: [one] };
  const proxy = await repeating(t, way);
  const client = await front(proxy, { transports: ['polling'], reconnection: true, reconnectionDelay: 20 });
  await emit(client, 'login', { userId: 'ann' });
  await emit(client, 'subscribe', { channel: 'topic:t' });
  const writer = await login(two, 'writer');
  const publish = (data) => writer.emit('publish', { channel: 'topic:t', data });
  await publish(1);
  assert.equal(await next(client, 'message'), 1);
  way.GET = [doomed, two];
  await publish(2); // answers the poll that waits at the first node
  assert.equal(await next(client, 'message'), 2);
  await publish(3);
  assert.equal(await next(client, 'message'), 3, 'through the other node');
  const { id } = client;
  await until(() => proxy.polls === 1, { what: 'the next poll' });
  await settled(doomed, one);
  doomed.suspend();
  await publish(4); // answers the poll that waits there
  await settled(one);
  await doomed.kill();
  assert.equal(await next(client, 'message'), 4);
  await publish(5);
  assert.equal(await next(client, 'message'), 5);
  assert.equal(client.recovered, true);
  assert.equal(client.id, id);
  assert.deepEqual(client.got, []);
  client.end();
});

test('kept connections go, sessions stay', async () => {
  const args = ['--handshake-timeout', '200ms', '--drain', '0'];
  const other = await startNode({ redis, args });
  const s = await begin(one, [one, two, other]);
  assert.equal((await s.post(two, BEAT)).body, 'ok');
  assert.equal((await s.get(other)).body, BEATEN);
  const peers = async () => (await other.get('/metrics')).body.match(/sluice_connections\{door="peer"\} (\d+)/)[1];
  await until(async () => (await peers()) === '0', { what: 'the kept connection is gone' });
  await goesOn(s);
  await other.stop();
});
