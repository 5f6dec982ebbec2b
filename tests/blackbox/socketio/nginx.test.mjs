// Clients of Socket.IO behind nginx as they come out of the box, while nginx sends each request to
// the next node in turn: whichever has the session gets it, and when that dies the client begins anew.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { acquainted } from '../lib/handover.mjs';
import { login, sleep, startNode, test, until } from '../lib/harness.mjs';
import { clusterBehindNginx, inTurn, startNginx } from '../lib/nginx.mjs';
import { metrics } from '../lib/registry.mjs';
import { emit, front, next, once, WAYS } from '../lib/socketio.mjs';

const { redis, nodes, nginx, stop } = await clusterBehindNginx({
  nodes: 3,
  nginx: { edit: inTurn },
});
after(stop);
await acquainted(nodes);

const handedOver = async (result) => {
  const all = await Promise.all(nodes.map((node) => metrics(node)));
  return all.reduce((sum, now) => sum + now('sluice_handovers_total', { result }), 0);
};

for (const transports of WAYS) {
  const way = transports.join(' then ');
  test(`${way}: sessions hold while many begin at once`, async () => {
    const some = await Promise.all(
      Array.from({ length: 12 }, (_, i) =>
        front(nginx, { transports }).then(async (socket) => {
          await emit(socket, 'login', { userId: `u${i}-${transports.join('')}` });
          await emit(socket, 'join', { room: way.replaceAll(' ', '-') });
          return socket;
        }),
      ),
    );
    for (const socket of some) await emit(socket, 'sendMessage', 'hello');
    for (const socket of some) {
      for (let i = 0; i < some.length; i++) await next(socket, 'chatMessage');
      assert.ok(socket.connected);
    }
    for (const socket of some) socket.end();
  });

  test(`${way}: a chat of a hundred messages, in order`, async () => {
    const [ann, bob] = await Promise.all([
      front(nginx, { transports }),
      front(nginx, { transports }),
    ]);
    const room = `chat-${transports.join('-')}`;
    for (const [socket, userId] of [[ann, `ann-${room}`], [bob, `bob-${room}`]]) {
      await emit(socket, 'login', { userId });
      await emit(socket, 'join', { room });
    }
    if (transports.length > 1) {
      for (const { io } of [ann, bob]) {
        if (io.engine.transport.name !== 'websocket') await once(io.engine, 'upgrade');
      }
    }
    for (let i = 0; i < 100; i++) {
      ann.emit('sendMessage', { message: `${i}` });
      if (i % 10 === 0) await emit(bob, 'sendMessage', { message: Buffer.alloc(3000, i) });
    }
    for (const socket of [ann, bob]) {
      const texts = [];
      const binary = [];
      while (texts.length < 100 || binary.length < 10) {
        const { message } = await next(socket, 'chatMessage');
        if (typeof message === 'string') texts.push(message);
        else binary.push(message.byteLength ?? message.length);
      }
      assert.deepEqual(texts, Array.from({ length: 100 }, (_, i) => `${i}`));
      assert.deepEqual(binary, Array(10).fill(3000));
    }
    for (const socket of [ann, bob]) socket.end();
  });
}

test('they were handed over, and none was lost', async () => {
  assert.ok((await handedOver('answered')) > 100);
  assert.ok((await handedOver('tunnelled')) > 0);
  assert.equal(await handedOver('failed'), 0);
  assert.equal(await handedOver('unknown'), 0);
});

test('polling: a node dies that has none of the sessions: nobody notices', async (t) => {
  const doomed = await startNode({ redis });
  const all = [...nodes, doomed];
  const wide = await startNginx(all, { edit: inTurn });
  t.after(() => wide.stop());
  await acquainted(all);
  const some = [];
  while (some.length < 12) {
    const socket = await front(wide, { transports: ['polling'] });
    socket.ack = await emit(socket, 'login', { userId: `w${some.length}` });
    if (socket.ack.node === doomed.id) {
      socket.end();
      continue;
    }
    await emit(socket, 'join', { room: 'wide' });
    some.push(socket);
  }
  let lost = 0;
  for (const socket of some) socket.on('disconnect', () => lost++);
  // An answer of a poll that the dead node has not passed on whole ends its session: the rosters of
  // the joins, which come within some 250 ms, have to be there.
  await sleep(1500);
  // The answer of a POST may come after the ack that it asked for; one that the dead node had would fail.
  await until(() => some.every((socket) => socket.io.engine.transport.writable));
  await doomed.kill();
  for (const [i, socket] of some.entries()) await emit(socket, 'sendMessage', `${i}`);
  for (const socket of some) {
    const texts = [];
    while (texts.length < some.length) texts.push((await next(socket, 'chatMessage')).message);
    assert.deepEqual(texts, some.map((_, i) => `${i}`));
  }
  assert.equal(lost, 0);
  for (const socket of some) socket.end();
});

test('polling: the node dies, the client is on another', async () => {
  const ann = await front(nginx, {
    transports: ['polling'],
    reconnection: true,
    reconnectionDelay: 100,
  });
  const served = [];
  const enter = async () => {
    served.push((await emit(ann, 'login', { userId: 'ann' })).node);
    await emit(ann, 'join', { room: 'k' });
  };
  await enter();
  const back = new Promise((resolve, reject) => {
    ann.on('connect', () => enter().then(resolve, reject));
  });
  await nodes.find(({ id }) => id === served[0]).kill();
  await back;
  assert.notEqual(served[1], served[0]);
  const json = await login(
    nodes.find(({ id }) => id !== served[0]),
    'json',
  );
  await json.emit('join', { room: 'k' });
  await json.emit('sendMessage', 'still there?');
  assert.equal((await next(ann, 'chatMessage')).message, 'still there?');
  ann.end();
});
