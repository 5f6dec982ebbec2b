// Options of the official client that a front end may have: the same conversation with each.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { WebSocket } from 'ws';
import { cluster, test, until } from '../lib/harness.mjs';
import { begin } from '../lib/handover.mjs';
import { beside, emit, front, next, once, WAYS } from '../lib/socketio.mjs';

const args = ['--socketio-namespaces', '/admin'];
const { nodes, stop } = await cluster({ nodes: 2, args });
after(stop);

const OPTIONS = [
  { addTrailingSlash: false },
  { tryAllTransports: true },
  { withCredentials: true, extraHeaders: { Authorization: 'Bearer x', 'X-Foo': '1' } },
  { query: { token: 'a b&c=d', EIO: '3', transport: 'none' } },
  { forceBase64: true },
  { timestampRequests: false },
  { auth: { token: 'x'.repeat(5000) } },
  { auth: (answer) => answer({ later: true }) },
  { protocols: ['chat', 'superchat'] },
  { protocols: 'chat' },
  { perMessageDeflate: { threshold: 0 } },
  { rememberUpgrade: true },
  { retries: 3, ackTimeout: 5000 },
];

async function converse(s, user) {
  const acked = (...event) => s.timeout(5000).emitWithAck(...event);
  assert.equal((await acked('login', { userId: user })).userId, user);
  await acked('join', { room: user });
  const message = { list: [Buffer.from([1, 2, 3]), { none: Buffer.alloc(0) }], text: 'é\u{1F600}' };
  const { seq } = await acked('sendMessage', { room: user, message });
  const got = await next(s, 'chatMessage');
  assert.equal(got.seq, seq);
  assert.deepEqual([...got.message.list[0]], [1, 2, 3]);
  assert.equal(Buffer.from(got.message.list[1].none).length, 0);
  assert.equal(got.message.text, message.text);
}

let users = 0;
for (const transports of [...WAYS, ['websocket', 'polling'], ['polling', 'websocket', 'webtransport']]) {
  test(`options of the client by ${transports.join(', ')}`, async () => {
    for (const options of OPTIONS) {
      const s = await front(nodes[0], { transports, wait: false, ...options });
      const failed = once(s, 'connect_error').then(([error]) => {
        throw new Error(`${JSON.stringify(options)}: ${error.message}`);
      });
      failed.catch(() => {});
      await Promise.race([once(s, 'connect'), failed]);
      await converse(s, `u${++users}`);
      if (transports.length > 1 && transports[0] === 'polling')
        await until(() => s.io.engine.transport.name === 'websocket', { what: 'the upgrade' });
      assert.deepEqual(await s.timeout(5000).emitWithAck('heartbeat'), {});
      s.end();
    }
  });
}

test('a subprotocol is agreed to, also where the upgrade is handed over', async () => {
  const session = await begin(nodes[0], nodes);
  for (const [node, where, asked, agreed] of [
    [nodes[0], '/socket.io/?EIO=4&transport=websocket', ['one', 'two'], 'one'],
    [nodes[1], session.url.replace('polling', 'websocket'), ['x.y', 'two'], 'x.y'],
    [nodes[0], '/socket.io/?EIO=4&transport=websocket', [], ''],
  ]) {
    const ws = new WebSocket(node.url.replace('http', 'ws') + where, asked);
    await once(ws, 'open');
    assert.equal(ws.protocol, agreed);
    ws.close();
    await once(ws, 'close');
  }
});

test('autoConnect, volatile, timeout, namespaces on one connection, disconnect and connect', async () => {
  const s = await front(nodes[0], { autoConnect: false, wait: false, transports: ['websocket'] });
  s.volatile.emit('sendMessage', 'never sent');
  const early = emit(s, 'login', { userId: 'auto' }); // kept until it is connected
  s.connect();
  assert.equal((await early).userId, 'auto');
  await emit(s, 'join', { room: 'auto' });
  const ack = await s.timeout(5000).emitWithAck('sendMessage', { room: 'auto', message: 'one' });
  assert.equal(ack.seq, (await next(s, 'chatMessage')).seq);
  const admin = beside(s, '/admin').connect();
  await once(admin, 'connect');
  assert.equal((await emit(admin, 'login', { userId: 'auto2' })).userId, 'auto2');
  // One of two leaves and comes back on the same connection; the other does not notice.
  for (let i = 0; i < 3; i++) {
    const { id } = s;
    const connected = once(s, 'connect');
    s.disconnect().connect();
    await connected;
    assert.notEqual(s.id, id);
    assert.equal(s.recovered, false);
    await assert.rejects(emit(s, 'join', { room: 'auto' }), { code: 'missing_field' });
  }
  assert.deepEqual(await emit(admin, 'heartbeat'), {});
  admin.disconnect();
  s.end();
});
