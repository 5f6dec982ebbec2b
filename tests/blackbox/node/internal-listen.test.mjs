// --internal-listen: a second port, which alone has the metrics, the console, the API and the
// hand-overs between nodes. The public port has the doors and the pages.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { authority } from '../lib/certificates.mjs';
import { cluster, connect, login, startNode, test, until } from '../lib/harness.mjs';
import { acquainted, begin, OPEN, UNKNOWN } from '../lib/handover.mjs';
import { front, emit, once } from '../lib/socketio.mjs';
import { runProgram } from '../lib/program.mjs';
import { connections } from '../lib/registry.mjs';
import * as raw from '../lib/rawws.mjs';

const TOKEN = 'an-admin-token';
const args = ['--admin-token', TOKEN, '--channels', 'events', '--drain', '0'];
const { redis, nodes, stop } = await cluster({ nodes: 2, internal: true, args });
after(stop);
const [node] = nodes;
const headers = { Authorization: `Bearer ${TOKEN}` };

const INSIDE = [
  '/metrics', '/console', '/console.js', '/console.css', '/console-parts.js',
  '/api/v1/cluster', '/api/v1/online', '/api/v1/users/ann',
];
const OUTSIDE = ['/', '/sluice.js', '/chat.js', '/session.js', OPEN, '/ws', '/channels/events'];

test('the public port has nothing of the internal one', async () => {
  for (const where of [...INSIDE, '/api/', '/api/v1/nothing', '/api/v2']) {
    for (const method of ['GET', 'HEAD', 'OPTIONS', 'DELETE']) {
      assert.equal((await node.get(where, { method, headers })).status, 404, `${method} ${where}`);
    }
    const post = await node.get(where, { method: 'POST', headers, body: '{}' });
    assert.equal(post.status, 404, `POST ${where}`);
  }
  for (const where of ['/%6Detrics', '//metrics', '/%61pi/v1/cluster', '/./metrics', '/metrics?a']) {
    assert.equal((await node.get(where, { headers })).status, 404, where);
  }
  for (const where of OUTSIDE.slice(0, 5)) {
    assert.equal((await node.get(where)).status, 200, where);
  }
  await (await login(node, 'ann')).close();
});

test('the internal port has these, and no doors', async () => {
  for (const where of INSIDE.filter((path) => !path.endsWith('/ann'))) {
    assert.equal((await node.internal.get(where, { headers })).status, 200, where);
  }
  assert.equal((await node.internal.get('/api/v1/cluster')).status, 401);
  for (const where of OUTSIDE) {
    assert.equal((await node.internal.get(where)).status, 404, where);
    const post = await node.internal.get(where, { method: 'POST', body: '40' });
    assert.ok([404, 405].includes(post.status), `POST ${where}: ${post.status}`);
  }
  for (const path of ['/ws', '/channels/events', '/socket.io/?EIO=4&transport=websocket']) {
    const s = await raw.dial(node.internal);
    await s.write(raw.handshake({ path }));
    assert.equal((await s.response()).status, 404, path);
    s.destroy();
  }
});

test('both ports tell whether the node is well', async () => {
  for (const where of ['/healthz', '/readyz']) {
    for (const port of [node, node.internal]) {
      assert.equal((await port.get(where)).status, 200);
      assert.equal((await port.get(where, { method: 'OPTIONS' })).status, 200);
    }
  }
  const { address } = (await node.internal.get('/healthz')).json();
  assert.equal(address, `127.0.0.1:${node.port}`, 'that of the public port');
});

test('a session of another node: its requests go by the internal port', async () => {
  const session = await begin(nodes[0], nodes);
  const before = await handed();
  assert.equal((await session.login(nodes[1], 'bea')).userId, 'bea');
  assert.ok((await handed()) > before);
  const [conn] = await connections(redis, 'bea');
  assert.match(conn.address, /^127\.0\.0\.1/);

  async function handed() {
    const { body } = await nodes[1].internal.get('/metrics');
    return Number(body.match(/sluice_handovers_total\{result="answered"\} (\d+)/)[1]);
  }
});

test('what nodes tell one another is the address of the internal port', async () => {
  await acquainted(nodes);
  const seen = nodes[0].log().match(/event=peer .*?addr=(\S+)/)[1];
  assert.equal(seen, `127.0.0.1:${nodes[1].internal.port}`);
});

