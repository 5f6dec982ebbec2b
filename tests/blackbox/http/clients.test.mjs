// Clients of HTTP as they are: version 1.0, slow lines, other spellings of a URL, pages of other
// origins; load balancers that ask after a node's health, when it is full, too.
import assert from 'node:assert/strict';
import net from 'node:net';
import { describe } from 'node:test';
import { cluster, connect, sleep, startNode, test, until } from '../lib/harness.mjs';
import { memory } from '../lib/processes.mjs';
import { begin, OPEN, UNKNOWN } from '../lib/handover.mjs';
import { startNginx } from '../lib/nginx.mjs';
import { front, once } from '../lib/socketio.mjs';
import { handshake } from '../lib/rawws.mjs';

const PAGE = 'https://a.org';
const args = ['--cors-origins', `${PAGE},https://b.org`, '--channels', 'events', '--drain', '0'];
const { redis, nodes } = await cluster({ nodes: 2, args });
const [one, two] = nodes;

// A connection that keeps what comes: { socket, text, over }.
function open({ port }, bytes = '') {
  const socket = net.connect(port, '127.0.0.1');
  const self = { socket, text: '', over: false };
  socket.on('data', (data) => (self.text += data)).on('error', () => {});
  socket.on('close', () => (self.over = true));
  socket.write(bytes);
  return self;
}

// The answer to the one request of a connection that the node ends.
async function last(node, bytes) {
  const self = open(node, bytes);
  await until(() => self.over, { what: 'the node ends it' });
  const [head, ...body] = self.text.split('\r\n\r\n');
  return { status: Number(head.split(' ')[1]), head, body: body.join('\r\n\r\n') };
}

test('HTTP/1.0 is answered and closed on every path, with and without Host and keep-alive', async () => {
  const paths = ['/healthz', '/readyz', '/metrics', '/', '/sluice.js', OPEN];
  for (const path of paths) {
    for (const fields of ['', 'Host: x\r\n', 'Connection: keep-alive\r\n', 'Connection: Keep-Alive\r\nHost: x\r\n']) {
      const { status, head, body } = await last(one, `GET ${path} HTTP/1.0\r\n${fields}\r\n`);
      assert.equal(status, 200, `${path}: ${head}`);
      assert.match(head, /\r\nConnection: close/);
      assert.ok(body.length > 0);
    }
  }
  for (const path of ['/', '*', '/healthz', '/readyz']) {
    const { status } = await last(one, `OPTIONS ${path} HTTP/1.0\r\n\r\n`);
    assert.ok(status >= 200 && status < 300, `${path}: ${status}`);
  }
  assert.equal((await last(one, 'GET /healthz HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n')).status, 400);
  for (const path of ['/ws', '/channels/events']) {
    const { status, head } = await last(one, handshake({ path, version: 'HTTP/1.0' }));
    assert.equal(status, 426, 'it has no upgrades');
    assert.match(head, /\r\nUpgrade: websocket/);
  }
});

test('HTTP/1.0: a polled session, here and elsewhere', async () => {
  const s = await begin(one, nodes);
  const body = '421["heartbeat",""]';
  for (const node of nodes) {
    const fields = `Content-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`;
    const post = await last(node, `POST ${s.url} HTTP/1.0\r\n${fields}${body}`);
    assert.deepEqual([post.status, post.body], [200, 'ok'], post.head);
    assert.equal((await last(node, `GET ${s.url} HTTP/1.0\r\n\r\n`)).body, '431[{}]');
  }
});

test('nginx with a bare proxy_pass, which speaks HTTP/1.0', async () => {
  const bare = 'location /bare/ { proxy_http_version 1.0; proxy_set_header Host $proxy_host; proxy_pass http://sluice/; }';
  const nginx = await startNginx(nodes, { more: bare });
  const options = { transports: ['polling'], path: '/bare/socket.io/', wait: false };
  const s = await front(nginx, options);
  await once(s, 'connect');
  s.end();
  await nginx.stop();
});

