// Clients of Socket.IO in Python (threads, and asyncio) beside those in JavaScript.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { startConformance } from '../lib/conformance.mjs';
import { ofUser } from '../lib/frames.mjs';
import { cluster, login, startNode, test } from '../lib/harness.mjs';
import { KINDS, python } from '../lib/python.mjs';
import { startDoor } from '../lib/roaming.mjs';
import { emit, enter, next, WAYS } from '../lib/socketio.mjs';

const { redis, nodes, stop } = await cluster({ nodes: 2, args: ['--socketio-namespaces', '/shop'] });
after(stop);

const echo = await startConformance();
after(() => echo.stop());

const bytes = Buffer.from([0, 1, 2, 253, 254, 255]);
const ALL = KINDS.flatMap((kind) => WAYS.map((transports) => ({ kind, transports })));

async function entered(node, userId, options) {
  const s = await python(node, options);
  const [ack] = await s.emit('login', { userId });
  assert.equal(ack.userId, userId, JSON.stringify(ack));
  return s;
}

for (const { kind, transports } of ALL) {
  // The one with threads has one for each packet: events overtake each other in it, and
  // attachments may come before what announced them, and be lost. So it gets none.
  const threads = kind === 'sync';
  const back = threads ? 'no bytes' : bytes;
  const way = `${kind}, ${transports.join(' then ')}`;
  const tag = `${kind}-${transports.join('-')}`;

  test(`${way}: login, join, messages both ways, acks, binary`, async () => {
    const room = `r-${tag}`;
    const json = await login(nodes[1], `json-${tag}`);
    const bob = await enter(nodes[1], `bob-${tag}`, {}, { transports: ['websocket'] });
    await json.emit('join', { room });
    await emit(bob, 'join', { room });
    const ann = await entered(nodes[0], `ann-${tag}`, { kind, transports });
    assert.equal(ann.connected.transport, transports.at(-1));
    const [joined] = await ann.emit('join', { room });
    assert.equal(joined.room, room);
    await json.next('userJoined', { match: ({ data }) => JSON.stringify(data).includes(`ann-${tag}`) });

    const text = { text: 'ä"\\ \u2028€😀', deep: [[{}], null, true, 1.5] };
    const content = { ...text, file: bytes };
    const [sent] = await ann.emit('private_message', { receiverId: `bob-${tag}`, content });
    assert.equal(sent.delivered, true);
    assert.deepEqual((await next(bob, 'new_private_message')).content, content);
    await emit(bob, 'private_message', { receiverId: `ann-${tag}`, content: { ...text, back } });
    const [got] = await ann.event('new_private_message');
    assert.deepEqual([got.senderId, got.content], [`bob-${tag}`, { ...text, back }]);

    const said = Array.from({ length: 50 }, (_, i) => (i % 5 || threads ? i : Buffer.from([i])));
    for (const message of said) ann.send('sendMessage', { room, message });
    const own = [];
    for (const message of said) {
      assert.deepEqual((await next(bob, 'chatMessage')).message, message);
      const { data } = await json.next('chatMessage');
      if (data.bin) assert.deepEqual(data.bin, [message.toString('base64')]);
      else assert.equal(data.message, message);
      own.push((await ann.event('chatMessage'))[0].message);
    }
    if (threads) own.sort((a, b) => a - b);
    assert.deepEqual(own, said);
    // More than a poll of it may have.
    for (let i = 0; i < 200; i++) bob.emit('sendMessage', { room, message: i });
    const heard = [];
    while (heard.length < 200) heard.push((await ann.event('chatMessage'))[0].message);
    if (threads) heard.sort((a, b) => a - b);
    assert.deepEqual(heard, Array.from({ length: 200 }, (_, i) => i));
    const [wrong] = await ann.emit('private_message', { receiverId: '' });
    assert.equal(wrong.error.code, 'bad_field');
    ann.send('no_such_event', {});
    assert.equal((await ann.event('error'))[0].code, 'unknown_event');

    assert.equal(await ann.end(), 0);
    await json.next('user_offline', ofUser(`ann-${tag}`));
    bob.end();
    await json.close();
  });

  test(`${way}: its node is killed, it comes back by another`, async () => {
    const going = await startNode({ redis });
    const door = await startDoor(going);
    const json = await login(nodes[1], `stays-${tag}`);
    const where = { url: `http://127.0.0.1:${door.port}` };
    const ann = await entered(where, `roams-${tag}`, { kind, transports });
    door.to(nodes[0]);
    await going.kill();
    await ann.next('disconnected');
    const again = await ann.next('connected');
    assert.equal(again.transport, transports.at(-1));
    const [ack] = await ann.emit('login', { userId: `roams-${tag}` });
    assert.equal(ack.node, nodes[0].id);
    await json.emit('private_message', { receiverId: `roams-${tag}`, content: 'welcome back' });
    assert.equal((await ann.event('new_private_message'))[0].content, 'welcome back');
    assert.equal(await ann.end(), 0);
    await json.close();
    await door.close();
  });

  test(`${way}: namespaces, acks that the server asks for`, async () => {
    const main = await python(nodes[0], { kind, transports, namespaces: ['/', '/shop'] });
    const shop = main.on('/shop');
    for (const [s, userId] of [[main, `m-${tag}`], [shop, `s-${tag}`]]) {
      assert.equal((await s.emit('login', { userId }))[0].userId, userId);
    }
    await main.emit('private_message', { receiverId: `s-${tag}`, content: back });
    assert.deepEqual((await shop.event('new_private_message'))[0].content, back);
    assert.equal(await main.end(), 0);

    const s = await python(echo, { kind, transports, namespaces: ['/custom'], auth: { token: 'ä' } });
    const custom = s.on('/custom');
    assert.deepEqual(await custom.event('auth'), [{ token: 'ä' }]);
    const args = [1, back, { a: [back] }];
    assert.deepEqual(await custom.emit('message-with-ack', ...args), args);
    custom.send('message-to-ack', 'x', back);
    assert.deepEqual(await custom.event('message-acked'), ['yes', 'x', back]);
    assert.equal(await s.end(), 0);

    const namespaces = ['/', '/none'];
    const refused = await python(echo, { kind, transports, namespaces, wait: ['/'] });
    assert.deepEqual((await refused.next('refused')).args, [{ message: 'Invalid namespace' }]);
    refused.terminate();
  });
}
