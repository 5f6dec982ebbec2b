// What two nodes pass on between partitions: private messages with their counts and marks, presence,
// rosters, topics. Names are so many that each pair of masters occurs.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { inRoom, login, startNode, test, until } from '../lib/harness.mjs';
import { startCluster } from '../lib/cluster.mjs';
import { chatTexts, ofUser, range } from '../lib/frames.mjs';
import { count } from '../lib/registry.mjs';

const it = await startCluster({ replicas: 0 });
const nodes = [await startNode({ redis: it.url }), await startNode({ redis: it.url })];
after(async () => {
  for (const node of nodes) await node.stop();
  await it.stop();
});

const USERS = range(1, 12).map((i) => `u${i}`);
const pairs = USERS.flatMap((a) => USERS.filter((b) => b !== a).map((b) => [a, b]));
const everybody = async () => {
  const all = {};
  for (const [i, user] of USERS.entries()) all[user] = await login(nodes[i % 2], user);
  return all;
};
// How many messages of this user the client has not read. Both are in the room.
async function unread(client, user) {
  const all = await client.emit('all_member', { room: 'counts' });
  return all.find(({ id }) => id === user).message_count;
}
const closeAll = (all) => Promise.all(Object.values(all).map((client) => client.close()));

test('private messages, each once and in order, with one repeat of each', async () => {
  const all = await everybody();
  await Promise.all(
    pairs.map(async ([a, b]) => {
      for (const n of [1, 2]) {
        const data = { receiverId: b, content: `${a} to ${b}, ${n}`, clientMessageId: `${a}-${b}-${n}` };
        const first = await all[a].emit('private_message', data);
        const again = await all[a].emit('private_message', data);
        assert.deepEqual([again.seq, again.timestamp], [first.seq, first.timestamp]);
      }
    }),
  );
  for (const [user, client] of Object.entries(all)) {
    const mine = () => client.frames.filter(({ event }) => event === 'new_private_message');
    const others = USERS.filter((one) => one !== user);
    const wanted = others.flatMap((a) => [1, 2].map((n) => `${a} to ${user}, ${n}`)).sort();
    const received = () => mine().filter(({ data }) => data.senderId !== user);
    await until(() => received().length >= wanted.length, { what: `${user} has all` });
    await client.none('nothing');
    assert.deepEqual(received().map(({ data }) => data.content).sort(), wanted);
    for (const a of others) {
      const from = received().filter(({ data }) => data.senderId === a).map(({ data }) => data.content);
      assert.deepEqual(from, [1, 2].map((n) => `${a} to ${user}, ${n}`));
    }
    const positions = mine().map(({ seq }) => seq);
    assert.deepEqual(positions, [...positions].sort((x, y) => x - y));
  }
  await closeAll(all);
});

test('what came while one was away, how much of it is unread, and the mark that ends that', async () => {
  const [ann, bob] = await inRoom(nodes, 'counts', 'u1', 'u2');
  for (const [i, reader] of range(1, 12).map((n) => `away-${n}`).entries()) {
    const [writer, client] = i % 2 ? ['u1', ann] : ['u2', bob];
    for (const content of ['1', '2', '3']) {
      await client.emit('private_message', { receiverId: reader, content });
    }
    const again = await login(nodes[0], reader);
    await again.emit('join', { room: 'counts' });
    const { messages } = await again.emit('history', { peer: writer });
    assert.deepEqual(messages.map(({ content }) => content), ['1', '2', '3']);
    assert.equal(await unread(again, writer), 3);
    const last = messages.at(-1).seq;
    await again.emit('read', { peer: writer, seq: last });
    const told = await client.next('message_read', { match: ({ data }) => data.userId === reader });
    assert.equal(told.data.seq, last);
    assert.equal(await unread(again, writer), 0);
    await again.close();
  }
  await Promise.all([ann.close(), bob.close()]);
});

test('rooms: messages, rosters, presence of users of all partitions', async () => {
  const watcher = await login(nodes[1], 'watcher');
  await watcher.emit('join', { room: 'hall' });
  const all = await everybody();
  const everyone = Object.values(all);
  for (const client of everyone) await client.emit('join', { room: 'hall' });
  for (const client of everyone) {
    await client.emit('sendMessage', { room: 'hall', message: client.user });
  }
  for (const client of [watcher, ...everyone]) {
    const heard = () => chatTexts(client);
    await until(() => heard().length >= USERS.length);
    assert.deepEqual(heard(), USERS);
  }
  const members = await watcher.emit('all_member', { room: 'hall' });
  assert.deepEqual(members.map(({ id }) => id).sort(), [...USERS, 'watcher'].sort());
  assert.ok(members.every(({ online }) => online));
  for (const client of everyone) client.terminate();
  for (const user of USERS) await watcher.next('user_offline', ofUser(user));
  const online = async () =>
    (await watcher.emit('all_member', { room: 'hall' })).filter((one) => one.online);
  await until(async () => (await online()).length === 1, { what: 'only the watcher is online' });
  const back = await everybody(); // they still belong to the room
  for (const user of USERS) await watcher.next('user_online', ofUser(user));
  await until(async () => (await online()).length === 1 + USERS.length);
  await closeAll(back);
  for (const user of USERS) await watcher.next('user_offline', ofUser(user));
  await watcher.close();
});

test('topics', async () => {
  const [ann, bob] = [await login(nodes[0], 'ann'), await login(nodes[1], 'bob')];
  const topics = range(1, 32).map((i) => `topic:t${i}`);
  for (const channel of topics) await bob.emit('subscribe', { channel });
  await Promise.all(topics.map((channel) => ann.emit('publish', { channel, data: channel })));
  for (const channel of topics) {
    const { data, seq } = await bob.next('message', { match: (frame) => frame.channel === channel });
    assert.deepEqual([data, seq], [channel, 1]);
  }
  await Promise.all([ann.close(), bob.close()]);
});

test('a node dies: its users are offline everywhere, each is told of once', async () => {
  const args = ['--lease-interval', '200ms', '--lease-timeout', '1s'];
  const third = await startNode({ redis: it.url, args });
  const watcher = await login(nodes[0], 'watcher');
  await watcher.emit('join', { room: 'hall' });
  for (const user of USERS) await (await login(third, user)).emit('join', { room: 'hall' });
  for (const user of USERS) await watcher.next('user_online', ofUser(user));
  await third.kill();
  for (const user of USERS) await watcher.next('user_offline', { timeout: 20000, ...ofUser(user) });
  for (const user of USERS) {
    assert.equal(await it.cli('EXISTS', it.key(`user:${user}`, 'conns')), '0', user);
    assert.equal(count(watcher, 'user_offline', user), 1);
  }
  await watcher.close();
});
