// A polled session's requests at a node that does not have it: handed over, one by one. By raw
// requests; deploy.test.mjs has official clients.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, startNode, test, until } from '../lib/harness.mjs';
import { metricChanges } from '../lib/registry.mjs';
import * as raw from '../lib/rawws.mjs';
import { acquainted, begin, OPEN, UNKNOWN } from '../lib/handover.mjs';

const { redis, nodes, stop } = await cluster({ nodes: 3 });
after(stop);
const [one, two, three] = nodes;

test('each request of a session at another node', async () => {
  const s = await begin(one, nodes);
  for (let i = 0; i < 30; i++) {
    const waiting = s.get(nodes[i % 3]);
    await s.post(nodes[(i + 1) % 3], `42${i}["heartbeat",""]`);
    const { status, body, headers } = await waiting;
    assert.deepEqual([status, body], [200, `43${i}[{}]`]);
    assert.equal(headers['content-type'], 'text/plain; charset=UTF-8');
    assert.equal(headers['cache-control'], 'no-store');
  }
});

test('the session names its node; another one has another name', async () => {
  const sids = [];
  for (const node of [one, one, two]) sids.push((await begin(node, nodes)).sid);
  assert.ok(sids.every((sid) => /^[\w-]{28}$/.test(sid)), sids.join());
  const names = sids.map((sid) => sid.slice(20));
  assert.equal(names[0], names[1]);
  assert.notEqual(names[0], names[2]);
  assert.equal(new Set(sids.map((sid) => sid.slice(0, 20))).size, 3);
});

test('binary, as base64, both ways', async () => {
  const s = await begin(one, nodes);
  await s.login(two, 'ann');
  await s.emit(two, ['join', { room: 'bin' }]);
  const bytes = Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString('base64');
  const message = { room: 'bin', message: { file: { _placeholder: true, num: 0 } } };
  assert.equal((await s.post(two, `451-["sendMessage",${JSON.stringify(message)}]\x1eb${bytes}`)).body, 'ok');
  const got = await s.until(three, (packet) => packet.startsWith('b'));
  assert.equal(got.at(-1), `b${bytes}`);
});

test('a post of the limit is handed over; one byte more is 413 and ends the session', async () => {
  const small = await Promise.all(
    [1, 2].map(() => startNode({ redis, args: ['--max-message', '1000'] })),
  );
  const s = await begin(small[0], small);
  const [before, behind] = ['421["publish",{"channel":"topic:t","data":"', '"}]'];
  const full = before + 'x'.repeat(1000 - before.length - behind.length) + behind;
  assert.equal((await s.post(small[1], full)).body, 'ok');
  const rest = await s.until(small[1], (packet) => packet.startsWith('431'));
  assert.match(rest.at(-1), /not_logged_in/);
  assert.equal((await s.post(small[1], `${full}x`)).status, 413);
  await until(async () => (await s.get(small[0])).status === 400);
  const t = await begin(small[0], small);
  const socket = await raw.dial(small[1]);
  const head = `POST ${t.url} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n`;
  await socket.write(`${head}3e9\r\n${full}x\r\n0\r\n\r\n`);
  assert.equal((await socket.response()).status, 413);
  await until(async () => (await t.get(small[0])).status === 400);
  await Promise.all(small.map((node) => node.stop()));
});

test('a chunked post, byte by byte', async () => {
  const s = await begin(one, nodes);
  const socket = await raw.dial(two);
  const body = '421["heartbeat",""]';
  const chunks = [...body].map((byte) => `1\r\n${byte}\r\n`).join('');
  const text = `POST ${s.url} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}0\r\n\r\n`;
  for (const byte of text) await socket.write(byte);
  assert.equal((await socket.response()).body, 'ok');
  assert.equal((await s.get(three)).body, '431[{}]');
  socket.destroy();
});