test('spellings of a URL', async () => {
  const { sid } = await begin(one, nodes);
  const code = async (target, status = 400) => {
    const { body, status: got } = await last(one, `GET ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    assert.equal(got, status, `${target}: ${body}`);
    return body;
  };
  for (const target of [
    OPEN, OPEN.replace('/?', '?'), OPEN.replace('/?', '/x?'), OPEN.replace('/?', '/x/y/?'), OPEN.replace('/?', '//?'),
    `/${OPEN}`, OPEN.replace('socket', '%73ocket'), OPEN.replace('polling', 'p%6Flling'), OPEN.replace('polling', 'p%6flling'),
    OPEN.replace('EIO', '%45%49O'), OPEN.replace('?', '?&&x&'), `${OPEN}&&`, `${OPEN}&sid=`, `${OPEN}&EIO=3&transport=smoke`,
    `http://x${OPEN}`, `HTTP://other.example:81${OPEN}`, `${OPEN}&t=%zz`, `${OPEN}&x=%00&y=?&z`,
  ]) {
    assert.match(await code(target, 200), /^0\{"sid":"/, target);
  }
  assert.equal(JSON.parse(await code(OPEN.replace('polling', 'p%256Flling'))).code, 0);
  assert.equal(JSON.parse(await code('/socket.io/x')).code, 0);
  for (const path of ['/socket.iox', '/socket.i', '/socket%2Eio%2F', '/ws/', '/x//socket.io/', '/channels/a%2']) {
    await code(path.includes('%2F') ? `${path}?EIO=4` : path, 404);
  }
  await code('/%68ealthz', 200);
  await code('//healthz', 200);
  const encoded = `%${sid.charCodeAt(0).toString(16)}${sid.slice(1)}`;
  for (const node of nodes) {
    const url = `/socket.io?transport=polling&&sid=${encoded}&EIO=4&sid=no`;
    assert.equal((await node.get(url, { method: 'POST', body: '421["heartbeat",""]' })).body, 'ok');
    assert.equal((await node.get(url)).body, '431[{}]');
  }
});

test('every answer of /socket.io/ says which pages may read it', async (t) => {
  const small = await startNode({ redis, args: [...args, '--max-connections', '1', '--max-message', '1000'] });
  const slow = await startNode({ redis, args: [...args, '--handshake-timeout', '1s', '--max-connections-per-address', '1'] });
  t.after(() => Promise.all([small.stop(), slow.stop()]));
  const as = (node, line, fields = [], body = '') =>
    last(node, [`${line} HTTP/1.1`, 'Host: x', `Origin: ${PAGE}`, 'Connection: close', ...fields, '', body].join('\r\n'));
  const s = await begin(one, nodes);
  const other = s.url.replace(/sid=.*/, `sid=${'A'.repeat(28)}`);
  const full = await begin(small, [small]);
  assert.equal((await slow.get(OPEN)).status, 200);
  for (const [status, node, ...rest] of [
    [200, one, `GET ${OPEN}`],
    [200, two, `POST ${s.url}`, ['Content-Length: 4'], '2abc'.replace('2abc', '41\x1e3')],
    [400, one, 'GET /socket.io/?EIO=4&transport=smoke'],
    [400, one, 'GET /socket.io/?EIO=4&transport=websocket'],
    [400, one, `PUT ${OPEN}`],
    [400, one, `GET ${s.url}`, ['Upgrade: websocket', 'Connection: Upgrade']],
    [400, one, `GET ${other}`],
    [400, two, `GET ${other}`],
    [413, one, `GET ${OPEN}`, ['Content-Length: 1'], 'x'],
    [405, one, `DELETE ${OPEN}`, ['Content-Length: 1'], 'x'],
    [400, one, `POST ${OPEN}`, ['Content-Length: 1'], 'x'],
    [501, two, `POST ${s.url}`, ['Transfer-Encoding: gzip, chunked'], '1\r\n3\r\n0\r\n\r\n'],
    [400, one, `GET ${OPEN}`, ['Host: y']],
    [503, small, `GET ${OPEN}`],
    [413, small, `POST ${full.url}`, ['Content-Length: 1001'], 'x'],
    [429, slow, `GET ${OPEN}`],
    [404, one, 'GET /socket.io/socket.io.js'],
    [200, one, 'GET /sluice.js'],
    [304, one, 'GET /sluice.js', ['If-None-Match: *']],
    [405, one, 'PUT /sluice.js'],
    [200, one, 'HEAD /sluice.d.ts'],
  ]) {
    const { status: got, head } = await as(node, ...rest);
    assert.equal(got, status, `${rest}: ${head}`);
    const names = [...head.matchAll(/^access-control-allow-origin: (.*?)\r?$/gim)].map(([, name]) => name);
    const any = /sluice|socket\.io\.js/.test(rest[0]);
    assert.deepEqual(names, [any ? '*' : PAGE], `${rest}: ${head}`);
    if (!any) assert.match(head, /^Vary: Origin/m);
  }
  const late = open(slow, `POST ${OPEN}&x HTTP/1.1\r\nHost: x\r\nOrigin: ${PAGE}\r\nContent-Le`);
  await until(() => late.over);
  assert.match(late.text, /^HTTP\/1\.1 408 /);
  const ask = { Origin: PAGE, 'Access-Control-Request-Headers': 'x-a, content-type' };
  for (const url of [OPEN, '/socket.io/x?EIO=4', s.url]) {
    const { status, headers } = await two.get(url, { method: 'OPTIONS', headers: ask });
    assert.equal(status, 204);
    assert.equal(headers['access-control-allow-origin'], PAGE);
    assert.equal(headers['access-control-allow-credentials'], 'true');
    assert.equal(headers['access-control-allow-headers'], 'x-a, content-type');
    assert.match(headers['access-control-allow-methods'], /GET.*POST/);
    assert.equal(headers['access-control-max-age'], '86400');
  }
});

// MiB of memory, at most so far. Nodes for this let go of what they free, also with ASan.
const peak = (node) => Math.floor(memory(node, 'VmHWM'));
const lean = { ASAN_OPTIONS: 'detect_leaks=1:abort_on_error=0:exitcode=99:quarantine_size_mb=1' };

// Each of these waits most of its time, and has nodes of its own.
describe('limits', { concurrency: true }, () => {
  test('a slow POST is served while it makes progress, here and elsewhere', async () => {
    const times = ['--handshake-timeout', '2s', '--socketio-ping-interval', '1s', '--socketio-ping-timeout', '1500ms'];
    const slow = await Promise.all([1, 2].map(() => startNode({ redis, args: [...args, ...times] })));
    const serve = async (node) => {
      const s = await begin(slow[0], slow);
      const body = `3\x1e421["heartbeat","${'x'.repeat(4000)}"]`;
      const self = open(node, `POST ${s.url} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`);
      for (let at = 0; at < body.length; at += 400) {
        self.socket.write(body.slice(at, at + 400));
        await sleep(300);
      }
      await until(() => self.text.endsWith('ok') || self.over);
      assert.match(self.text, /^HTTP\/1\.1 200 /);
      self.socket.destroy();
      await s.until(node, (packet) => packet === '431[{}]');
    };
    await Promise.all(slow.map(serve));
    await Promise.all(slow.map((node) => node.stop()));
  });

  test('... within one limit', async () => {
    const node = await startNode({ redis, args: [...args, '--body-timeout', '1s'] });
    const { url } = await begin(node, [node]);
    const long = open(node, `POST ${url} HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n`);
    const drip = setInterval(() => long.socket.write('x'.repeat(100)), 50);
    await until(() => long.over, { timeout: 30000 });
    clearInterval(drip);
    assert.match(long.text, /^HTTP\/1\.1 408 /);
    assert.equal((await node.get(url)).body, UNKNOWN, 'it was given up');
    await node.stop();
  });

  test('an idle connection lives for idle-timeout, a new one for handshake-timeout', async () => {
    const node = await startNode({ redis, args: [...args, '--handshake-timeout', '1s', '--idle-timeout', '3s'] });
    const silent = open(node);
    const idle = open(node, 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await until(() => idle.text.includes('"status"'));
    const began = Date.now();
    await until(() => silent.over);
    await sleep(1000);
    assert.ok(!idle.over || Date.now() - began > 3000);
    const cut = open(node, 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HT');
    await until(() => cut.over);
    assert.match(cut.text, /HTTP\/1\.1 408 /);
    await until(() => idle.over);
    await node.stop();
  });

  test('a POST for nobody is refused before its body is read', async () => {
    const node = await startNode({ redis, args, env: lean });
    const { sid } = await begin(one, [...nodes, node]);
    const before = peak(node);
    const some = 'x'.repeat(900000);
    const post = (end) => open(node, `POST ${OPEN}&sid=${'A'.repeat(20)}${end} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n${some}`);
    // A node that nobody knows is looked for; one that is known says that it has no such session.
    for (const end of ['nonesuch', sid.slice(20)]) {
      const all = Array.from({ length: 40 }, () => post(end));
      await until(() => all.every(({ text, over }) => over || text.includes(UNKNOWN)), { timeout: 20000 });
      assert.ok(all.some(({ text }) => text.startsWith('HTTP/1.1 400 ')));
      for (const { socket } of all) socket.destroy();
    }
    assert.ok(peak(node) - before < 30, `${peak(node) - before} MiB more`);
    await node.stop();
  });

  test('requests that are refused for another node leave nothing behind', async () => {
    const limited = await startNode({ redis, args: [...args, '--max-connections-per-address', '1', '--max-message', '1000'], env: lean });
    const s = await begin(one, [...nodes, limited]);
    const first = await connect(limited);
    const socket = s.url.replace('polling', 'websocket');
    const wrong = [
      handshake({ path: socket, headers: { Connection: 'Upgrade, close' } }),
      handshake({ path: socket, headers: { 'Content-Length': '5' } }),
      `GET ${s.url} HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345`,
      `POST ${s.url}x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\n12345`,
      `POST ${s.url.replace(/sid=./, 'sid=.')} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\r\n12345`,
      `POST ${s.url.replace(/sid=./, 'sid=.')} HTTP/1.1\r\nHost: x\r\nContent-Length: 5000\r\n\r\n12345`,
    ];
    const round = async (n) => {
      for (let i = 0; i < n; i++) await Promise.all(wrong.map((bytes) => last(limited, bytes)));
    };
    await round(30);
    const before = peak(limited);
    await round(20);
    // Each of these would hold some 14 KB.
    for (let i = 0; i < 30; i++) await Promise.all(Array.from({ length: 50 }, () => last(limited, wrong[1])));
    assert.ok(peak(limited) - before < 8, `${peak(limited) - before} MiB more`);
    await first.close();
    await limited.stop(); // and no leak is found
  });
});

test('a full node tells its health, whoever holds the connections', async () => {
  const node = await startNode({ redis, args: [...args, '--max-connections', '3'] });
  const sockets = [];
  for (let i = 0; i < 3; i++) sockets.push(await connect(node)); // connections that idle make room
  const silent = Array.from({ length: 100 }, () => open(node));
  await until(() => silent.filter(({ over }) => over).length >= 60);
  for (let i = 0; i < 3; i++) {
    for (const path of ['/healthz', '/readyz', '/metrics']) assert.equal((await node.get(path)).status, 200);
  }
  await assert.rejects(connect(node), { status: 503 });
  for (const { socket } of silent) socket.destroy();
  await sockets[0].emit('login', { userId: 'ann' });
  await node.stop();
});
