// login: its ack, the room of csId with its roster, and who a connection speaks for.
import assert from 'node:assert/strict';
import { cluster, connect, login, test } from '../lib/harness.mjs';
import { having, refused, roster } from '../lib/frames.mjs';
import { hash } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

test('the ack names connection, node and user, and where each channel stands', async () => {
  const ann = await login(nodes[0], 'ann');
  const { connectionId, resume, ...rest } = ann.ack;
  assert.deepEqual(rest, { node: nodes[0].id, userId: 'ann', recovered: false });
  assert.equal(typeof connectionId, 'string');
  assert.deepEqual(Object.keys(resume), ['user:ann']);
  assert.equal(resume['user:ann'].seq, 0);
  assert.match(resume['user:ann'].epoch, /^.+$/);

  const other = await login(nodes[1], 'ann');
  assert.equal(other.ack.node, nodes[1].id);
  assert.notEqual(other.ack.connectionId, connectionId);
  assert.deepEqual(other.ack.resume, resume);
});

test('the ack comes when the user stands in the registry', async () => {
  const bob = await login(nodes[1], 'bob', { username: 'Bob B.', role: 'agent' });
  const conns = await hash(redis, 'sluice:{user:bob}:conns');
  assert.deepEqual(Object.keys(conns), [bob.ack.connectionId]);
});

test('the inbox baseline is the end of the log', async () => {
  const cat = await login(nodes[0], 'cat');
  const dan = await login(nodes[1], 'dan');
  for (const content of ['one', 'two']) {
    await dan.emit('private_message', { receiverId: 'cat', content });
    await cat.next('new_private_message');
  }
  const late = await login(nodes[1], 'cat');
  assert.deepEqual(late.ack.resume, { 'user:cat': cat.positions['user:cat'] });
  assert.equal(late.positions['user:cat'].seq, 2);
});

test('csId enters room-<csId>: everyone there gets Online_user, the newcomer at once', async () => {
  const eve = await login(nodes[0], 'eve', { csId: 'desk' });
  assert.deepEqual(Object.keys(eve.ack.resume).sort(), ['room:room-desk', 'user:eve']);
  const first = await eve.next('Online_user');
  assert.deepEqual(first.data, ['eve']);
  assert.equal(first.channel, 'room:room-desk');
  assert.equal(first.seq, 0);
  assert.ok(!('epoch' in first));

  const fay = await login(nodes[1], 'fay', { csId: 'desk' });
  await fay.next('Online_user', roster('eve', 'fay'));
  await eve.next('Online_user', roster('eve', 'fay'));
  await fay.emit('sendMessage', 'hello desk');
  const { data } = await eve.next('chatMessage');
  assert.equal(data.room, 'room-desk');
  assert.equal(data.message, 'hello desk');
});

test('the first roster that a newcomer gets has the newcomer', async () => {
  for (let i = 0; i < 40; i++) {
    const [one, two] = [`first-${i}`, `second-${i}`];
    const client = await login(nodes[0], one, { csId: i });
    assert.deepEqual((await client.next('Online_user')).data, [one]);
    const other = await login(nodes[1], two);
    await other.emit('join', { room: `room-${i}` });
    assert.deepEqual((await other.next('Online_user')).data, [one, two]);
    await Promise.all([client.close(), other.close()]);
  }
});

test('an integer csId is its text', async () => {
  const gil = await login(nodes[0], 'gil', { csId: 77 });
  assert.ok('room:room-77' in gil.ack.resume);
});

test('a second login as the same user answers a fresh ack', async () => {
  const hal = await login(nodes[0], 'hal');
  const again = await hal.emit('login', { userId: 'hal' });
  assert.equal(again.userId, 'hal');
  assert.equal(again.connectionId, hal.ack.connectionId);
  assert.equal(again.node, nodes[0].id);
  const ivy = await login(nodes[1], 'ivy');
  const ack = await ivy.emit('private_message', { receiverId: 'hal', content: 'still there?' });
  assert.equal(ack.delivered, true);
  await hal.next('new_private_message');
});

