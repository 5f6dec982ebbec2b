// Each family of /metrics moves when its thing happens, and by as much: doors, events, errors,
// closes. (redis.test.mjs: what comes of Redis, histograms, the process.)
import assert from 'node:assert/strict';
import http from 'node:http';
import { cluster, connect, inRoom, login, startNode, test, until } from '../lib/harness.mjs';
import { refused } from '../lib/frames.mjs';
import * as raw from '../lib/rawws.mjs';
import { beside, front, once } from '../lib/socketio.mjs';
import { metricChanges, metrics, publish } from '../lib/registry.mjs';

const args = ['--channels', 'events,chat:rw', '--lease-timeout', '1s', '--lease-interval', '200ms'];
args.push('--socketio-namespaces', '/shop');
const { redis, nodes } = await cluster({ nodes: 2, args });
const [node] = nodes;

const changes = (act, where = node) => metricChanges(where, act);

test('connections and handshakes by door', async () => {
  const json = await connect(node);
  const events = await connect(node, { path: '/channels/events' });
  const agent = new http.Agent({ keepAlive: true });
  await new Promise((resolve, reject) => {
    const ended = (res) => res.resume().on('end', resolve);
    http.get(`${node.url}/healthz`, { agent }, ended).on('error', reject);
  });
  const now = await metrics(node);
  assert.equal(now('sluice_connections', { door: 'json' }), 1);
  assert.equal(now('sluice_connections', { door: 'raw' }), 1);
  assert.equal(now('sluice_connections', { door: 'http' }), 2); // the agent's, and who asks
  agent.destroy();
  await json.close();
  await events.close();
  await until(async () => (await metrics(node))('sluice_connections') === 1);

  const rise = await changes(async () => {
    for (const path of ['/ws', '/ws', '/channels/chat']) {
      await (await connect(node, { path })).close();
    }
    await assert.rejects(connect(node, { path: '/channels/closed' }), { status: 404 });
    assert.equal((await node.get('/ws')).status, 426);
  });
  const handshakes = (door, result) => rise('sluice_handshakes_total', { door, result });
  assert.equal(handshakes('json', 'accepted'), 2);
  assert.equal(handshakes('json', 'refused'), 1);
  assert.equal(handshakes('raw', 'accepted'), 1);
  assert.equal(handshakes('raw', 'refused'), 1);
  assert.equal(handshakes('http', 'accepted'), 6); // five, and who asks
  assert.equal(handshakes('http', 'refused'), 0);
});

test('sessions of Socket.IO by transport, and the namespaces that they joined', async (t) => {
  const opened = [];
  t.after(() => opened.forEach((one) => one.end()));
  const open = async (options) => {
    const one = await front(node, options);
    opened.push(one);
    return one;
  };
  // Polled ones, on a WebSocket, namespaces joined.
  const becomes = async (...wanted) => {
    let now;
    await until(async () => {
      const value = await metrics(node);
      const by = (transport) => value('sluice_socketio_sessions', { transport });
      now = [by('polling'), by('websocket'), value('sluice_socketio_sockets')];
      return now.join() === wanted.join();
    }).catch(() => assert.deepEqual(now, wanted));
  };
  await becomes(0, 0, 0);
  await open({ transports: ['polling'] });
  await becomes(1, 0, 1);
  await open({ transports: ['websocket'] });
  await becomes(1, 1, 2);
  const upgraded = await open();
  await becomes(1, 2, 3);
  const shop = beside(upgraded, '/shop');
  await once(shop, 'connect');
  await becomes(1, 2, 4);
  const stranger = await open({ nsp: '/nowhere', wait: false });
  await once(stranger, 'connect_error');
  await becomes(1, 2, 4);
  shop.disconnect();
  await becomes(1, 2, 3);
  const invalid = await open({ transports: ['polling'] });
  await becomes(2, 2, 4);
  const sid = invalid.io.engine.id;
  await node.get(`/socket.io/?EIO=4&transport=polling&sid=${sid}`, { method: 'POST', body: '9' });
  await becomes(1, 2, 3);
  upgraded.io.engine.transport.ws.close(); // not a word
  await becomes(1, 1, 2);
  for (const one of opened) one.end();
  await becomes(0, 0, 0);
});

