// What the API reads: members of rooms, logs of channels, who is online.
import assert from 'node:assert/strict';
import { caller, isRefusal, keyOf, withKeys } from '../lib/api.mjs';
import { range } from '../lib/frames.mjs';
import { cluster, login, test, until } from '../lib/harness.mjs';

const { args, env } = withKeys({ eyes: 'read', desk: 'users,publish' });
const { redis, nodes } = await cluster({ nodes: 2, args, env });
const { call, good } = caller(nodes[1], { key: keyOf('eyes') });
const list = (ids) => ids.map((id) => id.id).sort();

test('all of it needs the right to read', async () => {
  const key = keyOf('desk');
  isRefusal(await call('GET', '/rooms/x/members', undefined, { key }), 403, 'forbidden');
  isRefusal(await call('GET', '/channels/room:x/history', undefined, { key }), 403, 'forbidden');
  isRefusal(await call('POST', '/users/online', { ids: [] }, { key }), 403, 'forbidden');
});

test('members of a room, a page at a time', async () => {
  const users = range(10, 21).map((i) => `m${i}`);
  const clients = await Promise.all(users.map((user) => login(nodes[0], user, { username: `The ${user}` })));
  for (const client of clients) await client.emit('join', { room: 'big room'.replace(' ', '-') });
  const members = (query = '') => good('GET', `/rooms/big-room/members${query}`);
  const all = await members();
  assert.deepEqual(list(all.members), users);
  assert.deepEqual([all.online, all.total, all.cursor], [12, 12, undefined]);
  const [one] = all.members.filter(({ id }) => id === 'm15');
  assert.deepEqual(one, { id: 'm15', role: 'user', username: 'The m15', online: true });

  const seen = [];
  let page = await members('?limit=5');
  for (let pages = 1; ; pages++) {
    assert.ok(page.members.length <= 5 && pages < 5);
    seen.push(...list(page.members));
    if (!page.cursor) break;
    page = await members(`?limit=5&cursor=${encodeURIComponent(page.cursor)}`);
  }
  assert.deepEqual(seen.sort(), users);

  clients[0].terminate();
  const gone = await until(async () => {
    const now = await members();
    return now.online === 11 && now;
  });
  assert.equal(gone.total, 12);
  assert.equal(gone.members.find(({ id }) => id === 'm10').online, false);
  assert.deepEqual(await good('GET', '/rooms/nowhere/members'), { online: 0, total: 0, members: [] });
  for (const limit of ['0', '251', 'x', '-1', '', '1.5', '99999999999999999999999999']) {
    isRefusal(await call('GET', `/rooms/big-room/members?limit=${limit}`), 400, 'bad_field', 'limit');
  }
  isRefusal(await call('GET', `/rooms/big-room/members?cursor=${'x'.repeat(160)}`), 400, 'bad_field', 'cursor');
});

