// The official client of Socket.IO against the door's modules: over each transport, and the upgrade.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { io } from 'socket.io-client';
import { startConformance } from '../lib/conformance.mjs';
import { test } from '../lib/harness.mjs';
import { within } from '../lib/waiting.mjs';

let p;
before(async () => {
  p = await startConformance();
});
after(() => p.stop());

const sockets = [];
after(() => sockets.forEach((s) => s.io.engine?.close()));

function client(nsp = '/', options = {}) {
  const s = io(p.url + nsp, { forceNew: true, reconnection: false, ...options });
  sockets.push(s);
  return s;
}

const next = (s, event) =>
  within(new Promise((resolve) => s.once(event, (...args) => resolve(args))), 10000, () => `no ${event}`);

const kept = (promise) => {
  const timer = setInterval(() => {}, 1000);
  return promise.finally(() => clearInterval(timer));
};

const WAYS = [[['polling']], [['websocket']], [['polling', 'websocket']], [['websocket'], { forceBase64: true }]];
for (const [transports, more = {}] of WAYS) {
  const options = { transports, ...more };
  const way = `${transports}${more.forceBase64 ? ', base64' : ''}`;

  test(`${way}: connect, events, acks, binary, disconnect`, () =>
    kept((async () => {
      const s = client('/', { ...options, auth: { token: 'ä"1' } });
      assert.deepEqual(await next(s, 'auth'), [{ token: 'ä"1' }]);
      if (transports.length === 2 && s.io.engine.transport.name === 'polling') {
        await within(new Promise((resolve) => s.io.engine.once('upgrade', resolve)), 10000, () => 'no upgrade');
      }
      assert.equal(s.io.engine.transport.name, transports.at(-1));
      const args = [1, 'two', { three: [true, null] }, Buffer.from([1, 2, 3]), { deep: [Buffer.alloc(0)] }];
      for (let i = 0; i < 3; i++) {
        const back = next(s, 'message-back');
        s.emit('message', ...args);
        assert.deepEqual(await back, args);
        assert.deepEqual(await s.timeout(10000).emitWithAck('message-with-ack', args[3]), args[3]);
      }
      s.once('message-to-ack', (value, ack) => ack('yes', value, Buffer.from('x')));
      const acked = next(s, 'message-acked');
      s.emit('message-to-ack', 7);
      assert.deepEqual(await acked, ['yes', 7, Buffer.from('x')]);
      const reason = next(s, 'disconnect');
      s.emit('disconnect-me');
      assert.equal((await reason)[0], 'io server disconnect');
    })()));

  test(`${way}: namespaces on one session`, () =>
    kept((async () => {
      const s = client('/', options);
      await next(s, 'auth');
      const custom = s.io.socket('/custom', { auth: { a: 1 } });
      assert.deepEqual(await next(custom, 'auth'), [{ a: 1 }]);
      assert.notEqual(custom.id, s.id);
      const none = s.io.socket('/none');
      assert.equal((await next(none, 'connect_error'))[0].message, 'Invalid namespace');
      const refused = s.io.socket('/custom2');
      refused.disconnect();
      custom.disconnect();
      const back = next(s, 'message-back');
      s.emit('message', 'still');
      assert.deepEqual(await back, ['still']);
    })()));

  test(`${way}: 1,000 events in one go keep their order`, () =>
    kept((async () => {
      const s = client('/', options);
      await next(s, 'auth');
      const got = [];
      const all = new Promise((resolve) => {
        s.on('message-back', (i) => got.push(i) === 1000 && resolve());
      });
      for (let i = 0; i < 1000; i++) s.emit('message', i);
      await within(all, 20000, () => `${got.length} came`);
      assert.deepEqual(got, Array.from({ length: 1000 }, (_, i) => i));
    })()));
}

test('an application that refuses', () =>
  kept((async () => {
    const s = client('/', { auth: { refuse: true } });
    const [error] = await next(s, 'connect_error');
    assert.deepEqual([error.message, error.data], ['refused', { refuse: true }]);
  })()));

test('a server that goes is noticed', () =>
  kept((async () => {
    const own = await startConformance();
    const s = io(own.url, { forceNew: true, reconnection: false });
    sockets.push(s);
    await next(s, 'auth');
    const gone = next(s, 'disconnect');
    await own.stop();
    assert.match((await gone)[0], /^transport/);
    s.disconnect();
  })()));

test('pings keep it alive', () =>
  kept((async () => {
    const own = await startConformance({ args: ['--ping-interval', '200', '--ping-timeout', '5000'] });
    const s = io(own.url, { forceNew: true, reconnection: false });
    sockets.push(s);
    await next(s, 'auth');
    for (let i = 0; i < 5; i++) await next(s.io, 'ping');
    assert.ok(s.connected);
    s.disconnect();
    await own.stop();
  })()));
