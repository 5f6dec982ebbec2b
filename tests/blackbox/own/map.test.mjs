// Events of an application's own, by the lines of the map: the official client and /ws, two nodes.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, connect, login, test, until } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';
import { beside, emit, enter, next, once, WAYS } from '../lib/socketio.mjs';

const lines = [
  '"chat message" room',
  'drawing room volatile others',
  'client-broadcast room 0 args=1.. as broadcast others open',
  'join-room join 0.room',
  'part leave 0 ack=[]',
  'signal socket 0.to from',
  'notify:* user 0.to',
  'vote all',
  'quiet drop ack={"ok": true, "text": "a b"}',
  'list room =lobby open ack=[1,"two"]',
  'note room id=1.id',
  'only room in /admin',
  'hall room ="big hall" open',
  'metric stream metrics',
];
const args = ['--socketio-namespaces', '/admin', ...lines.flatMap((line) => ['--event', line])];
const { redis, nodes, stop } = await cluster({ nodes: 2, args });
after(stop);

const rest = (socket, event) => socket.got.filter((item) => item.event === event);
async function nextArgs(socket, event) {
  const first = await next(socket, event, { match: (...all) => (socket.last = all) });
  return first === undefined ? [] : socket.last;
}

for (const transports of WAYS) {
  const tag = transports.join('');
  const join = async (node, name, room = tag) => {
    const socket = await enter(node, `${name}-${tag}`, {}, { transports });
    if (room) socket.joined = await emit(socket, 'join-room', { room });
    return socket;
  };

  test(`${tag}: a chat in one line; acks, and everyone gets it`, async () => {
    const [ann, bob] = [await join(nodes[0], 'ann'), await join(nodes[1], 'bob')];
    assert.equal(ann.joined.room, tag);
    const ack = await emit(ann, 'chat message', 'hello');
    assert.deepEqual(Object.keys(ack).sort(), ['seq', 'timestamp']);
    for (const socket of [ann, bob]) assert.equal((await nextArgs(socket, 'chat message'))[0], 'hello');
    const json = await login(nodes[1], `json-${tag}`);
    await json.emit('join', { room: tag });
    json.raw(JSON.stringify({ event: 'chat message', args: ['a', { b: 1 }, null], ack: 'x' }));
    const frame = await json.next('chat message');
    assert.deepEqual(frame.args, ['a', { b: 1 }, null]);
    assert.equal(frame.user, `json-${tag}`);
    assert.equal(frame.channel, `room:${tag}`);
    assert.equal(frame.seq, 2);
    assert.deepEqual((await nextArgs(bob, 'chat message')).slice(0, 3), ['a', { b: 1 }, null]);
  });

  test(`${tag}: to the others, with attachments, several arguments and none`, async () => {
    const [ann, bob] = [await join(nodes[0], 'cat'), await join(nodes[1], 'dan')];
    const bytes = Buffer.from([1, 2, 253]);
    await emit(ann, 'drawing', { x: 1 }, bytes);
    assert.deepEqual((await nextArgs(bob, 'drawing')).slice(0, 2), [{ x: 1 }, bytes]);
    await emit(ann, 'drawing');
    assert.deepEqual((await nextArgs(bob, 'drawing')).filter((each) => each !== null), []);
    await emit(bob, 'client-broadcast', tag, 'one', 2);
    assert.deepEqual((await nextArgs(ann, 'broadcast')).slice(0, 2), ['one', 2]);
    await emit(ann, 'chat message', 'end');
    await nextArgs(ann, 'chat message');
    assert.deepEqual(rest(ann, 'drawing'), []);
    assert.deepEqual(rest(bob, 'broadcast'), []);
  });
}

test('what a callback gets is what the line says', async () => {
  const ann = await enter(nodes[0], 'eve');
  assert.deepEqual(await emit(ann, 'quiet', 1), { ok: true, text: 'a b' });
  const got = await new Promise((resolve) => ann.emit('list', 'x', (...all) => resolve(all)));
  assert.deepEqual(got, [1, 'two']);
  const json = await login(nodes[0], 'eve2');
  json.raw('{"event":"list","data":1,"ack":"many"}');
  await until(() => json.frames.some((frame) => frame.ack === 'many'));
  assert.deepEqual(json.frames.find((frame) => frame.ack === 'many').args, [1, 'two']);
});

test('errors name the argument, the room and the event', async () => {
  const ann = await enter(nodes[0], 'fay');
  await assert.rejects(emit(ann, 'join-room', { rooms: 1 }), { code: 'missing_field', field: '0.room' });
  await assert.rejects(emit(ann, 'join-room', { room: {} }), { code: 'missing_field', field: '0.room' });
  await assert.rejects(emit(ann, 'join-room', { room: '' }), { code: 'bad_field', field: '0.room' });
  await assert.rejects(emit(ann, 'chat message', 'x'), { code: 'not_a_member' });
  await assert.rejects(emit(ann, 'nothing', 'x'), { code: 'unknown_event' });
  await assert.rejects(emit(ann, 'list', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11), { code: 'bad_field', field: 'args' });
  ann.emit('chat message', 'x');
  const { code, event } = await next(ann, 'error');
  assert.deepEqual([code, event], ['not_a_member', 'chat message']);
  const stranger = await connect(nodes[0]);
  await assert.rejects(stranger.emit('chat message', 'x'), { code: 'not_logged_in' });
});

test('names with blanks are percent-encoded', async () => {
  const ann = await enter(nodes[0], 'gus');
  const { room } = await emit(ann, 'join-room', { room: 'my {room}' });
  assert.equal(room, 'my%20%7Broom%7D');
  await emit(ann, 'hall', 'x');
});

