// Engine.IO over HTTP long-polling: payloads, two requests at once, requests that are given up.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { at, packets, poll, startConformance } from '../lib/conformance.mjs';
import { test, until } from '../lib/harness.mjs';
import * as raw from '../lib/rawws.mjs';

let p;
before(async () => {
  p = await startConformance();
});
after(() => p.stop());

// A raw request; the connection stays the caller's.
async function send(text) {
  const s = await raw.dial(p);
  await s.write(text);
  return s;
}
const GET = (s) => `GET ${s.url} HTTP/1.1\r\nHost: x\r\n\r\n`;
const POST = (s, length) => `POST ${s.url} HTTP/1.1\r\nHost: x\r\nContent-Length: ${length}\r\n\r\n`;

// Resolves when a poll of the session waits: told by that a second one would end it, so by time.
async function waitingGet(s) {
  const socket = await send(GET(s));
  await p.get('/status'); // behind it on the same loop
  await p.get('/status');
  return socket;
}

async function isGone(s) {
  const { status, json } = await s.get();
  return status === 400 && json().code === 1;
}

for (const [name, sent, back = sent] of [
  ['one message', '4hello'],
  ['three messages', '4one\x1e4two\x1e4three'],
  ['an empty message', '4'],
  ['text and binary', '4hello\x1ebAQIDBA=='],
  ['empty binary', 'b'],
  ['text of all kinds', '4äöü €😀\u0000\n"\\'],
  ['a message that looks like packets', '44\x1e42'],
  ['a pong and a noop between', '4a\x1e3\x1e6\x1e4b', '4a\x1e4b'],
]) {
  test(`${name}`, async () => {
    const s = await poll(p);
    const answer = await s.post(sent);
    assert.deepEqual([answer.status, answer.body], [200, 'ok']);
    assert.equal(answer.headers['content-type'], 'text/plain; charset=UTF-8');
    const { status, body } = await s.get();
    assert.deepEqual([status, body], [200, back]);
  });
}

test('a poll waits for what comes, and gets all of a post at once', async () => {
  const s = await poll(p);
  for (let i = 0; i < 3; i++) {
    const waiting = s.get();
    await s.post('4a\x1e4b\x1e4c');
    assert.equal((await waiting).body, '4a\x1e4b\x1e4c');
  }
});

test('messages of many posts wait for one poll, in order', async () => {
  const s = await poll(p);
  for (let i = 0; i < 20; i++) await s.post(`4${i}`);
  assert.deepEqual(packets((await s.get()).body), Array.from({ length: 20 }, (_, i) => `4${i}`));
});

test('a client of Python gets 16 packets a poll: more would end it', async () => {
  const headers = { 'User-Agent': 'python-requests/2.28.1' };
  const all = Array.from({ length: 40 }, (_, i) => `4${i}`);
  const s = await poll(p, 'engine.io', { headers });
  await s.post(all.join('\x1e'));
  const got = [];
  for (const count of [16, 16, 8]) {
    const some = packets((await s.get()).body);
    assert.equal(some.length, count);
    got.push(...some);
  }
  assert.deepEqual(got, all);
  const waiting = s.get();
  await s.post(all.slice(0, 17).join('\x1e'));
  assert.deepEqual(packets((await waiting).body), all.slice(0, 16));
  assert.equal((await s.get()).body, all[16]);
  await s.post(all.slice(0, 16).join('\x1e'));
  assert.deepEqual(packets((await s.get()).body), all.slice(0, 16));
  const other = await poll(p);
  await other.post(all.join('\x1e'));
  assert.deepEqual(packets((await other.get()).body), all);
});

for (const [name, body] of [
  ['an unknown type', 'abc'],
  ['no packet', ''],
  ['an empty packet', '4a\x1e\x1e4b'],
  ['a separator at the end', '4a\x1e'],
  ['a separator alone', '\x1e'],
  ['ping', '2'],
  ['invalid UTF-8', Buffer.from([0x34, 0xc3, 0x28])],
  ['UTF-8 that is cut', Buffer.from([0x34, 0xe2, 0x82])],
  ['Engine.IO v3', '7:4hello!'],
]) {
  test(`a post with ${name} ends the session`, async () => {
    const s = await poll(p);
    const waiting = s.get();
    await p.get('/status');
    const answer = await s.post(body);
    assert.deepEqual([answer.status, answer.json()], [400, { code: 3, message: 'Bad request' }]);
    // Either what was for the client, or the close: never both (it would not take both in).
    assert.ok(['1', '4a'].includes((await waiting).body));
    assert.ok(await isGone(s));
  });
}

// What the reference server takes, or takes no notice of.
for (const [name, sent, got = []] of [
  ['open', '0{}'],
  ['upgrade', '5'],
  ['upgrade with data', '5x'],
  ['noop with data', '6x'],
  ['a pong that nobody asked for', '3'],
  ['a pong with data', '3probe'],
  ['base64 in lines, as of Android', 'bAQID\nBAUG\n', ['bAQIDBAUG']],
  ['base64 in lines with CRLF', 'bAQID\r\nBAU=\r\n', ['bAQIDBAU=']],
  ['base64 without padding', 'bAQ', ['bAQ==']],
  ['base64 of the alphabet for URLs', 'b-_-_', ['b+/+/']],
  ['base64 with what is none', 'bA Q*ID', ['bAQID']],
  ['base64 with bits left', 'bAR==', ['bAQ==']],
  ['base64 with too much padding', 'bAQID====', ['bAQID']],
]) {
  test(`a post with ${name} does no harm`, async () => {
    const s = await poll(p);
    assert.equal((await s.post(`${sent}\x1e4a`)).body, 'ok');
    const back = [];
    while (!back.includes('4a')) back.push(...(await s.get()).body.split('\x1e'));
    assert.deepEqual(back, [...got, '4a']);
  });
}

