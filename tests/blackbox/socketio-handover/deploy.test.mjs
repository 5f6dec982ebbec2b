// A rolling deploy behind nginx that goes round-robin: every node is replaced, one after the other, while
// official clients talk. Each session ends once, with its node; nobody is left hanging.
import assert from 'node:assert/strict';
import { freePort, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { acquainted } from '../lib/handover.mjs';
import { inTurn, startNginx } from '../lib/nginx.mjs';
import { emit, front, next } from '../lib/socketio.mjs';

test('every node is replaced while clients talk', { timeout: 120000 }, async (t) => {
  const redis = await startRedis();
  const args = ['--drain', '1s'];
  const ports = [await freePort(), await freePort(), await freePort()];
  const nodes = await Promise.all(ports.map((port) => startNode({ redis, port, args })));
  const nginx = await startNginx(nodes, { edit: inTurn });
  t.after(async () => {
    await nginx.stop();
    await Promise.all(nodes.map((node) => node.stop()));
    await redis.stop();
  });
  await acquainted(nodes);

  const clients = [];
  for (let i = 0; i < 12; i++) {
    const transports = i % 3 === 0 ? ['polling', 'websocket'] : ['polling'];
    const options = { transports, reconnection: true, reconnectionDelay: 50, reconnectionDelayMax: 200 };
    const client = await front(nginx, options);
    client.ends = [];
    const enter = async () => {
      const { id } = client;
      try {
        await emit(client, 'login', { userId: `u${i}` });
        await emit(client, 'join', { room: 'deploy' });
        client.entered = id;
      } catch {
        // it has ended meanwhile, and comes back again
      }
    };
    client.on('connect', enter);
    client.on('disconnect', (why) => client.ends.push(why));
    await enter();
    clients.push(client);
  }
  const everybodyIn = () =>
    until(() => clients.every(({ connected, id, entered }) => connected && id === entered), {
      what: 'all are in',
    });
  for (const [i, port] of ports.entries()) {
    const before = clients.map((client) => client.ends.length);
    assert.deepEqual(await nodes[i].stop(), { code: 0, signal: null });
    nodes[i] = await startNode({ redis, port, args });
    await everybodyIn();
    const ended = clients.filter((client, at) => client.ends.length > before[at]).length;
    t.diagnostic(`${nodes[i].id}: ${ended} of ${clients.length} sessions ended`);
    for (const client of clients) client.got.length = 0;
    await emit(clients[i], 'sendMessage', { room: 'deploy', message: `round ${i}` });
    for (const client of clients) {
      const match = ({ message }) => message === `round ${i}`;
      await next(client, 'chatMessage', { match });
    }
  }
  const ends = clients.map((client) => client.ends.length);
  assert.ok(Math.max(...ends) <= 6, `each client had to come back at most a few times: ${ends}`);
  for (const client of clients) client.end();
});