test('once: a repeat has the first seq, and nobody gets it twice', async () => {
  const [ann, bob] = [await enter(nodes[0], 'hal'), await enter(nodes[1], 'ida')];
  for (const each of [ann, bob]) await emit(each, 'join-room', { room: 'once' });
  const first = await emit(ann, 'chat message', { clientMessageId: 'm1', text: 'a' });
  assert.deepEqual(await emit(ann, 'chat message', { clientMessageId: 'm1', text: 'a' }), first);
  const other = await emit(ann, 'note', 'x', { id: 7 });
  assert.deepEqual(await emit(ann, 'note', 'x', { id: 7 }), other);
  assert.equal(other.seq, first.seq + 1);
  await emit(ann, 'chat message', 'end');
  await next(bob, 'chat message', { match: (text) => text === 'end' });
  assert.equal(rest(bob, 'note').length, 1);
});

test('to one socket, with the sender last; to all devices of a user; to everyone', async () => {
  const [ann, bob] = [await enter(nodes[0], 'jim'), await enter(nodes[1], 'kim')];
  const json = await login(nodes[0], 'kim');
  await emit(ann, 'signal', { to: bob.id, sdp: 'x' });
  assert.deepEqual((await nextArgs(bob, 'signal')).slice(0, 2), [{ to: bob.id, sdp: 'x' }, ann.id]);
  await emit(ann, 'signal', { to: json.ack.connectionId });
  assert.deepEqual((await json.next('signal')).args, [{ to: json.ack.connectionId }, ann.id]);
  const { timestamp } = await emit(bob, 'notify:ring', { to: 'kim' });
  assert.ok(timestamp > 0);
  assert.equal((await json.next('notify:ring')).channel, 'user:kim');
  await nextArgs(bob, 'notify:ring');
  assert.deepEqual(await emit(ann, 'vote', 3), {});
  for (const each of [ann, bob]) assert.equal((await nextArgs(each, 'vote'))[0], 3);
  assert.equal((await json.next('vote')).data, 3);
});

test('an event stays in its namespace', async () => {
  const ann = await enter(nodes[0], 'lea');
  await emit(ann, 'join-room', { room: 'both' });
  const admin = beside(ann, '/admin');
  await once(admin, 'connect');
  await emit(admin, 'login', { userId: 'lea' });
  await emit(admin, 'join', { room: 'both' });
  await emit(ann, 'chat message', 'plain');
  await emit(admin, 'only', 'staff');
  await emit(ann, 'vote', 1);
  await assert.rejects(emit(ann, 'only', 'x'), { code: 'unknown_event' });
  await assert.rejects(emit(admin, 'vote', 'x'), { code: 'unknown_event' });
  assert.equal((await nextArgs(admin, 'only'))[0], 'staff');
  assert.equal((await nextArgs(ann, 'chat message'))[0], 'plain');
  await nextArgs(ann, 'vote');
  assert.deepEqual([rest(admin, 'chat message'), rest(admin, 'vote'), rest(ann, 'only')], [[], [], []]);
});

test('what was missed comes again by the same rules', async () => {
  const [ann, bob] = [await login(nodes[0], 'mia'), await login(nodes[1], 'ned')];
  for (const each of [ann, bob]) await each.emit('join', { room: 'later' });
  const { positions } = bob;
  await bob.close();
  for (const text of ['one', 'two']) await ann.emit('chat message', text);
  const back = await login(nodes[1], 'ned', { resume: positions });
  for (const text of ['one', 'two']) assert.equal((await back.next('chat message')).data, text);
});

test('a back end may read events in a stream', async () => {
  const ann = await enter(nodes[0], 'oda');
  assert.deepEqual(await emit(ann, 'metric', { clientMessageId: 'm1', cpu: 3 }, Buffer.from('x')), {});
  await emit(ann, 'metric', { clientMessageId: 'm1', cpu: 3 });
  await emit(ann, 'metric');
  const key = 'sluice:events:metrics';
  const entries = JSON.parse(await redis.cli('--json', 'XRANGE', key, '-', '+'));
  const [first, again, bare] = entries.map(([, fields]) => Object.fromEntries(
    fields.flatMap((value, i) => (i % 2 ? [[fields[i - 1], value]] : []))));
  const { id, time, ...rest } = first;
  assert.match(id, /^[0-9a-f]{32}$/);
  assert.ok(Math.abs(Date.now() - Number(time)) < 60000);
  assert.deepEqual(rest, {
    event: 'metric', user: 'oda', socket: ann.id, node: 'n1', bin: '["eA=="]',
    args: '[{"clientMessageId":"m1","cpu":3},{"_placeholder":true,"num":0}]',
  });
  assert.equal(again.id, id);
  assert.notEqual(bare.id, id);
  assert.equal(bare.args, '[]');
  assert.ok(Number(await redis.cli('PTTL', key)) > 86000000);
});

test('a map that cannot be is refused at the start', async () => {
  const refused = async (lines, pattern) => {
    const { code, err } = await runProgram(lines.flatMap((line) => ['--event', line]));
    assert.equal(code, 1);
    assert.match(err, pattern);
  };
  await refused(['typing room'], /event: typing is reserved/);
  await refused(['a room', 'b room as chatMessage'], /event: chatMessage is reserved/);
  await refused(['a rpc http://example.org/x'], /event: .*https/);
  await refused(['a rpc ftp://127.0.0.1/x'], /event: .*http/);
  await refused(['a shout'], /event: a shout: an action is/);
  await refused(['connect room'], /event: connect is reserved/);
});
