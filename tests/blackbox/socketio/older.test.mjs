// Clients of Socket.IO of versions 3 and 4.0, as front ends may still have them.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import socketio3 from 'socket.io-client-3';
import socketio40 from 'socket.io-client-40';
import { startConformance } from '../lib/conformance.mjs';
import { ofUser } from '../lib/frames.mjs';
import { cluster, login, startNode, test } from '../lib/harness.mjs';
import { startDoor } from '../lib/roaming.mjs';
import { beside, emit, enter, front, next, once, WAYS } from '../lib/socketio.mjs';

const { redis, nodes, stop } = await cluster({ nodes: 2, args: ['--socketio-namespaces', '/shop'] });
after(stop);
const echo = await startConformance();
after(() => echo.stop());

const bytes = Buffer.from([0, 1, 2, 253, 254, 255]);
const VERSIONS = [['3.1', socketio3.io], ['4.0', socketio40.io]];
const ALL = VERSIONS.flatMap(([version, io]) => WAYS.map((transports) => ({ version, io, transports })));

async function upgraded(s, transports) {
  if (s.io.engine.transport.name !== transports.at(-1)) await once(s.io.engine, 'upgrade');
  assert.equal(s.io.engine.transport.name, transports.at(-1));
}

for (const { version, io, transports } of ALL) {
  const way = `${version}, ${transports.join(' then ')}`;
  const tag = `${version}-${transports.join('-')}`;
  const options = { io, transports };

  test(`${way}: the chat, beside clients of today on the other node`, async () => {
    const room = `r-${tag}`;
    const json = await login(nodes[1], `json-${tag}`);
    const bob = await enter(nodes[1], `bob-${tag}`);
    const ann = await enter(nodes[0], `ann-${tag}`, {}, options);
    await upgraded(ann, transports);
    await json.emit('join', { room });
    for (const s of [ann, bob]) await emit(s, 'join', { room });

    const content = { text: 'ä"\\ \u2028€😀', deep: [[{}], null], file: bytes };
    const sent = await emit(ann, 'private_message', { receiverId: `bob-${tag}`, content });
    assert.equal(sent.delivered, true);
    assert.deepEqual((await next(bob, 'new_private_message')).content, content);
    await emit(bob, 'private_message', { receiverId: `ann-${tag}`, content });
    assert.deepEqual((await next(ann, 'new_private_message')).content, content);

    const said = Array.from({ length: 100 }, (_, i) => (i % 7 ? i : Buffer.from([i])));
    for (const message of said) ann.emit('sendMessage', { room, message });
    for (const message of said) {
      for (const s of [ann, bob]) assert.deepEqual((await next(s, 'chatMessage')).message, message);
      await json.next('chatMessage');
    }
    await assert.rejects(emit(ann, 'private_message', { receiverId: '' }), { code: 'bad_field' });
    ann.emit('no_such_event', {});
    assert.equal((await next(ann, 'error')).code, 'unknown_event');

    const shop = beside(ann, '/shop');
    await once(shop, 'connect');
    await emit(shop, 'login', { userId: `shop-${tag}` });
    await emit(bob, 'private_message', { receiverId: `shop-${tag}`, content: 'psst' });
    assert.equal((await next(shop, 'new_private_message')).content, 'psst');
    ann.end();
    await json.next('user_offline', ofUser(`ann-${tag}`));
    bob.end();
    await json.close();
  });

  test(`${way}: its node is killed, it comes back by another`, async () => {
    const going = await startNode({ redis });
    const door = await startDoor(going);
    const where = { url: `http://127.0.0.1:${door.port}` };
    const quick = { ...options, reconnection: true, reconnectionDelay: 50 };
    const ann = await enter(where, `roams-${tag}`, {}, quick);
    await upgraded(ann, transports);
    door.to(nodes[0]);
    const [gone, back] = [once(ann, 'disconnect'), once(ann, 'connect')];
    await going.kill();
    await gone;
    await back;
    assert.equal((await emit(ann, 'login', { userId: `roams-${tag}` })).node, nodes[0].id);
    ann.end();
    await door.close();
  });

  test(`${way}: auth, acks both ways, namespaces that are not there`, async () => {
    const s = await front(echo, { ...options, auth: { token: 'ä"1' } });
    assert.deepEqual(await next(s, 'auth'), { token: 'ä"1' });
    assert.deepEqual(await emit(s, 'message-with-ack', { a: [bytes] }), { a: [bytes] });
    s.once('message-to-ack', (value, ack) => ack(value));
    s.emit('message-to-ack', bytes);
    assert.deepEqual(await next(s, 'message-acked'), bytes);
    const none = s.io.socket('/none');
    assert.equal((await once(none, 'connect_error'))[0].message, 'Invalid namespace');
    const end = once(s, 'disconnect');
    s.emit('disconnect-me');
    assert.equal((await end)[0], 'io server disconnect');
    s.end();
  });
}