test("a channel's log, a page at a time", async () => {
  const ann = await login(nodes[0], 'ann');
  await ann.emit('join', { room: 'lobby' });
  const acks = [];
  for (const i of range(1, 12)) acks.push(await ann.emit('sendMessage', { room: 'lobby', message: i }));
  const history = (query = '', channel = 'room:lobby') => good('GET', `/channels/${channel}/history${query}`);
  const texts = ({ messages }) => messages.map(({ data }) => data.message);
  const all = await history();
  assert.deepEqual(texts(all), range(1, 12));
  assert.deepEqual([all.more, all.next], [false, undefined]);
  const [first] = all.messages;
  const { epoch } = ann.positions['room:lobby'];
  const { seq, timestamp } = acks[0];
  assert.deepEqual(first, {
    ...{ seq, epoch, timestamp, event: 'chatMessage' },
    data: { room: 'lobby', userId: 'ann', message: 1, timestamp, seq },
  });

  const last = await history('?limit=5');
  assert.deepEqual([texts(last), last.more, last.next], [range(8, 12), true, 8]);
  const before = await history(`?limit=5&before=${last.next}`);
  assert.deepEqual([texts(before), before.more, before.next], [range(3, 7), true, 3]);
  const rest = await history(`?limit=5&before=${before.next}`);
  assert.deepEqual([texts(rest), rest.more], [[1, 2], false]);
  const after = await history('?limit=5&after=2');
  assert.deepEqual([texts(after), after.more, after.next], [range(3, 7), true, 7]);
  assert.deepEqual(texts(await history('?after=7')), range(8, 12));
  assert.deepEqual(texts(await history('?after=3&before=6')), [4, 5]);
  assert.deepEqual(await history('?after=12'), { messages: [], more: false });

  const nothing = { messages: [], more: false };
  for (const channel of ['room:unknown', 'topic:unknown', 'user:unknown', 'dm:a:b', 'dm:a:a']) {
    assert.deepEqual(await history('', channel), nothing);
  }
  for (const wrong of ['dm:b:a', 'dm:a', 'dm:a:b:c', 'all', 'socket:x', 'lobby', 'room:', 'room:a%20b', 'user:a:b']) {
    isRefusal(await call('GET', `/channels/${wrong}/history`), 400, 'bad_field', 'channel');
  }
  isRefusal(await call('GET', '/channels/room:lobby/history?before=-1'), 400, 'bad_field', 'before');
  isRefusal(await call('GET', '/channels/room:lobby/history?limit=101'), 400, 'bad_field', 'limit');
  assert.equal(await redis.cli('EXISTS', 'sluice:{room:unknown}:meta'), '0', 'to ask makes nothing');
});

test("a conversation's log, and an inbox", async () => {
  const bob = await login(nodes[0], 'bob');
  const { seq, timestamp } = await bob.emit('private_message', { receiverId: 'cat', content: { a: 1.0 } });
  const data = { senderId: 'bob', receiverId: 'cat', content: { a: 1 }, timestamp, seq };
  for (const channel of ['dm:bob:cat', 'user:cat', 'user:bob']) {
    const { messages } = await good('GET', `/channels/${channel}/history`);
    assert.deepEqual(messages.at(-1).data, data, channel);
  }
});

test('a page has 1 MiB at most, and one message in any case', async () => {
  const dot = await login(nodes[0], 'dot');
  await dot.emit('join', { room: 'long' });
  for (const i of range(1, 4)) await dot.emit('sendMessage', { room: 'long', message: 'x'.repeat(400000) + i });
  const page = await good('GET', '/channels/room:long/history');
  assert.deepEqual(page.messages.map(({ seq }) => seq), [3, 4]);
  assert.equal(page.more, true);
});

test('who of many is online', async () => {
  const eve = await login(nodes[0], 'eve');
  await login(nodes[1], '42');
  const online = async (ids) => (await good('POST', '/users/online', { ids })).online;
  assert.deepEqual(await online(['nobody', 'eve', 42, 'nil', '42']), ['eve', '42', '42']);
  assert.deepEqual(await online([]), []);
  const many = range(1, 1000).map((i) => (i % 300 === 0 ? 'eve' : `user-${i}`));
  assert.deepEqual(await online(many), ['eve', 'eve', 'eve']);
  for (const ids of [range(1, 1001), ['a b'], [1.5], [null], 'eve', { 0: 'eve' }]) {
    isRefusal(await call('POST', '/users/online', { ids }), 400, 'bad_field', 'ids');
  }
  isRefusal(await call('POST', '/users/online', {}), 400, 'missing_field', 'ids');
  eve.terminate();
  await until(async () => (await online(['eve'])).length === 0);
});

test('503 while Redis is away', async (t) => {
  await redis.kill();
  t.after(async () => {
    await redis.restart();
    for (const node of nodes) await node.untilReady();
  });
  await nodes[1].untilNotReady();
  isRefusal(await call('GET', '/rooms/lobby/members'), 503, 'unavailable');
  isRefusal(await call('GET', '/channels/room:lobby/history'), 503, 'unavailable');
  isRefusal(await call('POST', '/users/online', { ids: ['ann'] }), 503, 'unavailable');
  isRefusal(await call('GET', '/channels/nothing/history'), 400, 'bad_field', 'channel');
});
