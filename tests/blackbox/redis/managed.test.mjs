// A managed Redis: no CONFIG, no run_id, and every script declares its keys. A node is given nothing
// but the service's URL.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { chatTexts, ofUser, range, refused } from '../lib/frames.mjs';
import { login, only, startNode, startRedis, test, unmanaged, until } from '../lib/harness.mjs';
import { startManaged } from '../lib/managed.mjs';
import { nodeBehindProxy } from '../lib/proxy.mjs';
import { comeBack, comeBackUnknown, guest, QUICK, Scene } from '../lib/recovery.mjs';
import { ask } from '../lib/resp.mjs';

only('single', 'it has a service of its own');
unmanaged('it has a service of its own');
const DOOMED = 12; // users of the node that is killed
const TOKEN = 'a-token-of-the-test';
const redis = await startRedis();
const service = await startManaged(redis);
const start = () =>
  startNode({
    redis: service.url,
    args: ['--lease-interval', '200ms', '--lease-timeout', '2s', '--linger', '0'],
    env: { SLUICE_ADMIN_TOKEN: TOKEN },
  });
const nodes = [await start(), await start()];
after(() => assert.deepEqual(service.refused, [], 'nothing that a node sent was refused'));
const api = async (path) => {
  const headers = { authorization: `Bearer ${TOKEN}` };
  return (await nodes[0].get(`/api/v1/${path}`, { headers })).json();
};

test('the service refuses what managed services refuse', async () => {
  const other = await startManaged(redis);
  const send = async (...words) => (await ask(other, words))[0];
  const text = "return redis.call('GET', 'a')";
  assert.match((await send('EVAL', text, 1, 'b')).message, /undeclared key/);
  assert.match((await send('EVAL', "redis.pcall('DEL', 'b', 'a')", 1, 'b')).message, /undeclared/);
  assert.match((await send('EVAL', 'return 1', 0)).message, /without keys/);
  assert.match((await send('CONFIG', 'GET', '*')).message, /unknown command/);
  assert.match((await send('EVALSHA', '0'.repeat(40), 1, 'b')).message, /NOSCRIPT/);
  assert.equal(other.refused.length, 4);
  assert.equal(await send('EVAL', text, 1, 'a'), null);
  assert.doesNotMatch(await send('INFO'), /^(run_id|master_replid2?):/m);
  assert.match(await send('INFO'), /^role:master/m);
  const told = await send('EVAL', "return redis.call('INFO') .. redis.pcall('INFO', 'replication')", 1, 'a');
  assert.doesNotMatch(told, /^(run_id|master_replid2?):/m);
  assert.equal(told.match(/^role:master/gm).length, 2);
  other.close();
});

test('chat, history and a resume', async () => {
  const [ann, bob] = [await login(nodes[0], 'ann'), await login(nodes[1], 'bob')];
  for (const client of [ann, bob]) await client.emit('join', { room: 'tea' });
  await bob.emit('subscribe', { channel: 'topic:t' });
  const first = await ann.emit('sendMessage', { room: 'tea', message: 1, clientMessageId: 'm1' });
  const again = await ann.emit('sendMessage', { room: 'tea', message: 1, clientMessageId: 'm1' });
  assert.equal(again.seq, first.seq);
  await bob.next('chatMessage');
  await bob.terminate();
  for (const n of range(2, 40)) await ann.emit('sendMessage', { room: 'tea', message: n });
  await ann.emit('publish', { channel: 'topic:t', data: 'news' });
  const back = await login(nodes[0], 'bob', { resume: structuredClone(bob.positions) });
  assert.equal(back.ack.recovered, true);
  await back.next('message');
  await until(() => chatTexts(back).length === 39);
  assert.deepEqual(chatTexts(back), range(2, 40));
  const page = await ann.emit('history', { room: 'tea', limit: 3 });
  assert.deepEqual(page.messages.map(({ message }) => message), [38, 39, 40]);
});

