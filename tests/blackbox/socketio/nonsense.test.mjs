// Arguments that make no sense: an error each, and the connection goes on.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, test } from '../lib/harness.mjs';
import { emit, enter, front, next, WAYS } from '../lib/socketio.mjs';

const { nodes, stop } = await cluster({ nodes: 2 });
after(stop);

const VALUES = [
  [],
  [null],
  [true],
  [0],
  [-1.5],
  ['text'],
  [[]],
  [[[[[]]], { a: 1 }]],
  [{}],
  [{ userId: null, receiverId: {}, room: [], seq: 'x', channel: 5, id: [] }],
  [{ userId: '', receiverId: 'a b', room: '{}', channel: 'room:x', index: -1, total: 0 }],
  [undefined, 1, 2],
];
const EVENTS = (
  'login join leave private_message sendMessage all_member history read typing heartbeat ' +
  'message_chunk subscribe unsubscribe publish no_such __proto__ error ping'
).split(' ');

const codes = new Set(
  ('bad_field missing_field unknown_event not_logged_in already_logged_in forbidden too_large ' +
    'not_a_member too_many').split(' '),
);

const depth = (n) => (n === 0 ? 1 : [depth(n - 1)]);

for (const transports of WAYS) {
  test(`${transports.join(' then ')}: every event with every nonsense`, async () => {
    const stranger = await front(nodes[0], { transports });
    const known = await enter(nodes[1], `known-${transports.join('')}`, {}, { transports });
    const ask = async (socket, event, values) => {
      socket.emit(event, ...values);
      const answer = await emit(socket, event, ...values).catch((error) => error);
      if (answer instanceof Error) {
        assert.ok(codes.has(answer.code), `${event} ${JSON.stringify(values)}: ${answer.stack}`);
      }
    };
    const all = [];
    for (const event of EVENTS) {
      for (const values of VALUES) {
        // They wait for its login, all together.
        if (event !== 'join' && event !== 'login') all.push(ask(stranger, event, values));
        await ask(known, event, values);
      }
    }
    await Promise.all(all);
    assert.deepEqual(await emit(known, 'heartbeat'), {});
    const said = stranger.got.filter(({ event }) => event === 'error');
    assert.ok(said.length > EVENTS.length, `${said.length} errors`);
    for (const { args } of said) assert.ok(codes.has(args[0].code), JSON.stringify(args));
    for (const socket of [stranger, known]) {
      assert.ok(socket.connected);
      socket.end();
    }
  });
}

test('a number for a name, deep values, no data at all', async () => {
  const ann = await enter(nodes[0], 'ann', {}, { transports: ['websocket'] });
  ann.io.engine.write('2[5,"x"]');
  assert.equal((await next(ann, 'error')).code, 'unknown_event');
  ann.emit('n'.repeat(1000));
  assert.equal((await next(ann, 'error')).code, 'unknown_event');
  await emit(ann, 'join', { room: 'deep' });
  await emit(ann, 'sendMessage', { message: depth(100) });
  assert.deepEqual((await next(ann, 'chatMessage')).message, depth(100));
  assert.ok(ann.connected);
  ann.end();
});

test('packets that break the protocol end the session, not the node', async () => {
  for (const packet of ['2{}', '2["connect"]', '9', '2[', '0{}', '51-["a"]', '2/none,["a"]']) {
    const ann = await front(nodes[0], { transports: ['websocket'] });
    const gone = new Promise((resolve) => ann.once('disconnect', resolve));
    ann.io.engine.write(packet);
    assert.match(await gone, /^transport/, packet);
    ann.end();
  }
  const bob = await enter(nodes[0], 'bob');
  bob.end();
});
