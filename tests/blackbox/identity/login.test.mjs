// Whom `login` and `join` log in, by what token.
import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { after } from 'node:test';
import { cluster, test } from '../lib/harness.mjs';
import { DOORS, enter, knock, refusal } from '../lib/doors.mjs';
import { allowed, forged, IDENTITY, SECRET, seconds, token } from '../lib/token.mjs';

const { redis, nodes, stop } = await cluster({ nodes: 2, args: IDENTITY });
after(stop);

const profile = async (user) => {
  const lines = (await redis.cli('HMGET', `sluice:{user:${user}}:profile`, 'username', 'role')).split('\n');
  return { username: lines[0], role: lines[1] };
};

for (const door of DOORS) {
  test(`${door}: a token logs in, and its sub is the user`, async () => {
    for (const [i, event] of ['login', 'join'].entries()) {
      const user = `${event}-${door}`;
      const ann = await knock(nodes[i], door);
      await ann.emit(event, { token: token(user) });
      const bob = await enter(nodes[1 - i], door, token(`to-${user}`));
      await bob.emit('private_message', { receiverId: user, content: 'hi' });
      assert.equal((await ann.next('new_private_message')).content, 'hi');
      for (const client of [ann, bob]) client.end();
    }
    const number = await enter(nodes[0], door, token(42));
    assert.equal(number.ack.userId, '42');
    number.end();
  });

  test(`${door}: the id may be given, if it is the token's; another one is forbidden`, async () => {
    for (const [event, field] of [['login', 'userId'], ['join', 'id']]) {
      const ann = await knock(nodes[0], door);
      const other = await refusal(ann.emit(event, { token: token('ann'), [field]: 'bob' }));
      assert.deepEqual([other.code, other.field], ['forbidden', field]);
      await assert.rejects(ann.emit('unsubscribe', { channel: 'topic:t' }), { code: 'not_logged_in' });
      await ann.emit(event, { token: token('bob'), [field]: 'bob' }); // whoever was refused is nobody yet
      const later = await refusal(ann.emit(event, { [field]: 'ann' }));
      assert.deepEqual([later.code, later.field], ['forbidden', field]);
      await ann.emit(event, { [field]: 'bob' });
      ann.end();
    }
  });

  test(`${door}: without a valid token nobody is logged in`, async () => {
    const other = crypto.randomBytes(32).toString('hex');
    const wrong = {
      none: undefined,
      null: null,
      empty: '',
      number: 5,
      object: { token: token('ann') },
      nonsense: 'a.b.c',
      unsigned: token('ann', {}, { header: { alg: 'none' } }).replace(/[^.]*$/, ''),
      'signed by another': token('ann', {}, { secret: other }),
      changed: forged('ann'),
      expired: token('ann', { exp: seconds() - 60 }),
      early: token('ann', { nbf: seconds() + 600 }),
      endless: token('ann', { exp: undefined }),
      nameless: token(undefined),
      'no id': token('a b'),
      'malformed claim': token('ann', { sluice: { rooms: 'all' } }),
    };
    const ann = await knock(nodes[1], door);
    for (const [event, field] of [['login', 'userId'], ['join', 'id']]) {
      for (const [what, bad] of Object.entries(wrong)) {
        const { code, field: told, message } = await refusal(ann.emit(event, { [field]: 'ann', token: bad }));
        assert.deepEqual([code, told], ['unauthorized', 'token'], `${event}, ${what}`);
        assert.ok(message.length > 5 && !/^token /.test(message), `${event}, ${what}: ${message}`);
      }
    }
    const { message } = await refusal(ann.emit('login', { token: wrong.expired }));
    assert.match(message, /exp/);
    await assert.rejects(ann.emit('unsubscribe', { channel: 'topic:t' }), { code: 'not_logged_in' });
    assert.equal(await redis.cli('EXISTS', 'sluice:{user:ann}:conns'), '0');
    ann.end();
  });
}

test('username and role are those of the token; only a username that it lacks is the client\'s', async () => {
  const named = await enter(nodes[0], 'ws', token('p1', { username: 'Ann', role: 'agent' }), { username: 'X', role: 'admin' });
  assert.deepEqual(await profile('p1'), { username: 'Ann', role: 'agent' });
  const bare = await enter(nodes[0], 'ws', token('p2'), { username: 'Bob', role: 'admin' });
  assert.deepEqual(await profile('p2'), { username: 'Bob', role: 'user' });
  const joined = await knock(nodes[1], 'ws');
  await joined.emit('join', { token: token('p3', { role: 'agent' }), role: 'admin' });
  assert.deepEqual(await profile('p3'), { username: 'p3', role: 'agent' });
  for (const client of [named, bare, joined]) client.end();
});