test('private messages, unread counts and read marks', async () => {
  const [cat, dan] = [await login(nodes[0], 'cat'), await login(nodes[1], 'dan')];
  for (const client of [cat, dan]) await client.emit('join', { room: 'pair' });
  const unread = async () => {
    const all = await dan.emit('all_member', { room: 'pair' });
    return all.find(({ id }) => id === 'cat').message_count;
  };
  for (const n of [1, 2]) {
    const sent = { receiverId: 'dan', content: n, clientMessageId: `p${n}` };
    const { seq } = await cat.emit('private_message', sent);
    assert.equal((await cat.emit('private_message', sent)).seq, seq);
    assert.equal((await dan.next('new_private_message')).data.content, n);
  }
  assert.equal(await unread(), 2);
  await dan.emit('read', { peer: 'cat', seq: 2 });
  await cat.next('message_read');
  assert.equal(await unread(), 0);
  const page = await dan.emit('history', { peer: 'cat', limit: 10 });
  assert.equal(page.messages.length, 2);
});

test('presence, and a user in many rooms who comes, goes and leaves', async () => {
  const eve = await login(nodes[0], 'eve');
  const rooms = range(1, 70).map((n) => `many-${n}`);
  let fay = await login(nodes[1], 'fay');
  await Promise.all(rooms.map((room) => fay.emit('join', { room })));
  for (const room of [rooms[0], rooms[69]]) await eve.emit('join', { room });
  const online = (user) => redis.ask(...rooms.map((room) => ['ZSCORE', `sluice:{room:${room}}:here`, user]));
  fay.terminate();
  await eve.next('user_offline', ofUser('fay'));
  await until(async () => (await online('fay')).every((score) => score === null));
  fay = await login(nodes[0], 'fay');
  await eve.next('user_online', ofUser('fay'));
  await until(async () => (await online('fay')).every((score) => score !== null));
  await fay.emit('leave', { room: rooms[0] });
  await eve.next('userLeft');
  assert.equal((await eve.emit('all_member', { room: rooms[0] })).length, 1);
  await refused(fay.emit('sendMessage', { room: rooms[0], message: 'x' }), 'not_a_member');
});

test('the overview, a search and a revocation', async () => {
  const gil = await login(nodes[1], 'gil');
  await gil.emit('join', { room: 'a-room' });
  await until(async () => (await api('cluster')).rooms.some(({ room }) => room === 'a-room'));
  assert.equal((await api('cluster')).nodes.length, 2);
  assert.deepEqual((await api('online?search=gi')).users.map(({ id }) => id), ['gil']);
  assert.deepEqual((await api('users/gil')).rooms, ['a-room']);
});

test('a node that is killed is reaped', async () => {
  const doomed = await start();
  const hal = await login(nodes[0], 'hal');
  const users = [];
  for (const n of range(1, DOOMED)) users.push(await login(doomed, `doomed-${n}`, { room: 'grave' }));
  await hal.emit('join', { room: 'grave' });
  await doomed.kill();
  for (const n of range(1, DOOMED)) await hal.next('user_offline', ofUser(`doomed-${n}`));
  await until(async () => (await redis.cli('ZCARD', 'sluice:{room:grave}:here')) === '1');
  assert.equal(await redis.cli('ZCARD', 'sluice:{room:grave}:members'), String(DOOMED + 1));
});

// A new link begins a term, and Redis refuses to recover a session of another server. The nodes whose
// links stood say that it is the same one.
test('sessions go on when nodes come, and when the links of one fall', async (t) => {
  const ivy = await guest(t, nodes[0], 'ivy');
  const scene = await Scene.of(t, nodes[1], ivy);
  let newcomer;
  for (let i = 0; i < 3; i++) {
    newcomer = await start();
    await comeBack(ivy, newcomer, { meanwhile: () => scene.say(2) });
    await scene.check();
  }
  const comes = async () => {
    await scene.say(1);
    newcomer = await start();
    await scene.say(1);
    await start();
  };
  await comeBack(ivy, nodes[1], { meanwhile: comes });
  await scene.check();
  const { proxy, node } = await nodeBehindProxy(service, { args: QUICK });
  const falls = async () => {
    proxy.cut();
    await scene.say(1);
  };
  await comeBack(ivy, node, { meanwhile: falls });
  await scene.check();
  await comeBack(ivy, node, { meanwhile: falls });
  await scene.check();
});

test('when all links fall at once, nobody says so', async (t) => {
  const joe = await guest(t, nodes[0], 'joe');
  await comeBackUnknown(joe, nodes[1], {
    meanwhile: async () => {
      await redis.cli('CLIENT', 'KILL', 'TYPE', 'normal');
      for (const node of nodes) await node.untilReady();
    },
  });
});
