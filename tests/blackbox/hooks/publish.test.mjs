// publish-hook: what a client says goes out only when the back end lets it, in its words, and in
// the order in which it was said.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { startBackend } from '../lib/hooks.mjs';
import { cluster, inRoom, sleep, test } from '../lib/harness.mjs';
import { emit, enter, next } from '../lib/socketio.mjs';

const secret = 'a secret of at least thirty-two bytes';
const backend = await startBackend({ secret });
const lines = [
  'drawing room volatile others open',
  'line room open',
  'vote all',
  'signal socket 0.to',
  'notify user 0.to',
];
const args = [
  ...['room:*', 'topic:*', 'user:*', 'socket:*', 'all'].flatMap((pattern) => [
    '--publish-hook',
    `${pattern} ${backend.url}`,
  ]),
  '--hook-secret', secret,
  ...lines.flatMap((line) => ['--event', line]),
];
const { nodes, stop } = await cluster({ nodes: 2, args });
after(stop);

const reset = (answer = () => ({})) => (backend.answer = answer);
const rude = { status: 403, body: { error: { code: 'too_rude', message: 'be kind', data: { n: 1.5 } } } };

test('what the back end is told of each message', async () => {
  reset();
  const [ann, bob] = await inRoom(nodes, 'told', 'ann', 'bob');
  await ann.emit('sendMessage', { room: 'told', message: { a: 1 }, clientMessageId: 'm1' });
  const body = await backend.next('publish');
  assert.equal(body.user, 'ann');
  assert.equal(body.identity, 'none');
  assert.equal(body.role, 'user');
  assert.equal(body.door, 'json');
  assert.equal(body.namespace, '/');
  assert.equal(body.socket, ann.ack.connectionId);
  assert.equal(body.node, nodes[0].id);
  assert.deepEqual(body.rooms, ['told']);
  assert.equal(body.channel, 'room:told');
  assert.equal(body.event, 'sendMessage');
  assert.deepEqual(body.data, { a: 1 });
  assert.equal(body.clientMessageId, 'm1');
  assert.equal(body.id.length, 32);
  await bob.next('chatMessage');
  await ann.emit('private_message', { receiverId: 'bob', content: 'psst' });
  const secretly = await backend.next('publish');
  assert.deepEqual([secretly.channel, secretly.data], ['user:bob', 'psst']);
  await ann.emit('publish', { channel: 'topic:news', data: [1] });
  const topic = await backend.next('publish');
  assert.deepEqual([topic.channel, topic.event, topic.data], ['topic:news', 'publish', [1]]);
  await ann.close();
  await bob.close();
});

test('own events, volatile ones too, on Socket.IO', async () => {
  reset();
  const cat = await enter(nodes[0], 'cat');
  const dan = await enter(nodes[1], 'dan');
  await emit(cat, 'line', 1, 'two');
  const line = await backend.next('publish');
  assert.deepEqual([line.channel, line.event, line.args, line.door], ['room:lobby', 'line', [1, 'two'], 'socketio']);
  assert.equal(line.socket, cat.id);
  await emit(cat, 'drawing', { x: 1 });
  assert.equal((await backend.next('publish')).event, 'drawing');
  await emit(cat, 'vote', 7);
  assert.equal((await backend.next('publish')).channel, 'all');
  await emit(cat, 'signal', { to: dan.id });
  assert.equal((await backend.next('publish')).channel, `socket:${dan.id}`);
  await emit(cat, 'notify', { to: 'dan' });
  assert.equal((await backend.next('publish')).channel, 'user:dan');
  for (const event of ['vote', 'signal', 'notify']) await next(dan, event);
  reset(({ event }) => (event === 'vote' ? rude : {}));
  const refused = { code: 'too_rude', message: 'be kind', data: { n: 1.5 } };
  await assert.rejects(emit(cat, 'vote', 8), refused);
});

test('a refusal: nothing goes out, and the sender gets the words of the back end', async () => {
  reset(({ data }) => (data === 'rude' ? rude : data === 'odd' ? { status: 400, body: { error: { code: 'Odd' } } } : {}));
  const [ann, bob] = await inRoom(nodes, 'refused', 'eve', 'fay');
  await assert.rejects(ann.emit('sendMessage', { room: 'refused', message: 'rude' }), (error) => {
    assert.deepEqual([error.code, error.message, error.data], ['too_rude', 'be kind', { n: 1.5 }]);
    return true;
  });
  await assert.rejects(ann.emit('sendMessage', { room: 'refused', message: 'odd' }), { code: 'rejected' });
  await ann.emit('sendMessage', { room: 'refused', message: 'kind' });
  assert.equal((await bob.next('chatMessage')).data.message, 'kind');
  await ann.close();
  await bob.close();
});