test('a second login with a token acts as refresh, and enters rooms as ever', async () => {
  const ann = await enter(nodes[0], 'ws', allowed('ann2', { rooms: ['a', 'b'] }));
  await ann.emit('join', { room: 'a' });
  const { code, field } = await refusal(ann.emit('login', { token: token('bob') }));
  assert.deepEqual([code, field], ['forbidden', 'token']);
  const ack = await ann.emit('login', { token: allowed('ann2', { rooms: ['b', 'room-c'] }), room: 'b', csId: 'c' });
  assert.equal(ack.userId, 'ann2');
  assert.deepEqual(Object.keys(ack.resume).sort(), ['room:b', 'room:room-c', 'user:ann2']);
  assert.deepEqual(await ann.next('revoked'), { channel: 'room:a' });
  await assert.rejects(ann.emit('sendMessage', { room: 'a', message: 1 }), { code: 'forbidden', field: 'room' });
  await ann.emit('sendMessage', 'in b');
  const forbidden = await refusal(ann.emit('login', { token: allowed('ann2', { rooms: ['b'] }), csId: 'd' }));
  assert.deepEqual([forbidden.code, forbidden.field], ['forbidden', 'csId']);
  await ann.emit('sendMessage', { room: 'room-c', message: 'a login that is refused changes nothing' });
  await ann.emit('join', { token: allowed('ann2', { rooms: ['e'] }), room: 'e' });
  await assert.rejects(ann.emit('sendMessage', { room: 'b', message: 1 }), { code: 'forbidden' });
  await assert.rejects(ann.emit('login', { token: forged('ann2') }), { code: 'unauthorized', field: 'token' });
  await ann.emit('sendMessage', 'still logged in');
  ann.end();
});

test('a revoked token logs nobody in, by whatever event', async () => {
  const [old, now] = [token('r1', { iat: seconds() - 60 }), token('r1', { iat: seconds() + 5 })];
  const live = await enter(nodes[0], 'ws', now);
  await redis.cli('SET', 'sluice:{user:r1}:revoked', Math.floor(seconds()));
  for (const door of DOORS) {
    const ann = await knock(nodes[1], door);
    for (const event of ['login', 'join']) {
      for (const bad of [old, token('r1', { iat: undefined })]) {
        const { code, field, message } = await refusal(ann.emit(event, { token: bad }));
        assert.deepEqual([code, field, message], ['unauthorized', 'token', 'revoked'], `${door}, ${event}`);
      }
    }
    await assert.rejects(ann.emit('unsubscribe', { channel: 'topic:t' }), { code: 'not_logged_in' });
    await ann.emit('login', { token: door === 'ws' ? token('r2') : now }); // it is nobody yet
    ann.end();
  }
  for (const event of ['refresh', 'login', 'join']) {
    const { code, field, message } = await refusal(live.emit(event, { token: old }));
    assert.deepEqual([code, field, message], ['unauthorized', 'token', 'revoked'], event);
  }
  await live.emit('refresh', { token: now });
  live.end();
});

test('a node that missed that a token was revoked finds out when its link is back', async () => {
  const before = await Promise.all(
    DOORS.map((door, i) => enter(nodes[i % 2], door, token('missed', { iat: seconds() - 60 }))),
  );
  const after = await enter(nodes[0], 'ws', token('missed', { iat: seconds() + 5 }));
  await redis.cli('SET', 'sluice:{user:missed}:revoked', Math.floor(seconds()));
  await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub');
  const [ws, ...sockets] = await Promise.all(before.map((client) => client.closed));
  assert.deepEqual(ws, { code: 4403, reason: 'revoked' });
  assert.deepEqual(sockets, ['io server disconnect', 'io server disconnect']);
  assert.equal((await after.emit('login', {})).userId, 'missed');
  after.end();
});

test('a message before a good token has at most 16 KiB', async () => {
  const ann = await knock(nodes[0], 'ws');
  ann.send('login', { token: forged('ann') });
  ann.send('sendMessage', 'x'.repeat(20000));
  assert.equal((await ann.closed).code, 1009);
  const bob = await knock(nodes[0], 'ws');
  bob.send('login', { token: token('bob2'), room: 'r' });
  const ack = await bob.emit('sendMessage', 'x'.repeat(20000));
  assert.ok(ack.seq > 0, 'after a good one it is taken at once');
  bob.end();
});

test('the log names refused tokens, and has none of them', async () => {
  const ann = await knock(nodes[0], 'ws');
  const bad = token('logged', {}, { secret: `${SECRET}!` });
  await refusal(ann.emit('login', { token: bad }));
  const good = token('logged');
  await ann.emit('login', { token: good });
  const log = nodes[0].log();
  assert.match(log, /level=info.* unauthorized|event=unauthorized|"unauthorized"/);
  for (const text of [bad, good]) {
    for (const part of text.split('.').slice(1)) assert.ok(!log.includes(part));
  }
  ann.end();
});

test('many refused tokens do not fill the log', async () => {
  const ann = await knock(nodes[1], 'ws');
  const lines = () => nodes[1].log().split('\n').filter((line) => /unauthorized/.test(line)).length;
  const before = lines();
  const begin = Date.now();
  for (let i = 0; i < 300; i++) await refusal(ann.emit('login', { token: 'x' }));
  const most = 10 * (2 + (Date.now() - begin) / 1000);
  assert.ok(lines() - before <= most, `${lines() - before} lines`);
  ann.end();
});