test('a second login tells the position in every channel of the connection', async () => {
  const zoe = await login(nodes[0], 'zoe', { csId: 'z' });
  const yan = await login(nodes[1], 'yan');
  for (const client of [zoe, yan]) await client.emit('join', { room: 'again' });
  await zoe.emit('subscribe', { channel: 'topic:again' });
  await yan.emit('sendMessage', { room: 'again', message: 'x' });
  await yan.emit('publish', { channel: 'topic:again', data: 'x' });
  await yan.emit('private_message', { receiverId: 'zoe', content: 'x' });
  await Promise.all(['chatMessage', 'message', 'new_private_message'].map((e) => zoe.next(e)));
  const all = { ...zoe.positions };
  assert.deepEqual(Object.keys(all).sort(), [
    'room:again',
    'room:room-z',
    'topic:again',
    'user:zoe',
  ]);
  assert.equal(Object.values(all).filter(({ seq }) => seq === 1).length, 3);

  assert.deepEqual((await zoe.emit('login', { userId: 'zoe' })).resume, all);
  assert.deepEqual((await zoe.emit('login', { userId: 'zoe', csId: 'z' })).resume, all);
  const join = await zoe.emit('join', { room: 'again' });
  assert.deepEqual(join, { room: 'again', ...all['room:again'] });
  const subscribed = await zoe.emit('subscribe', { channel: 'topic:again' });
  assert.deepEqual(subscribed, { channel: 'topic:again', ...all['topic:again'], recovered: false });

  const more = await zoe.emit('login', { userId: 'zoe', csId: 'y' });
  const { 'room:room-y': added, ...rest } = more.resume;
  assert.deepEqual(rest, all);
  assert.equal(added.seq, 0);
  await zoe.emit('leave', { room: 'again' });
  await zoe.emit('unsubscribe', { channel: 'topic:again' });
  const less = await zoe.emit('login', { userId: 'zoe' });
  assert.deepEqual(Object.keys(less.resume).sort(), ['room:room-y', 'room:room-z', 'user:zoe']);

  // What was resumed stands where the messages that followed have brought it.
  const { 'user:zoe': inbox } = all;
  const resume = { 'user:zoe': { ...inbox, seq: 0 }, 'topic:again': all['topic:again'] };
  const back = await login(nodes[1], 'zoe', { resume });
  assert.equal(back.ack.resume['user:zoe'].seq, 0);
  await back.next('new_private_message');
  const { resume: now } = await back.emit('login', { userId: 'zoe' });
  assert.deepEqual(now, { 'user:zoe': inbox, 'topic:again': all['topic:again'] });
});

test('a login as another user is refused, and changes nothing', async () => {
  const jim = await login(nodes[0], 'jim');
  await refused(jim.emit('login', { userId: 'kim' }), 'already_logged_in');
  await refused(jim.emit('join', { id: 'kim', room: 'other' }), 'already_logged_in');
  const kim = await login(nodes[1], 'kim');
  await jim.emit('private_message', { receiverId: 'kim', content: 'as whom?' });
  assert.equal((await kim.next('new_private_message')).data.senderId, 'jim');
  const ack = await kim.emit('private_message', { receiverId: 'jim', content: 'as jim' });
  assert.equal(ack.delivered, true);
  await jim.next('new_private_message');
});

test('an integer id is its decimal text, digit for digit', async () => {
  const leo = await login(nodes[0], 42);
  assert.equal(leo.ack.userId, '42');
  await leo.emit('login', { userId: '42' });
  const big = await connect(nodes[1]);
  const ack = await big.emitText('login', '{"userId":9007199254740993}');
  assert.equal(ack.userId, '9007199254740993');
  await leo.emitText('private_message', '{"receiverId":9007199254740993,"content":"hi"}');
  const { data } = await big.next('new_private_message');
  assert.equal(data.receiverId, '9007199254740993');
  assert.equal(data.senderId, '42');
});

test('escapes in an id are the characters they stand for', async () => {
  const mia = await connect(nodes[0]);
  const ack = await mia.emitText('login', '{"userId":"\\u006dia\\u00e9"}');
  assert.equal(ack.userId, 'miaé');
  const ned = await login(nodes[1], 'ned');
  await ned.emit('private_message', { receiverId: 'miaé', content: 'hi' });
  await mia.next('new_private_message', having({ receiverId: 'miaé' }));
});

test('username defaults to the id, role to user', async () => {
  const plain = await login(nodes[0], 'plain');
  await plain.emit('join', { room: 'names' });
  const named = await login(nodes[1], 'named', { username: 'Näme "x"', role: 'agent' });
  await named.emit('join', { room: 'names' });
  const list = await plain.emit('all_member', { room: 'names' });
  const of = (id) => list.find((member) => member.id === id);
  assert.equal(of('plain').username, 'plain');
  assert.equal(of('plain').role, 'user');
  assert.equal(of('named').username, 'Näme "x"');
  assert.equal(of('named').role, 'agent');
});