test('messages and bytes of /ws, both ways', async () => {
  const ann = await login(node, 'ann');
  const beat = JSON.stringify({ event: 'heartbeat', data: 'x'.repeat(1000), ack: 1 });
  const rise = await changes(async () => {
    for (let i = 0; i < 10; i++) ann.raw(beat);
    await until(() => ann.frames.filter(({ ack }) => ack === 1).length >= 10);
  });
  assert.equal(rise('sluice_received_messages_total', { door: 'json' }), 10);
  assert.equal(rise('sluice_received_bytes_total', { door: 'json' }), 10 * (beat.length + 8));
  assert.equal(rise('sluice_sent_messages_total', { door: 'json' }), 10);
  assert.equal(rise('sluice_received_messages_total', { door: 'http' }), 1); // the second look
  assert.ok(rise('sluice_received_bytes_total', { door: 'http' }) > 30);
  const answers = 10 * '{"ack":1,"data":{}}'.length;
  assert.ok(rise('sluice_sent_bytes_total') > answers + 1000, 'the first look left after it');
  await ann.close();
});

test('the raw door', async () => {
  const chat = await connect(node, { path: '/channels/chat' });
  const events = await connect(node, { path: '/channels/events' });
  const heard = () => redis.cli('PUBSUB', 'NUMSUB', 'chat', 'events');
  await until(async () => (await heard()) === 'chat\n1\nevents\n1');
  const rise = await changes(async () => {
    for (let i = 0; i < 3; i++) chat.raw(`${i}`);
    events.raw('into the void');
    await publish(redis, 'events', 'hello');
    await chat.next('raw', { match: ({ text }) => text === '2' });
    await events.next('raw');
  });
  assert.equal(rise('sluice_received_messages_total', { door: 'raw' }), 4);
  assert.equal(rise('sluice_raw_published_total'), 3);
  assert.equal(rise('sluice_dropped_total', { reason: 'not_writable' }), 1);
  assert.equal(rise('sluice_dropped_total'), 1);
  assert.equal(rise('sluice_sent_messages_total', { door: 'raw' }), 4);
  await chat.close();
  await events.close();
});

test('events by name', async () => {
  const rise = await changes(async () => {
    const ann = await login(node, 'ann');
    await ann.emit('join', { room: 'e' });
    for (let i = 0; i < 3; i++) await ann.emit('sendMessage', { room: 'e', message: i });
    await ann.emit('private_message', { receiverId: 'bob', content: 'hi' });
    await ann.emit('typing', { room: 'e' });
    await ann.emit('read', { room: 'e', seq: 2 });
    await ann.emit('history', { room: 'e' });
    await ann.emit('all_member', { room: 'e' });
    await ann.emit('subscribe', { channel: 'topic:e' });
    await ann.emit('publish', { channel: 'topic:e', data: 1 });
    await ann.emit('unsubscribe', { channel: 'topic:e' });
    await ann.emit('heartbeat', {});
    const chunk = { id: 'c', index: 0, total: 1, event: 'sendMessage', room: 'e', data: 'text' };
    await ann.emit('message_chunk', chunk);
    await refused(ann.emit('no_such', {}), 'unknown_event');
    await refused(ann.emit('neither', {}), 'unknown_event');
    await ann.emit('leave', { room: 'e' });
    await ann.close();
  });
  const once = ['login', 'join', 'private_message', 'typing', 'read', 'history', 'all_member'];
  once.push('subscribe', 'publish', 'unsubscribe', 'heartbeat', 'message_chunk', 'leave');
  for (const event of once) assert.equal(rise('sluice_events_total', { event }), 1, event);
  assert.equal(rise('sluice_events_total', { event: 'sendMessage' }), 3);
  assert.equal(rise('sluice_events_total', { event: 'unknown' }), 2);
  assert.equal(rise('sluice_events_total'), once.length + 5);
});