test('a second poll ends the session: the first one is told', async () => {
  const s = await poll(p);
  const first = await waitingGet(s);
  const second = await s.get();
  assert.deepEqual([second.status, second.json().code], [400, 3]);
  const { status, body } = await first.response();
  assert.deepEqual([status, body], [200, '1']);
  assert.ok(await isGone(s));
});

test('a second post while a body comes ends the session', async () => {
  const s = await poll(p);
  const first = await send(`${POST(s, 10)}4abc`);
  await until(async () => (await p.get('/status')).status === 200);
  const second = await s.post('4x');
  assert.equal(second.status, 400);
  assert.equal((await first.response()).status, 400);
  assert.ok(await isGone(s));
});

test('a poll that is given up ends the session', async () => {
  for (const how of ['destroy', 'end']) {
    const s = await poll(p);
    const waiting = await waitingGet(s);
    waiting[how]();
    await until(() => isGone(s), { what: 'the session is gone' });
  }
});

test('a fetch that is aborted ends the session before the next one asks', async () => {
  let aborted = 0;
  for (let i = 0; i < 10; i++) {
    const s = await poll(p);
    const controller = new AbortController();
    const given = fetch(p.url + s.url, { signal: controller.signal }).catch(() => 'aborted');
    await waitFor(500); // the request must have left, or there is nothing to give up
    controller.abort();
    // The fetch of Node 18 does not always hear its signal.
    if ((await Promise.race([given, waitFor(1000)])) !== 'aborted') continue;
    const { status } = await fetch(p.url + s.url);
    assert.equal(status, 400);
    aborted++;
  }
  assert.ok(aborted > 0, 'some fetch was aborted');
});
const waitFor = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test('a post that is given up ends the session', async () => {
  const s = await poll(p);
  const posting = await send(`${POST(s, 100)}4abc`);
  await p.get('/status');
  posting.destroy();
  await until(() => isGone(s), { what: 'the session is gone' });
});

test('close: a poll that waits gets a noop', async () => {
  const s = await poll(p);
  const waiting = await waitingGet(s);
  const answer = await s.post('1');
  assert.deepEqual([answer.status, answer.body], [200, 'ok']);
  const { status, body } = await waiting.response();
  assert.deepEqual([status, body], [200, '6']);
  assert.ok(await isGone(s));
  assert.equal((await s.post('4a')).status, 400);
});

test('what follows a close is not handled', async () => {
  const s = await poll(p);
  assert.equal((await s.post('1\x1eabc')).status, 200);
  assert.ok(await isGone(s));
});

test('a payload of the limit is taken, one byte more is 413', async () => {
  const s = await poll(p);
  const full = '4'.repeat(1000000);
  assert.equal((await s.post(full)).status, 200);
  assert.equal((await s.get()).body, full);
  assert.equal((await s.post(`${full}4`)).status, 413);
  const chunked = await poll(p);
  const over = await send(
    `POST ${chunked.url} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n` +
      `${(1000001).toString(16)}\r\n4${full}\r\n0\r\n\r\n`,
  );
  assert.equal((await over.response()).status, 413);
});

test('a chunked post, byte by byte', async () => {
  const s = await poll(p);
  const text = `POST ${s.url} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n4ab\r\n2\r\ncd\r\n0\r\n\r\n`;
  const socket = await raw.dial(p);
  for (const byte of text) await socket.write(byte);
  assert.equal((await socket.response()).body, 'ok');
  socket.destroy();
  assert.equal((await s.get()).body, '4abcd');
});

test('500,000 packets in one post hold nobody up, and are all handled', async () => {
  const s = await poll(p);
  const other = await poll(p);
  const body = Array.from({ length: 500000 }, () => '4').join('\x1e');
  const posting = s.post(body, { timeout: 30000 });
  let answered = 0;
  let done = false;
  posting.then(() => (done = true));
  while (!done) {
    await other.post('4x');
    await other.get();
    answered++;
  }
  assert.equal((await posting).body, 'ok');
  assert.ok(answered > 3, `${answered} answers meanwhile`);
  assert.equal((await s.get()).body.length, body.length);
});

test('what nobody polls for is bounded', async () => {
  const s = await poll(p);
  const big = `4${'x'.repeat(900000)}`;
  let posts = 0;
  while ((await s.post(big)).status === 200) posts++;
  assert.ok(posts >= 4 && posts <= 5, `${posts} posts of 900 KB, with a queue of 4 MiB`);
  assert.ok(await isGone(s));
});

test('two posts and polls of a session on one connection, pipelined', async () => {
  const s = await poll(p);
  const socket = await send(`${POST(s, 2)}4a${GET(s)}${POST(s, 2)}4b${GET(s)}`);
  const bodies = [];
  for (let i = 0; i < 4; i++) bodies.push((await socket.response()).body);
  assert.deepEqual(bodies, ['ok', '4a', 'ok', '4b']);
  socket.destroy();
});

test('sessions and their polls on a connection of each', async () => {
  const all = await Promise.all(Array.from({ length: 200 }, () => poll(p)));
  const waiting = all.map((s) => s.get({ timeout: 30000 }));
  await Promise.all(all.map((s, i) => s.post(`4${i}`)));
  const bodies = (await Promise.all(waiting)).map(({ body }) => body);
  assert.deepEqual(bodies, all.map((_, i) => `4${i}`));
});

test('a HEAD of a session is refused', async () => {
  const s = await poll(p);
  const { status } = await p.get(at('engine.io', s.sid), { method: 'HEAD' });
  assert.equal(status, 400);
});