test('other words in its place, byte for byte', async () => {
  const { data, args: many } = { data: 'm***', args: ['x', 2] };
  reset(({ event }) => (event === 'line' ? { args: many } : { data }));
  const [ann, bob] = await inRoom(nodes, 'words', 'gil', 'hal');
  await ann.emit('sendMessage', { room: 'words', message: 'muck' });
  assert.equal((await bob.next('chatMessage')).data.message, 'm***');
  await ann.emit('private_message', { receiverId: 'hal', content: 'muck' });
  assert.equal((await bob.next('new_private_message')).data.content, 'm***');
  ann.raw(JSON.stringify({ event: 'line', data: 'one', ack: 'l' }));
  assert.deepEqual((await bob.next('line')).args, ['x', 2]);
  await ann.close();
  await bob.close();
});

test('a message in pieces is asked about once, whole', async () => {
  reset();
  const [ann, bob] = await inRoom(nodes, 'pieces', 'ida', 'jon');
  const before = backend.calls.length;
  for (const [index, data] of ['abc', 'def'].entries()) {
    await ann.emit('message_chunk', { id: 'p', index, total: 2, data, event: 'sendMessage', room: 'pieces' });
  }
  assert.equal((await bob.next('chatMessage')).data.message, 'abcdef');
  assert.deepEqual(backend.calls.slice(before).map(({ body }) => body.data), ['abcdef']);
  await ann.close();
  await bob.close();
});

test('order holds while answers come late and in any order', async () => {
  reset(async ({ data }) => {
    await sleep(data % 3 === 0 ? 120 : data % 3 === 1 ? 60 : 0);
    return data === 5 ? rude : {};
  });
  const [ann, bob] = await inRoom(nodes, 'order', 'kim', 'lea');
  const sent = [...Array(40).keys()];
  const answers = sent.map((message) =>
    ann.emit('sendMessage', { room: 'order', message }).then(() => 'ok', (error) => error.code));
  const expected = sent.filter((i) => i !== 5);
  for (const i of expected) assert.equal((await bob.next('chatMessage')).data.message, i);
  assert.deepEqual(await Promise.all(answers), sent.map((i) => (i === 5 ? 'too_rude' : 'ok')));
  await ann.close();
  await bob.close();
});

test('a back end that is away refuses, and those after it fail with it', async () => {
  reset(({ data }) => (data === 0 ? { status: 500 } : {}));
  const [ann, bob] = await inRoom(nodes, 'away', 'max', 'nia');
  const say = (message) =>
    ann.emit('sendMessage', { room: 'away', message, clientMessageId: `a${message}` }).then(
      () => 'ok',
      ({ code, outcome }) => `${code} ${outcome}`,
    );
  const answers = await Promise.all([say(0), say(1), say(2)]);
  assert.deepEqual(answers, ['unavailable unknown', 'unavailable refused', 'unavailable refused']);
  reset();
  assert.deepEqual(await Promise.all([say(0), say(1), say(2)]), ['ok', 'ok', 'ok']);
  for (const i of [0, 1, 2]) assert.equal((await bob.next('chatMessage')).data.message, i);
  await ann.close();
  await bob.close();
});

test('a client that goes meanwhile is asked for no more', async () => {
  let asked;
  const come = new Promise((resolve) => (asked = resolve));
  reset(() => new Promise(asked));
  const [ann, bob] = await inRoom(nodes, 'gone', 'oli', 'pat');
  ann.send('sendMessage', { room: 'gone', message: 'late' });
  ann.send('sendMessage', { room: 'gone', message: 'later' });
  await come;
  await ann.close();
  reset();
  await bob.emit('sendMessage', { room: 'gone', message: 'still works' });
  assert.equal((await bob.next('chatMessage')).data.message, 'still works');
  await bob.close();
});

test('hook-failure = open lets pass what the back end does not answer', async () => {
  reset(({ data }) => (data === 'no' ? rude : 'cut'));
  const open = ['--publish-hook', `room:* ${backend.url}`, '--hook-failure', 'open', '--hook-secret', secret];
  const other = await cluster({ nodes: 1, args: open });
  const [ann, bob] = await inRoom([other.nodes[0], other.nodes[0]], 'open', 'ann', 'bob');
  await ann.emit('sendMessage', { room: 'open', message: 'yes' });
  assert.equal((await bob.next('chatMessage')).data.message, 'yes');
  await assert.rejects(ann.emit('sendMessage', { room: 'open', message: 'no' }), { code: 'too_rude' });
  await other.stop();
});
