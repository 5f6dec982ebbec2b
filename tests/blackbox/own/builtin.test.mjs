// `builtin = none`: the names of Sluice's events are free, and it says nothing of itself.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, connect, test, until } from '../lib/harness.mjs';
import { publish } from '../lib/registry.mjs';
import { emit, front, next } from '../lib/socketio.mjs';

const MAP = [
  ...['--event', 'typing room volatile in /', '--event', 'join room volatile as join open in /'],
  ...['--event', 'user_online all in /', '--event', 'enter join 0.room'],
];
const bare = await cluster({ nodes: 1, args: ['--guests', '--builtin', 'none', '--default-room', 'plaza', '--socketio-namespaces', '/full', ...MAP] });
const shop = await cluster({ nodes: 1, args: ['--guests', '--builtin', 'none in /shop', '--default-room', 'plaza in /shop', '--default-room', 'plaza', '--socketio-namespaces', '/shop'] });
after(bare.stop);
after(shop.stop);

const names = (socket) => [...new Set(socket.got.map((item) => item.event))];
const unknown = async (socket, event) => {
  socket.emit(event, {});
  const error = await next(socket, 'error');
  assert.deepEqual([error.code, error.event ?? null], ['unknown_event', null]);
};

test('nothing of its own is sent there, but the event error', async () => {
  const [node] = shop.nodes;
  const ann = await front(node, { nsp: '/shop' });
  const full = await front(node);
  const bob = await connect(node);
  await bob.emit('login', { room: 'plaza' });
  await full.timeout(5000).emitWithAck('sendMessage', 'hello');
  await bob.emit('typing', { room: 'plaza', isTyping: true });
  await bob.emit('private_message', { receiverId: `guest-${ann.id}`, content: 'x' });
  await bob.emit('leave', { room: 'plaza' });
  await next(full, 'userLeft');
  await bob.close();
  await publish(shop.redis, 'sluice:{room:plaza}', 'the end');
  assert.equal(await next(ann, 'message'), 'the end', 'the name message is never Sluice\'s alone');
  assert.deepEqual(names(ann), []);
  assert.ok(['userJoined', 'chatMessage', 'typing'].every((name) => names(full).includes(name)));
  for (const event of ['login', 'join', 'sendMessage', 'history', 'heartbeat', 'refresh', 'message_chunk']) await unknown(ann, event);
  await assert.rejects(emit(ann, 'login', {}), { code: 'unknown_event' });
  assert.equal((await emit(full, 'login', {})).userId, `guest-${full.id}`);
  ann.end();
  full.end();
});

test('its names go by the map', async () => {
  const [node] = bare.nodes;
  const [ann, bob] = [await front(node), await front(node)];
  ann.emit('typing', 'ann', 1);
  assert.equal(await next(bob, 'typing', { match: (who, n) => who === 'ann' && n === 1 }), 'ann');
  assert.deepEqual(await emit(ann, 'user_online', { is: 'own' }), {});
  assert.deepEqual(await next(bob, 'user_online'), { is: 'own' });
  const full = await front(node, { nsp: '/full' });
  assert.equal((await emit(full, 'login', {})).userId, `guest-${full.id}`);
  await emit(full, 'join', { room: 'plaza' });
  assert.deepEqual(names(bob).filter((name) => name !== 'typing'), []);
  for (const socket of [ann, bob, full]) socket.end();
});

test('/ws keeps login, refresh, heartbeat and message_chunk, and no other', async () => {
  const [node] = bare.nodes;
  const ann = await connect(node);
  const { userId, connectionId } = await ann.emit('login', {});
  assert.equal(userId, `guest-${connectionId}`);
  await ann.emit('heartbeat', {});
  await assert.rejects(ann.emit('refresh', {}), { code: 'unauthorized' });
  await assert.rejects(ann.emit('message_chunk', {}), { code: 'missing_field' });
  for (const event of ['leave', 'sendMessage', 'history', 'subscribe', 'private_message']) {
    await assert.rejects(ann.emit(event, {}), { code: 'unknown_event' });
  }
  const piece = Buffer.from('{"room":"r"}').toString('base64');
  await assert.rejects(ann.emit('message_chunk', { event: 'join', messageId: 'm', index: 0, total: 1, data: piece, chunk: piece }), (error) => error.code !== undefined);
  await ann.close();
});

test('on /ws, csId and resume enter only rooms that the user is a member of', async () => {
  const { redis, nodes: [node] } = await bareCluster();
  const ann = await connect(node);
  await assert.rejects(ann.emit('login', { userId: 'ann', csId: '7' }), { code: 'not_a_member', field: 'csId' });
  const eve = await connect(node);
  await assert.rejects(eve.emit('login', { userId: 'eve', room: 'r' }), { code: 'not_a_member' });
  await eve.close();
  await until(() => ann.emit('login', { userId: 'ann' }).then(() => true, () => false)); // the first one is undone
  assert.equal(await redis.cli('SCARD', 'sluice:{user:ann}:rooms'), '0');
  await ann.emit('enter', { room: 'room-7' });
  await ann.close();
  const back = await connect(node);
  const ack = await back.emit('login', { userId: 'ann', csId: '7', resume: { 'room:other': { epoch: '', seq: 0 }, 'topic:t': { epoch: '', seq: 0 } } });
  assert.deepEqual(Object.keys(ack.resume).sort(), ['room:room-7', 'topic:t', 'user:ann']);
  assert.ok(ack.lost.includes('room:other'));
  assert.equal(await redis.cli('ZSCORE', 'sluice:{room:other}:members', 'ann'), '');
  const third = await connect(node);
  const again = await third.emit('login', { userId: 'ann', resume: ack.resume });
  assert.deepEqual([again.recovered, again.lost], [true, undefined]);
  await back.close();
  await third.close();
});

async function bareCluster() {
  const made = await cluster({ nodes: 1, args: ['--builtin', 'none', ...MAP] });
  after(made.stop);
  return made;
}

test('what is no such list stops the start', async () => {
  for (const [value, why] of [['some', /all or none/], ['none in shop', /an entry is/], ['none\nall', /named twice/]]) {
    await assert.rejects(cluster({ nodes: 1, args: ['--builtin', value] }), why);
  }
});
