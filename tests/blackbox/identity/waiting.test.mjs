// A login whose token is signed with a key that the node has to fetch first: it is held, and so is
// what comes after it.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { login, sleep, startRedis, test } from '../lib/harness.mjs';
import { DOORS, knock } from '../lib/doors.mjs';
import { front, emit, once } from '../lib/socketio.mjs';
import { token } from '../lib/token.mjs';
import { signed, withoutKeys } from '../lib/withheld-keys.mjs';

const redis = await startRedis();
after(() => redis.stop());

for (const door of DOORS) {
  test(`${door}: what comes after the login waits for it, in order`, async (t) => {
    const { node, open } = await withoutKeys(t, redis);
    const ann = await knock(node, door);
    const order = [];
    const note = (name) => (value) => (order.push(name), value);
    const all = [
      ann.emit('login', { token: signed(`ann-${door}`), csId: 'c', username: 'Änn', resume: {} }).then(note('login')),
      ann.emit('join', { room: 'r' }).then(note('join')),
      ann.emit('sendMessage', 'one').then(note('one')),
      ann.emit('sendMessage', { room: 'room-c', message: 'two' }).then(note('two')),
    ];
    // Others are not held up, and a token that needs no key of that set is checked at once.
    const bob = await login(node, undefined, { token: token('bob') });
    await bob.emit('join', { room: 'r' });
    assert.deepEqual(order, []);
    open();
    const [ack, , one] = await Promise.all(all);
    assert.deepEqual(order, ['login', 'join', 'one', 'two']);
    assert.equal(ack.userId, `ann-${door}`);
    assert.deepEqual(Object.keys(ack.resume).sort(), ['room:room-c', `user:ann-${door}`]);
    assert.equal((await bob.next('chatMessage')).data.seq, one.seq);
    ann.end();
    await bob.close();
  });

  test(`${door}: a client that goes while its token is checked`, async (t) => {
    const { node, open } = await withoutKeys(t, redis);
    const ann = await knock(node, door);
    ann.send('login', { token: signed('gone') });
    ann.send('sendMessage', 'x');
    await sleep(200);
    ann.end();
    await sleep(100);
    open();
    const later = await knock(node, door);
    await later.emit('login', { token: signed('later') });
    assert.equal(await redis.cli('EXISTS', 'sluice:{user:gone}:conns'), '0');
    later.end();
  });
}

test('events that came before the login wait for it longer than they would without', async (t) => {
  const { node, open } = await withoutKeys(t, redis);
  const ann = await front(node);
  const early = emit(ann, 'join', { room: 'early' });
  const logged = emit(ann, 'login', { token: signed('patient') });
  await sleep(3000); // early events wait 2 s
  open();
  assert.equal((await logged).userId, 'patient');
  assert.equal((await early).room, 'early');
  ann.end();
});

test('a CONNECT waits, too, and so does a recovery', async (t) => {
  const { node, open } = await withoutKeys(t, redis);
  const ann = await front(node, { auth: { token: signed('connects'), room: 'r' }, wait: false });
  const back = await front(node, { auth: { token: signed('back'), pid: 'x'.repeat(40) }, wait: false, transports: ['websocket'] });
  const gone = await front(node, { auth: { token: signed('goes'), pid: 'x'.repeat(40) }, wait: false, transports: ['websocket'] });
  await once(gone.io.engine, 'open');
  await sleep(300);
  gone.end();
  const here = [once(ann, 'connect'), once(back, 'connect')];
  open();
  await Promise.all(here);
  assert.equal((await emit(ann, 'login', {})).userId, 'connects');
  assert.equal((await emit(back, 'login', {})).userId, 'back');
  for (const socket of [ann, back]) socket.end();
});
