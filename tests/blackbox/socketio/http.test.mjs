// The HTTP side of the Socket.IO door: limits, origins, sessions that are not here, the drain.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, describe } from 'node:test';
import { cluster, sleep, startNode, test, until } from '../lib/harness.mjs';
import { emit, enter, front, once } from '../lib/socketio.mjs';
import { connections } from '../lib/registry.mjs';

const AT_ONCE = ['--drain', '0'];
const { redis, nodes, stop } = await cluster({ nodes: 2, args: AT_ONCE });
after(stop);

const OPEN = '/socket.io/?EIO=4&transport=polling';
const open = async (node, headers = {}) => {
  const answer = await node.get(OPEN, { headers });
  return { ...answer, sid: answer.status === 200 && JSON.parse(answer.body.slice(1)).sid };
};

test('a session that no node has is unknown; wrong requests have their status', async () => {
  const { sid } = await open(nodes[0]);
  await nodes[0].get(`${OPEN}&sid=${sid}`, { method: 'POST', body: '1' });
  const away = await nodes[1].get(`${OPEN}&sid=${sid}`);
  assert.deepEqual([away.status, away.json()], [400, { code: 1, message: 'Session ID unknown' }]);
  const post = await nodes[1].get(`${OPEN}&sid=${sid}`, { method: 'POST', body: '40' });
  assert.deepEqual([post.status, post.json().code], [400, 1]);
  const what = await nodes[0].get('/socket.io/?EIO=4&transport=smoke');
  assert.deepEqual([what.status, what.json().code], [400, 0]);
  for (const { headers } of [away, what, await nodes[0].get('/healthz')]) {
    assert.match(headers.date, /^[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/);
    assert.ok(Math.abs(new Date(headers.date) - Date.now()) < 60000, headers.date);
  }
  for (const where of ['/healthz', '/ws', '/api/v1/cluster', '/socket.iox/']) {
    const answer = await nodes[0].get(where, { method: 'POST', body: 'x' });
    assert.ok(answer.status >= 404 && answer.status < 500, `${where}: ${answer.status}`);
    if (answer.status === 405) assert.equal(answer.headers.allow, 'GET');
  }
});

test('origins: those of the list and no others, by both ways', async () => {
  const node = await startNode({ redis, args: ['--cors-origins', 'https://a.org,https://b.org:1', ...AT_ONCE] });
  const good = await open(node, { Origin: 'https://b.org:1' });
  assert.equal(good.status, 200);
  assert.equal(good.headers['access-control-allow-origin'], 'https://b.org:1');
  assert.equal((await open(node, { Origin: 'https://c.org' })).status, 403);
  const websocket = { transports: ['websocket'], wait: false };
  const bad = await front(node, { ...websocket, extraHeaders: { Origin: 'https://c.org' } });
  await once(bad, 'connect_error');
  const fine = await front(node, { ...websocket, extraHeaders: { Origin: 'https://a.org' } });
  await once(fine, 'connect');
  for (const s of [bad, fine]) s.end();
  const none = await open(nodes[0], { Origin: 'https://a.org' });
  assert.equal(none.status, 403);
  assert.ok(!('access-control-allow-origin' in none.headers));
  await node.stop();
});

test('origins of apps: files, and schemes of their own', async () => {
  const origins = ['null', 'file://', 'capacitor://localhost'];
  const node = await startNode({ redis, args: ['--cors-origins', origins.join(), ...AT_ONCE] });
  for (const Origin of origins) {
    const { status, headers } = await open(node, { Origin });
    assert.deepEqual([status, headers['access-control-allow-origin']], [200, Origin]);
  }
  assert.equal((await open(node, { Origin: 'https://a.org' })).status, 403);
  await node.stop();
});

test('a full node begins no session, and keeps those it has', async () => {
  const node = await startNode({ redis, args: ['--max-connections', '3', ...AT_ONCE] });
  const ann = await enter(node, 'ann', {}, { transports: ['polling'] });
  await open(node);
  await open(node);
  await until(async () => (await open(node)).status === 503);
  assert.deepEqual(await emit(ann, 'heartbeat'), {});
  ann.end();
  await until(async () => (await open(node)).status === 200);
  await node.stop();
});

test('who never joins a namespace is closed', async () => {
  const node = await startNode({ redis, args: ['--socketio-connect-timeout', '300ms', ...AT_ONCE] });
  // A machine that stands still meanwhile polls too late: the session is gone by then.
  const { body } = await until(async () => {
    const { sid } = await open(node);
    const poll = await node.get(`${OPEN}&sid=${sid}`);
    return poll.status === 200 && poll;
  });
  assert.equal(body, '1');
  await node.stop();
});

// Each waits most of its time, and has a node of its own.
describe('times', { concurrency: true }, () => {
  test('draining: no new session, polls of the old ones are answered', async () => {
    const node = await startNode({ redis, args: ['--drain', '2s'] });
    const fronts = [];
    for (let i = 0; i < 12; i++) {
      fronts.push(await enter(node, `u${i}`, {}, { transports: ['polling'] }));
    }
    let closed = 0;
    for (const s of fronts) s.once('disconnect', () => closed++);
    const end = node.stop('SIGTERM');
    await until(async () => closed > 0);
    assert.equal((await open(node)).status, 503);
    const last = fronts.find((s) => s.connected);
    if (last) await emit(last, 'heartbeat').catch(() => {}); // or it is closed just now
    assert.deepEqual(await end, { code: 0, signal: null });
    await until(() => closed === fronts.length);
    for (const s of fronts) s.end();
  });

  test('the registry has the door and the address that the proxy tells', async () => {
    const node = await startNode({ redis, args: ['--real-address-header', 'X-Real-IP', ...AT_ONCE] });
    for (const transport of ['polling', 'websocket']) {
      const options = { transports: [transport], extraHeaders: { 'X-Real-IP': '10.1.2.3' } };
      const ann = await enter(node, `ann-${transport}`, {}, options);
      const [conn] = await connections(redis, `ann-${transport}`);
      assert.match(conn.address, /10\.1\.2\.3/);
      assert.match(conn.door, /socketio/);
      ann.end();
    }
    await node.stop();
  });

  // 100 bytes a second have to come.
  test('a POST may take longer than a request, while enough of it comes', async () => {
    const node = await startNode({ redis, args: ['--handshake-timeout', '2s', ...AT_ONCE] });
    await until(async () => (await open(node)).status === 200);
    const post = async (piece, answered) => {
      const { sid } = await open(node);
      const first = '40\x1e421["login",{"userId":"u"}]'; // before it a message may not be so long
      await node.get(`${OPEN}&sid=${sid}`, { method: 'POST', body: first });
      for (let all = ''; !all.includes('431['); ) all += (await node.get(`${OPEN}&sid=${sid}`)).body;
      const body = `42["heartbeat","${'x'.repeat(Math.max(10 * piece, 1000))}"]`;
      const socket = net.connect(node.port, '127.0.0.1');
      let text = '';
      let over = false;
      socket.on('data', (data) => (text += data)).on('error', () => {});
      socket.on('close', () => (over = true));
      const head = `POST ${OPEN}&sid=${sid} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`;
      socket.write(head);
      // In pieces, 300 ms from one to the next.
      for (let at = 0; at < body.length && !over; at += piece) {
        socket.write(body.slice(at, at + piece));
        await sleep(300);
      }
      await until(() => over || text.endsWith('ok'));
      assert.match(text, answered ? /^HTTP\/1.1 200 / : /^HTTP\/1.1 408 /);
      socket.destroy();
    };
    await Promise.all([post(32768, true), post(10, false)]);
    await node.stop();
  });
});
