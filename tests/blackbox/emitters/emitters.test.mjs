// Emitters of Socket.IO: the real package, and a server of Socket.IO beside Sluice on one Redis.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { createServer } from 'node:http';
import path from 'node:path';
import { after } from 'node:test';
import { createAdapter } from '@socket.io/redis-adapter';
import { Emitter } from '@socket.io/redis-emitter';
import { createClient } from 'redis';
import { Server } from 'socket.io';
import { cluster, login, ROOT, startNode, test, until } from '../lib/harness.mjs';
import { metrics } from '../lib/registry.mjs';
import { emit, enter, front, next, once } from '../lib/socketio.mjs';

const ARGS = ['--socketio-emitters', '--socketio-namespaces', '/admin', '--max-message', '4096'];
const { redis, nodes, stop } = await cluster({ nodes: 2, args: ARGS });
after(stop);
const [first] = nodes;

const redisClient = async () => {
  const client = createClient({ url: redis.url.replace(/\+cluster|,[^/]*/g, '') }); // one node of it
  client.on('error', () => {});
  await client.connect();
  return client;
};
const out = await redisClient();
const emitter = new Emitter(out);
after(() => out.quit());

const inRoom = async (node, user, room, options) => {
  const socket = await enter(node, user, room && { room }, options);
  return socket;
};
// Each has come to the same point: what was published before is there, if it is to come at all.
let point = 0;
const all = async (...sockets) => {
  const mark = ++point;
  emitter.emit('point', mark);
  emitter.of('/admin').emit('point', mark);
  for (const socket of sockets) {
    if (socket.next) await socket.next('point', { match: (frame) => frame.data === mark });
    else await next(socket, 'point', { match: (it) => it === mark });
  }
};
// After a text as the last argument a session gets null in place of an offset (PROTOCOL.md).
const bare = (args) => (typeof args.at(-2) === 'string' && args.at(-1) === null ? args.slice(0, -1) : args);
const heard = (socket, event) => socket.got.filter((item) => item.event === event).map((item) => bare(item.args));
const end = (...sockets) => sockets.forEach((socket) => socket.end());
const counted = async (name) => {
  let sum = 0;
  for (const node of nodes) sum += (await metrics(node))(name);
  return sum;
};

test('it reaches a room, a user, a socket and all, on each node', async () => {
  const ann = await inRoom(nodes[0], 'ann', 'r');
  const bob = await inRoom(nodes[1], 'bob', 'r');
  const eve = await inRoom(nodes[1], 'eve', 'my%20room');
  const dan = await login(nodes[0], 'dan');
  const adm = await enter(nodes[0], 'adm', {}, { nsp: '/admin' });
  emitter.to('r').emit('room', 1, { a: [null, true, -7, 1.5, 'ä€😀'] });
  emitter.to('my room').emit('blank', 'x');
  emitter.to('user:ann').to('user:dan').emit('user', 'you');
  emitter.to(bob.id).emit('socket', bob.id);
  emitter.to(dan.ack.connectionId).emit('socket');
  emitter.emit('all', { n: 1 });
  emitter.of('/admin').emit('admin', 1);
  await all(ann, bob, eve, adm);
  const args = [1, { a: [null, true, -7, 1.5, 'ä€😀'] }];
  assert.deepEqual([ann, bob, eve, adm].map((s) => heard(s, 'room')), [[args], [args], [], []]);
  assert.deepEqual([ann, bob, eve].map((s) => heard(s, 'blank')), [[], [], [['x']]]);
  assert.deepEqual([ann, bob].map((s) => heard(s, 'user')), [[['you']], []]);
  assert.deepEqual([ann, bob].map((s) => heard(s, 'socket')), [[], [[bob.id]]]);
  assert.deepEqual([ann, bob, eve, adm].map((s) => heard(s, 'all')), [[[{ n: 1 }]], [[{ n: 1 }]], [[{ n: 1 }]], []]);
  assert.deepEqual([ann, adm].map((s) => heard(s, 'admin')), [[], [[1]]]);
  const { time, text, ...frame } = await dan.next('user');
  assert.deepEqual(frame, { channel: 'user:dan', seq: 0, event: 'user', data: 'you' });
  assert.ok(Math.abs(time / 1000 - Date.now()) < 60000 && JSON.parse(text).time === time);
  assert.deepEqual((await dan.next('socket')).args, []);
  assert.deepEqual((await dan.next('all')).channel, 'all');
  end(ann, bob, eve, adm);
  await dan.close();
});