test('posts and polls of many sessions, pipelined on one connection', async () => {
  const some = await Promise.all(Array.from({ length: 20 }, (_, i) => begin(nodes[i % 3], nodes)));
  const socket = await raw.dial(two);
  const body = '421["heartbeat",""]';
  const requests = some.map(
    ({ url }) =>
      `POST ${url} HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}` +
      `GET ${url} HTTP/1.1\r\nHost: x\r\n\r\n`,
  );
  await socket.write(requests.join(''));
  for (let i = 0; i < some.length; i++) {
    assert.equal((await socket.response()).body, 'ok');
    assert.equal((await socket.response()).body, '431[{}]');
  }
  socket.destroy();
});

test('what nobody has is unknown at once', async () => {
  const { sid } = await begin(one, nodes);
  const made = [
    'A'.repeat(20) + sid.slice(20), // a session that the node never had
    sid.slice(0, 20) + 'AAAAAAAA', // of a node that never was
    sid.slice(0, 27),
    `${sid}A`,
    sid.slice(0, 20),
    'x',
    `${sid.slice(0, 20)}%00%0d%0a%20`,
    `${sid.slice(0, 20)}127.0.0.`,
    'é'.repeat(14),
  ];
  const rise = await metricChanges(two, async () => {
    for (const each of made) {
      const url = `${OPEN}&sid=${each}`;
      const text = `GET ${url} HTTP/1.1\r\nHost: x\r\n\r\n`;
      const socket = await raw.dial(two);
      await socket.write(text);
      const { status, body } = await socket.response();
      assert.equal(status, 400, each);
      if (!each.includes('é')) assert.equal(body, UNKNOWN, each);
      socket.destroy();
      const post = await two.get(encodeURI(url), { method: 'POST', body: '4x' });
      assert.equal(post.status, 400, each);
    }
  });
  assert.ok(rise('sluice_handovers_total', { result: 'unknown' }) >= 4);
  assert.equal(rise('sluice_handovers_total', { result: 'answered' }), 2, 'by the node of the first');
});

test('a request is handed over once', async () => {
  const s = await begin(one, nodes);
  for (const key of ['x', s.sid, '']) {
    const headers = { 'Sluice-Handover': key };
    for (const options of [{ headers }, { headers, method: 'POST', body: '42["heartbeat",""]' }]) {
      const { status, body } = await two.get(s.url, options);
      assert.deepEqual([status, body], [400, UNKNOWN]);
    }
  }
  const body = '421["heartbeat",""]';
  const headers = { 'Sluice-Handover': 'made up' };
  assert.equal((await one.get(s.url, { method: 'POST', body, headers })).body, 'ok');
  assert.equal((await s.get(two)).body, '431[{}]');
});

test('two polls at once, by different nodes, end the session; the first one is told', async () => {
  const s = await begin(one, nodes);
  const first = s.get(two);
  await s.waits();
  const second = await s.get(three);
  assert.deepEqual([second.status, second.json().code], [400, 3]);
  const { status, body } = await first;
  assert.deepEqual([status, body], [200, '1']);
  assert.equal((await s.get(one)).body, UNKNOWN);
  const t = await begin(one, nodes);
  const polls = [two, three, one].map((node) => t.get(node));
  const bodies = (await Promise.all(polls)).map(({ body }) => body);
  assert.equal(bodies.filter((body) => body === '1').length, 1, bodies.join());
  assert.equal((await t.get(one)).body, UNKNOWN);
});

test('two polls at once: whoever gives one up ends the session', async () => {
  const s = await begin(one, nodes);
  const first = s.get(two);
  await s.waits();
  const socket = await raw.dial(three);
  await socket.write(`GET ${s.url} HTTP/1.1\r\nHost: x\r\n\r\n`);
  await s.waits();
  socket.destroy();
  assert.match((await first).body, /^1$|Bad request/);
  assert.equal((await s.get(one)).body, UNKNOWN);
});

