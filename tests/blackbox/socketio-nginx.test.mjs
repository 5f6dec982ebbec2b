// Clients of Socket.IO behind nginx as they come out of the box, polling first: all requests of a
// session reach one node, and when that dies the client begins anew on another.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, login, test } from './lib/harness.mjs';
import { startNginx } from './lib/nginx.mjs';
import { emit, front, next, WAYS } from './lib/socketio.mjs';

const { nodes, stop } = await cluster({ nodes: 3 });
const nginx = await startNginx(nodes);
after(async () => {
  await nginx.stop();
  await stop();
});

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
}

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