test('of several rooms, a socket gets it once; those that are excepted do not', async () => {
  const ann = await inRoom(nodes[0], 'ann', 'r');
  await emit(ann, 'join', { room: 's' });
  const bob = await inRoom(nodes[0], 'bob', 's');
  const eve = await inRoom(nodes[1], 'eve', 's');
  await emit(eve, 'join', { room: 'quiet' });
  const two = await inRoom(nodes[1], 'ann', 's');
  emitter.to(['r', 's']).emit('both', 1);
  emitter.to('s').except('quiet').emit('loud', 1);
  emitter.to('s').except('user:ann').emit('others', 1);
  emitter.except(bob.id).except('nobody').emit('not bob', 1);
  emitter.volatile.compress(false).to('s').emit('flags', 1);
  await all(ann, bob, eve, two);
  const counts = (event) => [ann, bob, eve, two].map((s) => heard(s, event).length);
  assert.deepEqual(counts('both'), [1, 1, 1, 1]);
  assert.deepEqual(counts('loud'), [1, 1, 0, 1]);
  assert.deepEqual(counts('others'), [0, 1, 1, 0]);
  assert.deepEqual(counts('not bob'), [1, 0, 1, 1]);
  assert.deepEqual(counts('flags'), [1, 1, 1, 1]);
  end(ann, bob, eve, two);
});

test('bytes are attachments, dates are texts, and /ws has them in base64', async () => {
  const ann = await inRoom(nodes[0], 'ann', 'r');
  const bob = await login(nodes[1], 'bob', { room: 'r' });
  const when = new Date('2024-05-06T07:08:09.123Z');
  emitter.to('r').emit('bytes', { at: when, bin: Buffer.from([0, 255, 7]) }, Uint8Array.of(1), undefined);
  const [[one, two, none]] = await until(() => heard(ann, 'bytes').length > 0 && heard(ann, 'bytes'));
  assert.deepEqual([one.at, [...one.bin], [...two], none], ['2024-05-06T07:08:09.123Z', [0, 255, 7], [1], null]);
  const frame = await bob.next('bytes');
  assert.deepEqual(frame.bin, ['AP8H', 'AQ==']);
  assert.deepEqual(frame.args[1], { _placeholder: true, num: 1 });
  end(ann);
  await bob.close();
});

// As emitters of other languages have it, which follow the package's first versions: no `except`, no
// uid, the type of an event with binary data.
test('emitters of older versions are understood', async () => {
  const ann = await inRoom(nodes[1], 'ann', 'r');
  const str = (text) => [0xa0 + text.length, ...Buffer.from(text)];
  const packet = (type) => [0x82, ...str('type'), type, ...str('data'), 0x92, ...str('old'), type];
  const opts = [0x82, ...str('rooms'), 0x91, ...str('r'), ...str('flags'), 0x80];
  await out.publish('socket.io#emitter', Buffer.from([0x92, ...packet(2), ...opts]));
  await out.publish('socket.io#/#r#', Buffer.from([0x93, ...str('emitter'), ...packet(5), ...opts]));
  await out.publish('socket.io#/#', Buffer.from([0x93, ...str('x'), ...packet(2), 0xc0])); // to all
  await all(ann);
  assert.deepEqual(heard(ann, 'old'), [[2], [5], [2]]);
  end(ann);
});

test('socketsJoin, socketsLeave and disconnectSockets', async () => {
  const ann = await enter(nodes[0], 'ann');
  const bob = await enter(nodes[1], 'bob');
  const adm = await enter(nodes[1], 'adm', {}, { nsp: '/admin' });
  const reached = async (room) => {
    emitter.to(room).emit('ping', ++point);
    emitter.of('/admin').to(room).emit('ping', point);
    const mark = point;
    await all(ann, bob, adm);
    return [ann, bob, adm].filter((s) => heard(s, 'ping').some(([n]) => n === mark)).length;
  };
  emitter.in('user:ann').socketsJoin(['made', 'my other']);
  await until(async () => (await reached('made')) === 1 && (await reached('my other')) === 1);
  emitter.except(adm.id).socketsJoin('made');
  await until(async () => (await reached('made')) === 2);
  emitter.in('made').except(bob.id).socketsLeave('made');
  await until(async () => (await reached('made')) === 1);
  assert.deepEqual(heard(ann, 'error'), []);
  emitter.of('/admin').socketsJoin('made');
  await until(async () => (await reached('made')) === 2);
  const gone = once(bob, 'disconnect');
  emitter.in('made').disconnectSockets();
  assert.equal((await gone)[0], 'io server disconnect');
  await all(ann, adm);
  const over = [once(ann, 'disconnect'), once(adm, 'disconnect')];
  emitter.disconnectSockets(true);
  emitter.of('/admin').disconnectSockets();
  await Promise.all(over);
});

