// Namespaces: a client of its own each, on one connection.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { ofUser } from '../lib/frames.mjs';
import { cluster, login, test, until } from '../lib/harness.mjs';
import { beside, emit, enter, next, once, WAYS } from '../lib/socketio.mjs';
import { connections, metric } from '../lib/registry.mjs';
import { runProgram } from '../lib/program.mjs';

const { redis, nodes, stop } = await cluster({
  nodes: 2,
  args: ['--socketio-namespaces', '/shop,/admin'],
});
after(stop);

for (const transports of WAYS) {
  test(`${transports.join(' then ')}: two users on one connection`, async () => {
    const tag = transports.join('');
    const room = `r${tag}`;
    const main = await enter(nodes[0], `main-${tag}`, {}, { transports });
    const shop = beside(main, '/shop');
    await once(shop, 'connect');
    await assert.rejects(emit(shop, 'sendMessage', 'x'), { code: 'not_logged_in' });
    await emit(shop, 'login', { userId: `shop-${tag}` });
    const json = await login(nodes[1], `json-${tag}`);
    for (const s of [main, shop]) await emit(s, 'join', { room });
    await json.emit('join', { room });
    await json.emit('sendMessage', 'to all');
    for (const s of [main, shop]) assert.equal((await next(s, 'chatMessage')).message, 'to all');
    await json.emit('private_message', { receiverId: `shop-${tag}`, content: 'psst' });
    assert.equal((await next(shop, 'new_private_message')).content, 'psst');
    assert.ok(!main.got.some(({ event }) => event === 'new_private_message'));
    shop.disconnect();
    await json.next('user_offline', ofUser(`shop-${tag}`));
    assert.deepEqual(await emit(main, 'heartbeat'), {});
    shop.connect();
    await once(shop, 'connect');
    await emit(shop, 'login', { userId: `shop-${tag}` });
    const [{ door }] = await connections(redis, `main-${tag}`);
    assert.match(door, /socketio/);
    main.io.engine.close();
    await json.next('user_offline', ofUser(`shop-${tag}`));
    await json.next('user_offline', ofUser(`main-${tag}`));
    main.end();
    await json.close();
  });
}

test('a namespace that is not there is refused, the others stay', async () => {
  const main = await enter(nodes[0], 'm');
  const none = beside(main, '/none');
  assert.equal((await once(none, 'connect_error'))[0].message, 'Invalid namespace');
  assert.deepEqual(await emit(main, 'heartbeat'), {});
  main.end();
});

test('a slow connection ends for all of its namespaces, alone', async () => {
  const slow = await startSlow();
  async function startSlow() {
    const own = await cluster({
      nodes: 1,
      redis,
      args: ['--socketio-namespaces', '/shop,/admin', '--max-queue', '200K'],
    });
    after(own.stop);
    return own.nodes[0];
  }
  const main = await enter(slow, 'slow-main', {}, { transports: ['websocket'] });
  const shop = beside(main, '/shop');
  const admin = beside(main, '/admin');
  await Promise.all([shop, admin].map((s) => once(s, 'connect')));
  await emit(shop, 'login', { userId: 'slow-shop' });
  await emit(admin, 'login', { userId: 'slow-admin' });
  const json = await login(nodes[1], 'witness');
  await json.emit('join', { room: 'slow' });
  for (const s of [main, shop, admin]) await emit(s, 'join', { room: 'slow' });
  main.io.engine.transport.ws._socket.pause();
  const gone = () => json.frames.some(({ event, data }) => event === 'user_offline' && data === 'slow-shop');
  for (let sent = 0; !gone(); sent++) {
    assert.ok(sent < 1000, 'it is closed before 50 MB');
    await json.emit('sendMessage', { room: 'slow', message: 'x'.repeat(50000) });
  }
  for (const user of ['slow-main', 'slow-admin']) {
    await json.next('user_offline', ofUser(user));
  }
  assert.equal(await metric(slow, 'sluice_closes_total', { code: 1013 }), 1);
  main.io.engine.transport.ws._socket.resume();
  await until(() => !main.connected);
  main.end();
  await json.close();
});

test('options that are wrong stop start-up, with place and rule', async () => {
  const bad = async (args, ...words) => {
    const result = await runProgram(['--listen', '127.0.0.1:0', ...args]);
    assert.ok(result.code > 0, result.all);
    for (const word of words) assert.ok(result.err.includes(word), `${word}: ${result.all}`);
  };
  const names = '--socketio-namespaces';
  await bad([names, 'shop'], 'command line', 'socketio-namespaces', '"shop"', 'begins with /');
  await bad([names, '/a,/a'], 'socketio-namespaces', 'twice');
  await bad([names, '/a b'], 'socketio-namespaces', 'white space');
  await bad([names, '/a,/b,/c,/d,/e,/f,/g,/h'], 'socketio-namespaces', 'at most 7');
  await bad(['--cors-origins', 'example.org'], 'cors-origins', 'https://example.org:8443');
  await bad(['--cors-origins', 'https://a.org,https://b.org/x'], 'cors-origins', '"https://b.org/x"');
  await bad(['--cors-origins', 'https://a.org,*'], 'cors-origins', '"*"');
  await bad(['--socketio-ping-interval', '5'], 'socketio-ping-interval', '100');
});
