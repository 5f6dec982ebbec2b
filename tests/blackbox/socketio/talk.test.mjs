// The chat through the official client of Socket.IO, over each transport, beside JSON clients on
// the other node.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { ofUser } from '../lib/frames.mjs';
import { cluster, login, test } from '../lib/harness.mjs';
import { emit, enter, front, next, once, WAYS } from '../lib/socketio.mjs';

const { nodes, stop } = await cluster({ nodes: 2 });
after(stop);

for (const transports of WAYS) {
  const way = transports.join(' then ');
  const tag = transports.join('');

  test(`${way}: login, join, messages both ways, acks`, async () => {
    const room = `room${tag}`;
    const bob = await login(nodes[1], `bob-${tag}`);
    await bob.emit('join', { room });
    const ann = await enter(nodes[0], `ann-${tag}`, {}, { transports });
    assert.equal(ann.ack.userId, `ann-${tag}`);
    assert.equal(ann.ack.node, nodes[0].id);
    if (transports.length > 1 && ann.io.engine.transport.name === 'polling') {
      await once(ann.io.engine, 'upgrade');
    }
    assert.equal(ann.io.engine.transport.name, transports.at(-1));
    const joined = await emit(ann, 'join', { room });
    assert.equal(joined.room, room);
    await bob.next('userJoined');

    const content = { big: 9007199254740991, text: 'ä"\\ \u2028', deep: [[{}]] };
    const sent = await emit(ann, 'private_message', { receiverId: `bob-${tag}`, content });
    assert.equal(sent.delivered, true);
    const { data } = await bob.next('new_private_message');
    assert.deepEqual(data.content, content);
    assert.equal(data.seq, sent.seq);

    await bob.emit('private_message', { receiverId: `ann-${tag}`, content: 'hi' });
    const back = await next(ann, 'new_private_message');
    assert.deepEqual([back.senderId, back.content], [`bob-${tag}`, 'hi']);

    await emit(ann, 'sendMessage', 'to the room');
    const [mine, theirs] = [await next(ann, 'chatMessage'), await bob.next('chatMessage')];
    assert.deepEqual(mine, theirs.data);
    assert.deepEqual([mine.room, mine.message], [room, 'to the room']);
    ann.end();
    await bob.next('user_offline', ofUser(`ann-${tag}`));
    await bob.close();
  });

  test(`${way}: 100 messages in a row keep their order`, async () => {
    const room = `order${tag}`;
    const ann = await enter(nodes[0], `oa-${tag}`, {}, { transports });
    const bob = await enter(nodes[1], `ob-${tag}`, {}, { transports });
    const cat = await login(nodes[1], `oc-${tag}`);
    for (const s of [ann, bob]) await emit(s, 'join', { room });
    await cat.emit('join', { room });
    for (let i = 0; i < 100; i++) ann.emit('sendMessage', { room, message: i });
    for (let i = 0; i < 100; i++) {
      assert.equal((await next(bob, 'chatMessage')).message, i);
      assert.equal((await cat.next('chatMessage')).data.message, i);
      assert.equal((await next(ann, 'chatMessage')).message, i);
    }
    for (const s of [ann, bob]) s.end();
    await cat.close();
  });
}

test('a value is passed on byte for byte, to and from JSON clients', async () => {
  const json = await login(nodes[1], 'json');
  const ann = await enter(nodes[0], 'raw-ann', {}, { transports: ['websocket'] });
  const text = '{"receiverId":"raw-ann","content":[1.0,1e400,9007199254740993]}';
  const packet = new Promise((resolve) => {
    ann.io.engine.on('packet', ({ data }) => data?.includes?.('1e400') && resolve(data));
  });
  await json.emitText('private_message', text);
  await next(ann, 'new_private_message');
  assert.match(await packet, /"content":\[1\.0,1e400,9007199254740993\]/);
  ann.io.engine.write('20["private_message",{"receiverId":"json","content":[1.0, 1e400]}]');
  const { text: frame } = await json.next('new_private_message');
  assert.match(frame, /"content":\[1\.0, 1e400\]/);
  ann.end();
  await json.close();
});

test('errors: in the ack, or as the event error', async () => {
  const ann = await front(nodes[0]);
  const failed = (event, ...args) =>
    assert.rejects(emit(ann, event, ...args), (error) => error.code === failed.code);
  failed.code = 'not_logged_in';
  await failed('sendMessage', 'x');
  failed.code = 'unknown_event';
  await failed('no_such', 1);
  failed.code = 'missing_field';
  await assert.rejects(emit(ann, 'login', {}), {
    code: 'missing_field',
    field: 'userId',
    message: 'userId is required',
  });
  await assert.rejects(emit(ann, 'login', { userId: 'a b' }), { code: 'bad_field', field: 'userId' });
  ann.emit('login', { userId: 7.5 });
  const { message, ...rest } = await next(ann, 'error');
  assert.deepEqual(rest, { code: 'bad_field', field: 'userId', event: 'login' });
  assert.equal(typeof message, 'string');
  await emit(ann, 'login', { userId: 12 });
  await assert.rejects(emit(ann, 'login', { userId: 13 }), { code: 'already_logged_in' });
  ann.end();
});