test('an upgrade is handed over, too', async () => {
  const session = await begin(nodes[0], nodes);
  const s = await raw.dial(nodes[1]);
  await s.write(raw.handshake({ path: session.url.replace('polling', 'websocket') }));
  assert.equal((await s.response()).status, 101);
  await s.write(raw.encode(raw.TEXT, '2probe'));
  assert.equal((await s.frame()).payload.toString(), '3probe');
  s.destroy();
});

test('Sluice-Handover on the public port is 400, whatever it says', async () => {
  const session = await begin(nodes[0], nodes);
  const key = await redis.cli('KEYS', 'sluice:{node:*}:stats').then(async (all) => {
    const keys = await Promise.all(all.split('\n').map((one) => redis.cli('HGET', one, 'key')));
    return keys.filter((one) => one.length > 10);
  });
  assert.equal(key.length, 2, 'both keys are known here');
  for (const value of [...key, 'x', '']) {
    const marked = { 'Sluice-Handover': value };
    for (const where of [session.url, '/', '/readyz', '/healthz', '/nothing', '/metrics']) {
      const { status } = await node.get(where, { headers: marked });
      assert.equal(status, 400, `${where} with "${value}"`);
    }
    const post = await node.get(session.url, { method: 'POST', headers: marked, body: '2' });
    assert.equal(post.status, 400);
    for (const path of ['/ws', session.url.replace('polling', 'websocket')]) {
      const s = await raw.dial(node);
      await s.write(raw.handshake({ path, headers: { 'sluice-handover': value } }));
      assert.equal((await s.response()).status, 400, path);
      s.destroy();
    }
  }
  assert.equal((await session.login(nodes[0], 'cid')).userId, 'cid', 'the session lives on');
});

test('on the internal port it is believed only with the key of this node', async () => {
  const session = await begin(nodes[0], nodes);
  const marked = { 'Sluice-Handover': 'x'.repeat(20) };
  for (const at of [nodes[0].internal, nodes[1].internal]) {
    const answer = await at.get(session.url, { headers: marked });
    assert.deepEqual([answer.status, answer.body], [400, UNKNOWN]);
    const post = await at.get(session.url, { method: 'POST', headers: marked, body: '1' });
    assert.equal(post.status, 400);
    for (const where of ['/', '/ws', OPEN, '/metrics']) {
      assert.equal((await at.get(where, { headers: marked })).status, 404, where);
    }
  }
  assert.equal((await session.login(nodes[1], 'dan')).userId, 'dan', 'the session lives on');
});

test('the health check asks the internal port', async () => {
  const at = (one) => `127.0.0.1:${one.port}`;
  const check = (...more) => runProgram(['--health-check', ...more]);
  const good = await check('--listen', '127.0.0.1:1', '--internal-listen', at(node.internal));
  assert.deepEqual([good.code, good.out], [0, 'healthy\n']);
  const bad = await check('--listen', at(node), '--internal-listen', '127.0.0.1:1');
  assert.equal(bad.code, 1);
  assert.match(bad.err, /no healthy node at 127\.0\.0\.1:1:/);
});

test('a drain: both ports answer until the last client is gone, then both are closed', async () => {
  const leaving = await startNode({ redis, internal: true, args: ['--drain', '3s'] });
  const clients = [];
  for (let i = 0; i < 4; i++) clients.push(await login(leaving, `u${i}`));
  const session = await begin(leaving, [...nodes, leaving]);
  const end = leaving.stop('SIGTERM');
  await leaving.untilNotReady();
  assert.equal((await leaving.internal.get('/readyz')).status, 503);
  assert.equal((await leaving.internal.get('/metrics')).status, 200);
  const sent = await session.post(nodes[0], '3'); // a pong, which is handed over
  assert.ok([200, 400].includes(sent.status), `${sent.status} ${sent.body}`);
  for (const client of clients) assert.equal((await client.closed).code, 1012);
  assert.deepEqual(await end, { code: 0, signal: null });
  for (const port of [leaving, leaving.internal]) {
    await assert.rejects(port.get('/healthz'), { code: 'ECONNREFUSED' });
  }
});

