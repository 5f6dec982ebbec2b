// subscribe-hook: a channel is entered at the client's word only when the back end lets it.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { startBackend } from '../lib/hooks.mjs';
import { cluster, connect, login, test } from '../lib/harness.mjs';
import { emit, enter, front, next, once } from '../lib/socketio.mjs';

const secret = 'a secret of at least thirty-two bytes';
const backend = await startBackend({ secret });
const args = [
  '--subscribe-hook', `room:vip-* ${backend.url}`,
  '--subscribe-hook', `room:room-vip* ${backend.url}`,
  '--subscribe-hook', `topic:vip-* ${backend.url}`,
  '--hook-secret', secret,
];
const { nodes, stop } = await cluster({ nodes: 2, args });
after(stop);

const no = { error: { code: 'not_a_vip', message: 'pay first', data: { price: 5 } } };
const answer = (said) => (backend.answer = (body) => ({
  channels: Object.fromEntries(body.channels.map((name) => [name, said[name] ?? {}])),
}));

test('join and subscribe: data in the ack, at the position from which delivery goes on', async () => {
  answer({ 'room:vip-a': { data: { seats: 3 } }, 'topic:vip-a': { data: [1] } });
  const [ann, bob] = [await login(nodes[0], 'ann'), await login(nodes[1], 'bob')];
  const joined = await ann.emit('join', { room: 'vip-a' });
  assert.deepEqual(joined.data, { seats: 3 });
  assert.equal(typeof joined.seq, 'number');
  const body = await backend.next('subscribe');
  assert.deepEqual([body.user, body.channels, body.door], ['ann', ['room:vip-a'], 'json']);
  const subscribed = await ann.emit('subscribe', { channel: 'topic:vip-a' });
  assert.deepEqual(subscribed.data, [1]);
  await bob.emit('publish', { channel: 'topic:vip-a', data: 'hi' });
  const frame = await ann.next('message');
  assert.deepEqual([frame.data, frame.seq], ['hi', subscribed.seq + 1]);
  const before = backend.calls.length;
  await ann.emit('join', { room: 'plain' });
  await ann.emit('join', { room: 'vip-a' }); // it is in already
  assert.equal(backend.calls.length, before);
  await ann.close();
  await bob.close();
});

test('what comes while the back end thinks is delivered after the ack', async () => {
  let go;
  const asked = new Promise((resolve) => {
    backend.answer = () => new Promise((reply) => { go = () => reply({}); resolve(); });
  });
  const [cat, dan] = [await login(nodes[0], 'cat'), await login(nodes[1], 'dan')];
  const subscribing = cat.emit('subscribe', { channel: 'topic:vip-b' });
  await asked;
  const { seq } = await dan.emit('publish', { channel: 'topic:vip-b', data: 'meanwhile' });
  go();
  const ack = await subscribing;
  assert.equal(ack.seq, seq - 1);
  assert.equal((await cat.next('message')).data, 'meanwhile');
  await cat.close();
  await dan.close();
});

test('a refusal: the words of the back end, and nothing is entered', async () => {
  answer({ 'room:vip-c': no, 'topic:vip-c': no, 'room:room-vip': no });
  const refused = { code: 'not_a_vip', message: 'pay first', data: { price: 5 } };
  const [eve, fay] = [await login(nodes[0], 'eve'), await login(nodes[1], 'fay')];
  await assert.rejects(eve.emit('join', { room: 'vip-c' }), refused);
  await assert.rejects(eve.emit('subscribe', { channel: 'topic:vip-c' }), refused);
  await assert.rejects(eve.emit('sendMessage', { room: 'vip-c', message: 'x' }), { code: 'not_a_member' });
  await fay.emit('publish', { channel: 'topic:vip-c', data: 'secret' });
  const gil = await connect(nodes[0]);
  await assert.rejects(gil.emit('login', { userId: 'gil', csId: 'vip' }), refused);
  await gil.emit('login', { userId: 'gil' });
  await eve.emit('join', { room: 'open' });
  assert.deepEqual(eve.frames.filter(({ event }) => event === 'message'), []);
  for (const client of [eve, fay, gil]) await client.close();
});

test('a resume: all channels in one call, and refused ones are lost', async () => {
  answer({});
  const hal = await login(nodes[0], 'hal');
  const resume = {};
  for (const channel of ['topic:vip-d', 'topic:vip-e']) {
    const { epoch, seq } = await hal.emit('subscribe', { channel });
    resume[channel] = { epoch, seq };
  }
  const { epoch, seq } = await hal.emit('join', { room: 'vip-d' });
  resume['room:vip-d'] = { epoch, seq };
  await hal.close();
  answer({ 'topic:vip-e': no, 'topic:vip-d': { data: 'welcome' } });
  const before = backend.of('subscribe').length;
  const again = await connect(nodes[1]);
  const ack = await again.emit('login', { userId: 'hal', resume });
  assert.deepEqual(ack.lost, ['topic:vip-e']);
  assert.equal(ack.recovered, false);
  assert.deepEqual(ack.channels, { 'topic:vip-d': { data: 'welcome' } });
  assert.ok(!('topic:vip-e' in ack.resume));
  assert.ok('room:vip-d' in ack.resume);
  const asked = backend.of('subscribe').slice(before);
  assert.equal(asked.length, 1);
  assert.deepEqual(asked[0].channels.toSorted(), ['room:vip-d', 'topic:vip-d', 'topic:vip-e']);
  await again.close();
});

test('a recovery of Socket.IO asks again', async () => {
  answer({});
  const ida = await front(nodes[0], { transports: ['websocket'], auth: { userId: 'ida' }, reconnection: true,
    reconnectionDelay: 50, reconnectionDelayMax: 50 });
  await emit(ida, 'subscribe', { channel: 'topic:vip-f' });
  await emit(ida, 'subscribe', { channel: 'topic:vip-g' });
  const jon = await login(nodes[1], 'jon');
  await jon.emit('publish', { channel: 'topic:vip-f', data: 1 });
  await next(ida, 'message');
  answer({ 'topic:vip-g': no });
  ida.io.engine.close();
  await once(ida, 'connect');
  assert.ok(ida.recovered);
  await jon.emit('publish', { channel: 'topic:vip-g', data: 2 });
  await jon.emit('publish', { channel: 'topic:vip-f', data: 3 });
  assert.equal(await next(ida, 'message'), 3);
  ida.disconnect();
  await jon.close();
});

test('a back end that is away refuses', async () => {
  backend.answer = () => 'cut';
  const kim = await enter(nodes[0], 'kim', {}, { auth: {} });
  const lea = await login(nodes[0], 'lea');
  await assert.rejects(lea.emit('join', { room: 'vip-h' }), { code: 'unavailable', outcome: 'unknown' });
  await assert.rejects(lea.emit('subscribe', { channel: 'topic:vip-h' }), { code: 'unavailable' });
  answer({});
  await lea.emit('join', { room: 'vip-h' });
  kim.disconnect();
  await lea.close();
});

test('a client that goes while the back end thinks', async () => {
  const asked = new Promise((resolve) => {
    backend.answer = () => new Promise(resolve);
  });
  const max = await login(nodes[0], 'max');
  max.send('join', { room: 'vip-i' });
  await asked;
  await max.close();
  const nia = await connect(nodes[0]);
  nia.send('login', { userId: 'nia', csId: 'vip' });
  await new Promise((resolve) => (backend.answer = () => new Promise(resolve)));
  await nia.close();
  answer({});
  const oli = await login(nodes[0], 'oli');
  await oli.emit('join', { room: 'vip-i' });
  await oli.close();
});