test('a server of Socket.IO beside is not disturbed', async (t) => {
  const http = createServer();
  const [pub, sub] = [await redisClient(), await redisClient()];
  const io = new Server(http, { adapter: createAdapter(pub, sub, { requestsTimeout: 3000 }) });
  io.on('connection', (socket) => socket.join('r'));
  await new Promise((resolve) => http.listen(0, '127.0.0.1', resolve));
  t.after(async () => {
    io.close();
    await Promise.all([pub.quit(), sub.quit()]);
  });
  const theirs = await front({ url: `http://127.0.0.1:${http.address().port}` });
  const ours = await inRoom(nodes[0], 'ann', 'r');
  assert.equal(await io.of('/').adapter.serverCount(), 1);
  assert.equal((await io.fetchSockets()).length, 1);
  emitter.to('r').emit('to both', 1);
  assert.deepEqual([await next(theirs, 'to both'), await next(ours, 'to both')], [1, 1]);
  io.to('r').emit('from the server', 2);
  assert.deepEqual([await next(theirs, 'from the server'), await next(ours, 'from the server')], [2, 2]);
  ours.emit('sendMessage', 'hi');
  await next(ours, 'chatMessage');
  const acked = new Promise((resolve, reject) => {
    theirs.on('question', (done) => done('yes'));
    io.timeout(3000).emit('question', (error, answers) => (error ? reject(error) : resolve(answers)));
  });
  assert.deepEqual(await acked, ['yes']);
  assert.deepEqual(heard(theirs, 'chatMessage'), []);
  assert.deepEqual(await io.of('/').adapter.allRooms(), new Set([theirs.id, 'r']));
  end(theirs, ours);
});

test('what is not understood is dropped and counted', async () => {
  const ann = await inRoom(first, 'ann', 'r');
  const before = await counted('sluice_emitters_dropped_total');
  const long = Buffer.alloc(4096 + 65536);
  const wrong = [
    Buffer.from([0xc1]), Buffer.from([0x93, 1]), Buffer.from([0xdd, 255, 255, 255, 255]), long, Buffer.alloc(0),
    Buffer.concat([Buffer.alloc(33, 0x91), Buffer.from([0xc0])]),
  ];
  for (const bytes of wrong) await out.publish('socket.io#/#', bytes);
  emitter.to('r').emit('many', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);
  emitter.to('r').emit('chatMessage', 'reserved');
  emitter.to('r').emit('a"b', 'no name');
  emitter.to('r').emit('long', 'x'.repeat(4096 + 65536));
  for (const text of ['{', '{"type":2}', '{"type":77}', '{"type":2,"opts":{"rooms":[1]},"rooms":["a"]}', '\xff'])
    await out.publish('socket.io-request#/#', Buffer.from(text, 'latin1'));
  await out.publish('socket.io-request#/#', '{"type":5,"requestId":"x","opts":{"rooms":[]}}'); // for servers
  emitter.serverSideEmit('hello');
  const most = 'y'.repeat(4096 + 65536 - 100);
  emitter.to('r').emit('most', most);
  assert.equal(await next(ann, 'most'), most);
  await all(ann);
  await until(async () => (await counted('sluice_emitters_dropped_total')) - before === 2 * (wrong.length + 4 + 5));
  for (const event of ['many', 'long', 'a"b', 'chatMessage']) assert.deepEqual(heard(ann, event), []);
  assert.ok((await counted('sluice_emitters_taken_total')) > 0);
  end(ann);
});

test('after an outage of the link it listens again', async () => {
  const ann = await inRoom(first, 'ann', 'r');
  await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await until(async () => {
    emitter.to('r').emit('again', 1);
    return heard(ann, 'again').length > 0;
  });
  end(ann);
});

test('switched off, nothing is listened to', async () => {
  const { nodes: [node], stop: stopIt } = await cluster({ nodes: 1, redis });
  const ann = await inRoom(node, 'ann', 'r');
  const bob = await inRoom(first, 'bob', 'r');
  emitter.to('r').emit('silent', 1);
  assert.equal(await next(bob, 'silent'), 1);
  await emit(bob, 'sendMessage', 'done');
  await next(ann, 'chatMessage');
  assert.deepEqual(heard(ann, 'silent'), []);
  end(ann, bob);
  await stopIt();
});

test('a user of Redis may do so with what OPERATIONS.md says', { single: 'a user is of one server' }, async () => {
  const text = fs.readFileSync(path.join(ROOT, 'deploy/OPERATIONS.md'), 'utf8');
  const [, rules] = text.match(/^ACL SETUSER sluice on >SECRET (resetkeys .* \+select .*)$/m);
  const [, more] = text.match(/With `socketio-emitters` the nodes need `([^`]+)`/);
  assert.match(await redis.cli('ACL', 'SETUSER', 'sluice', 'on', '>SECRET', ...rules.split(' '), ...more.split(' ')), /OK/);
  const node = await startNode({ redis: redis.url.replace('//', '//sluice:SECRET@'), args: ARGS });
  const ann = await inRoom(node, 'ann', 'r');
  emitter.to('r').emit('allowed', 1);
  assert.equal(await next(ann, 'allowed'), 1);
  end(ann);
  await node.stop();
});

test('raw channels may not begin with socket.io', async () => {
  await assert.rejects(startNode({ redis, args: ['--channels', 'socket.io#/#:rw'] }), /begins with socket\.io/);
});