test('a connection that waits on the internal port does not hold the end up', async () => {
  const leaving = await startNode({ redis, internal: true, args: ['--drain', '0'] });
  const idle = await raw.dial(leaving.internal);
  await idle.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  assert.equal((await idle.response()).status, 200);
  assert.deepEqual(await leaving.stop('SIGTERM'), { code: 0, signal: null });
  await idle.over();
});

test('connections of the internal port do not count for an address', async () => {
  const strict = ['--max-connections-per-address', '2', '--drain', '0'];
  const [one, two] = await Promise.all([1, 2].map(() => startNode({ redis, internal: true, args: strict })));
  const held = [];
  for (let i = 0; i < 5; i++) {
    const s = await raw.dial(one.internal);
    await s.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n');
    assert.equal((await s.response()).status, 200);
    held.push(s);
  }
  // So hand-overs pass while clients of that address have all that they may.
  const session = await begin(one, [...nodes, one, two]);
  const first = await connect(one);
  assert.equal((await session.login(two, 'gil')).userId, 'gil');
  await first.close();
  for (const s of held) s.destroy();
  await Promise.all([one.stop(), two.stop()]);
});

test('with TLS at the public port the internal one is plain, and hand-overs pass', async () => {
  const ca = authority();
  const secure = [...ca.issue().args, '--drain', '0'];
  const start = () => startNode({ redis, internal: true, tls: { ca: ca.ca }, args: secure });
  const pair = await Promise.all([start(), start()]);
  for (const one of pair) {
    assert.equal((await one.internal.get('/metrics')).status, 200);
    assert.equal((await one.get('/metrics')).status, 404);
    const { code, out } = await runProgram(
      ['--health-check', '--internal-listen', `127.0.0.1:${one.internal.port}`, ...secure.slice(0, -2)],
    );
    assert.deepEqual([code, out], [0, 'healthy\n']);
  }
  const session = await begin(pair[0], pair);
  assert.equal((await session.login(pair[1], 'hal')).userId, 'hal');
  await Promise.all(pair.map((one) => one.stop()));
});

test('with TLS and no internal port a node tells that others do not reach it', async () => {
  const ca = authority();
  const args = [...ca.issue().args, '--drain', '0'];
  const one = await startNode({ redis, tls: { ca: ca.ca }, args });
  await until(() => /level=warn event=not_reached .*internal-listen/.test(one.log()));
  const own = (await redis.cli('KEYS', 'sluice:{node:*}:stats')).split('\n');
  const told = await Promise.all(own.map((key) => redis.cli('HMGET', key, 'node', 'reached_at')));
  assert.ok(told.some((text) => text === `${one.id}\n`), JSON.stringify(told));
  await one.stop();
});

test('wrong addresses stop the start-up', async () => {
  const bad = async (value, why, more = []) => {
    const { code, err } = await runProgram(['--listen', '127.0.0.1:0', '--internal-listen', value, ...more]);
    assert.equal(code, 1);
    assert.match(err, /^sluice: command line: internal-listen is "/);
    assert.match(err, why);
  };
  await bad('here', /must be HOST:PORT/);
  await bad('unix:/tmp/x', /the port|HOST:PORT/);
  await bad('127.0.0.1:99999', /from 0 to 65535/);
  await bad(`127.0.0.1:${node.port}`, /in use/);
});

test('it may be at any address, also while authentication is off', async () => {
  const { out, late } = await runProgram(
    ['--listen', '127.0.0.1:0', '--internal-listen', '0.0.0.0:0', '--redis-url', redis.url],
    { serves: /event=listening .*internal=0\.0\.0\.0:\d+/ },
  );
  assert.ok(late, out);
});

test('the official client goes on through a node that does not have its session', async () => {
  const s = await front(nodes[0], { transports: ['polling'], wait: false });
  await once(s, 'connect');
  assert.equal((await emit(s, 'login', { userId: 'eve' })).userId, 'eve');
  s.end();
});

test('without the option one port has all of it', async () => {
  const one = await startNode({ redis, args });
  for (const where of ['/metrics', '/console', '/api/v1/cluster', '/', OPEN]) {
    assert.equal((await one.get(where, { headers })).status, 200, where);
  }
  const marked = await one.get('/readyz', { headers: { 'Sluice-Handover': 'x' } });
  assert.equal(marked.status, 200);
  await (await connect(one)).close();
  await one.stop();
});
