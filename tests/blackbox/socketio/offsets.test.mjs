// Who gets offsets behind the data, as connection state recovery has them, and who does not.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { WebSocket } from 'ws';
import { cluster, login, test } from '../lib/harness.mjs';
import { clients } from '../lib/processes.mjs';
import { python } from '../lib/python.mjs';
import { emit, enter, once, WAYS } from '../lib/socketio.mjs';
import { within } from '../lib/waiting.mjs';

const { nodes, stop } = await cluster({ nodes: 2, args: ['--allowed-origins', 'file://'] });
after(stop);
const json = await login(nodes[1], 'sender');
await json.emit('join', { room: 'r' });

// A raw client whose handshake is that of some library: what it was sent, one packet after the other.
async function raw(node, headers, { auth = {}, extensions = true } = {}) {
  const url = `${node.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket`;
  const ws = new WebSocket(url, { headers, perMessageDeflate: extensions });
  clients.add({ url: node.url, terminate: () => ws.terminate() });
  const got = [];
  const waiting = [];
  ws.on('message', (data) => {
    got.push(data.toString());
    waiting.splice(0).forEach((wake) => wake());
  });
  const self = { send: (text) => ws.send(text), close: () => ws.terminate() };
  self.next = (prefix) =>
    within(
      (async () => {
        for (;;) {
          const at = got.findIndex((one) => one.startsWith(prefix));
          if (at >= 0) return got.splice(at, 1)[0];
          await new Promise((resolve) => waiting.push(resolve));
        }
      })(),
      10000,
      () => `no ${prefix} among ${JSON.stringify(got)}`,
    );
  await self.next('0');
  self.send(`40${JSON.stringify(auth)}`);
  self.connected = JSON.parse((await self.next('40')).slice(2));
  return self;
}

let users = 0;
// The arguments of a logged message, and of an event whose data is a string.
async function args(node, headers, options) {
  const userId = `u${++users}`;
  const s = await raw(node, headers, options);
  s.send(`421${JSON.stringify(['login', { userId }])}`);
  await s.next('431');
  s.send('422["join",{"room":"r"}]');
  await s.next('432');
  await json.emit('sendMessage', { room: 'r', message: 'x' });
  const logged = JSON.parse((await s.next('42["chatMessage"')).slice(2));
  const other = await login(nodes[1], `o${users}`);
  await other.emit('join', { room: 'r' });
  await other.close();
  const gone = JSON.parse((await s.next(`42["user_offline","o${users}"`)).slice(2));
  s.close();
  return { pid: s.connected.pid, logged: logged.length - 1, gone: gone.length - 1 };
}

const OWN = nodes[0].url; // its own page
const FIREFOX = 'Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0';
for (const [name, offsets, headers, options] of [
  ['npm ws in Node', true, {}],
  ['a browser', true, { 'User-Agent': FIREFOX, Origin: OWN }],
  ['Java, OkHttp', false, { 'User-Agent': 'okhttp/4.9.3' }],
  ['Dart', false, { 'User-Agent': 'Dart/3.4 (dart:io)' }],
  ['Swift, Starscream', false, { Origin: OWN }],
  ['C++, websocketpp', false, { 'User-Agent': 'WebSocket++/0.8.2' }],
  ['ESP32', false, { 'User-Agent': 'arduino-WebSocket-Client', Origin: 'file://' }],
  ['Python, aiohttp', false, { 'User-Agent': 'Python/3.11 aiohttp/3.8.4' }],
  ['Python, websocket-client', false, { Origin: OWN }, { extensions: false }],
  ['Rust, tungstenite', false, {}, { extensions: false }],
  ['Go', false, { 'User-Agent': 'Go-http-client/1.1' }],
  ['a browser that wants none', false, { 'User-Agent': FIREFOX }, { auth: { recovery: false } }],
  ['Java that wants them', true, { 'User-Agent': 'okhttp/4.9.3' }, { auth: { recovery: true } }],
]) {
  test(`${name}: ${offsets ? 'offsets' : 'the data alone'}`, async () => {
    const { pid, logged, gone } = await args(nodes[0], headers, options);
    const count = offsets ? 2 : 1;
    assert.deepEqual([pid !== undefined, logged, gone], [offsets, count, count]);
  });
}

for (const transports of WAYS) {
  test(`${transports.join(' then ')}: the official client gets them, unless it says otherwise`, async () => {
    const tag = transports.join('');
    for (const recovery of [undefined, true, false]) {
      const ann = await enter(nodes[0], `ann-${tag}-${recovery}`, {}, { transports, auth: { recovery } });
      const come = once(ann, 'chatMessage');
      await emit(ann, 'join', { room: 'r' });
      await json.emit('sendMessage', { room: 'r', message: 'x' });
      assert.equal((await come).length, recovery === false ? 1 : 2);
      ann.end();
    }
  });

  test(`${transports.join(' then ')}: Python gets the data alone`, async () => {
    for (const kind of ['sync', 'async']) {
      const s = await python(nodes[0], { kind, transports });
      await s.emit('login', { userId: `py-${kind}-${transports.join('')}` });
      await s.emit('join', { room: 'r' });
      await json.emit('sendMessage', { room: 'r', message: 'x' });
      assert.equal((await s.event('chatMessage')).length, 1);
      assert.equal(await s.end(), 0);
    }
  });
}