test('errors by code', async (t) => {
  const strict = ['--rate-limit', '50', '--max-subscriptions', '4', '--max-chunked', '65536'];
  const own = await cluster({ nodes: 2, args: strict });
  t.after(own.stop);
  const [there] = own.nodes;
  const before = await metrics(there);
  const ann = await login(there, 'ann');
  const stranger = await connect(there);
  ann.raw('{');
  ann.raw('[]');
  await refused(ann.emit('no_such', {}), 'unknown_event');
  await refused(ann.emit('private_message', { content: 'x' }), 'missing_field');
  await refused(ann.emit('join', { room: 'a b' }), 'bad_field');
  await refused(ann.emit('sendMessage', { room: 'nowhere', message: 1 }), 'not_a_member');
  await refused(stranger.emit('sendMessage', { message: 1 }), 'not_logged_in');
  await refused(ann.emit('login', { userId: 'bob' }), 'already_logged_in');
  const forged = { senderId: 'bob', receiverId: 'cat', content: 'x' };
  await refused(ann.emit('private_message', forged), 'forbidden');
  const chunk = { id: 'c', index: 0, total: 9, event: 'publish', channel: 'topic:0' };
  await refused(ann.emit('message_chunk', { ...chunk, total: 5000, data: '' }), 'bad_field');
  await refused(ann.emit('message_chunk', { ...chunk, data: 'x'.repeat(70000) }), 'too_large');
  let full;
  for (let i = 0; i < 6 && !full; i++) {
    await ann.emit('subscribe', { channel: `topic:${i}` }).catch((error) => (full = error));
  }
  assert.equal(full?.code, 'too_many');
  const beat = () => stranger.emit('heartbeat', {}).catch((error) => error);
  const burst = Array.from({ length: 300 }, beat);
  const limited = (await Promise.all(burst)).filter(({ code }) => code === 'rate_limited').length;
  assert.ok(limited > 0);
  await own.redis.stop();
  await until(async () => (await metrics(there))('sluice_redis_up') === 0);
  await refused(ann.emit('publish', { channel: 'topic:0', data: 1 }), 'unavailable');
  const after = await metrics(there);
  const errors = (value, code) => value('sluice_errors_total', code && { code });
  const rise = (code) => errors(after, code) - errors(before, code);
  for (const code of ['bad_json', 'bad_message', 'unknown_event', 'missing_field', 'not_a_member'])
    assert.equal(rise(code), 1, code);
  for (const code of ['not_logged_in', 'already_logged_in', 'forbidden', 'too_many', 'too_large'])
    assert.equal(rise(code), 1, code);
  assert.equal(rise('bad_field'), 2);
  assert.equal(rise('unavailable'), 1);
  assert.equal(rise('rate_limited'), limited);
  assert.equal(rise('internal'), 0);
  assert.equal(rise(), 13 + limited);
});

test('closes by code', async () => {
  const open = () => raw.rawConnect(node);
  const ways = {
    1002: (socket) => socket.write(raw.encode(raw.TEXT, 'x', { mask: false })),
    1003: (socket) => socket.send(raw.BINARY, 'x'),
    1007: (socket) => socket.send(raw.TEXT, Buffer.from([0xff, 0xfe])),
    1008: (socket) => {
      const piece = raw.encode(raw.CONTINUATION, '', { fin: false });
      const many = Array.from({ length: 16400 }, () => piece);
      return socket.write(Buffer.concat([raw.encode(raw.TEXT, 'x', { fin: false }), ...many]));
    },
    1009: (socket) => socket.send(raw.TEXT, 'x'.repeat(1048577)),
  };
  for (const [code, act] of Object.entries(ways)) {
    const rise = await changes(async () => {
      const socket = await open();
      await act(socket);
      assert.equal((await socket.close()).code, Number(code));
      socket.destroy();
    });
    assert.equal(rise('sluice_closes_total', { code }), 1, code);
    assert.equal(rise('sluice_closes_total'), 1, code);
  }
  const theirs = await changes(async () => (await connect(node)).close(1002));
  assert.equal(theirs('sluice_closes_total'), 0, 'what clients close is not counted');
});

test('a node that drains: 1012, and not ready', async () => {
  const drained = await startNode({ redis, args: ['--drain', '3s'] });
  const clients = await Promise.all(Array.from({ length: 4 }, () => connect(drained)));
  assert.equal((await metrics(drained))('sluice_ready'), 1);
  drained.signal('SIGTERM');
  await Promise.race(clients.map((client) => client.closed));
  const now = await metrics(drained);
  assert.equal(now('sluice_ready'), 0);
  assert.ok(now('sluice_closes_total', { code: 1012 }) >= 1);
  assert.equal(now('sluice_closes_total'), now('sluice_closes_total', { code: 1012 }));
  await Promise.all(clients.map((client) => client.closed));
  await drained.stop();
});

test('users, channels, subscriptions', async () => {
  const value = await metrics(node);
  const stranger = await connect(node);
  const [ann, bob] = await inRoom([node], 'u', 'ann', 'bob');
  const now = await metrics(node);
  const rise = (name) => now(`sluice_${name}`) - value(`sluice_${name}`);
  assert.equal(rise('users'), 2);
  assert.equal(rise('channels'), 3); // two inboxes and the room
  assert.equal(rise('subscriptions'), 4);
  for (const client of [stranger, ann, bob]) await client.close();
  await until(async () => {
    const end = await metrics(node);
    const names = ['users', 'channels', 'subscriptions'];
    return names.every((name) => end(`sluice_${name}`) === value(`sluice_${name}`));
  });
});