test('a poll that is given up at another node ends the session', async () => {
  for (const how of ['destroy', 'end']) {
    const s = await begin(one, nodes);
    const socket = await raw.dial(two);
    await socket.write(`GET ${s.url} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await s.waits();
    socket[how]();
    await until(async () => (await s.post(three, '3')).body === UNKNOWN, { what: 'it is gone' });
  }
});

test('a post that is given up at another node ends the session', async () => {
  const s = await begin(one, nodes);
  const socket = await raw.dial(two);
  await socket.write(`POST ${s.url} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n42`);
  await s.waits();
  socket.destroy();
  await until(async () => (await s.get(three)).body === UNKNOWN, { what: 'it is gone' });
});

test('a body that is invalid ends the session, as at its node', async () => {
  for (const body of ['abc', '', '2', 'bAQI*', Buffer.from([0x34, 0xc3, 0x28])]) {
    const s = await begin(one, nodes);
    const answer = await s.post(two, body);
    assert.deepEqual([answer.status, answer.json().code], [400, 3]);
    assert.equal((await s.get(three)).body, UNKNOWN);
  }
});

test('other methods are refused here; a wrong poll has the status of its node', async () => {
  const s = await begin(one, nodes);
  for (const method of ['HEAD', 'PUT', 'DELETE', 'PATCH']) {
    assert.equal((await two.get(s.url, { method })).status, 400, method);
  }
  assert.equal((await two.get(s.url.replace('polling', 'smoke'))).json().code, 0);
  assert.equal((await two.get(s.url.replace('polling', 'websocket'))).json().code, 1);
  assert.equal((await two.get(s.url, { method: 'OPTIONS' })).status, 204);
  assert.equal((await s.post(three, '1')).body, 'ok');
});

test('origins: refused here or there, named by the one that answers', async () => {
  const args = ['--cors-origins', 'https://a.org,https://b.org', '--drain', '0'];
  const strict = await Promise.all([1, 2].map(() => startNode({ redis, args })));
  const s = await begin(strict[0], strict);
  const as = (Origin, more = {}) => ({ headers: { Origin, ...more } });
  const lax = await startNode({ redis, args: ['--cors-origins', '*', '--drain', '0'] });
  await acquainted([lax, ...strict]);
  for (const node of [strict[1], lax]) {
    const got = await s.post(node, '421["heartbeat",""]', as('https://b.org'));
    assert.deepEqual([got.status, got.headers['access-control-allow-origin']], [200, 'https://b.org']);
    assert.equal(got.headers.vary, 'Origin');
    assert.equal((await s.get(node)).body, '431[{}]');
    const bad = await s.post(node, '42["heartbeat",""]', as('https://c.org'));
    assert.deepEqual([bad.status, bad.json().code], [403, 4]);
  }
  const own = await s.post(two, '421["heartbeat",""]', as('https://chat.example', { Host: 'chat.example' }));
  assert.equal(own.status, 200, "the page's own host, as the client named it");
  const here = await s.post(two, '42["heartbeat",""]', as('https://b.org'));
  assert.deepEqual([here.status, here.json().code], [403, 4], 'this one lists no origin');
  await Promise.all([lax, ...strict].map((node) => node.stop()));
});

test('what is not asked with an upgrade is not upgraded, and a tunnel needs a session', async () => {
  const { sid } = await begin(one, nodes);
  const path = `${OPEN.replace('polling', 'websocket')}&sid=${'A'.repeat(20)}${sid.slice(20)}`;
  for (const where of [path, path.replace('websocket', 'polling')]) {
    const socket = await raw.dial(two);
    await socket.write(raw.handshake({ path: where }));
    const { status, body } = await socket.response();
    assert.equal(status, 400);
    if (where === path) assert.equal(body, UNKNOWN);
    await socket.over(); // what comes after it may be of another protocol
  }
});

test('results are counted', async () => {
  const s = await begin(one, nodes);
  const rise = await metricChanges(two, async () => {
    for (let i = 0; i < 5; i++) await s.post(two, '42["heartbeat",""]');
    assert.equal((await s.post(two, 'abc')).status, 400);
    const gone = await begin(one, nodes);
    const socket = await raw.dial(two);
    await socket.write(`GET ${gone.url} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await gone.waits();
    socket.destroy();
    await until(async () => (await gone.post(one, '3')).status === 400);
  });
  const results = (result) => rise('sluice_handovers_total', { result });
  assert.deepEqual([results('answered'), results('given_up'), results('failed')], [6, 1, 0]);
});
