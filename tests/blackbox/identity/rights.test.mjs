// Every event that needs a right, with it and without it, and with identity off, at every door. The
// events are those of the table in common/event.h: one that has no case here fails the test.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { after } from 'node:test';
import { cluster, ROOT, test } from '../lib/harness.mjs';
import { DOORS, enter, knock, refusal } from '../lib/doors.mjs';
import { allowed, IDENTITY } from '../lib/token.mjs';

const { redis, nodes, stop } = await cluster({ nodes: 2, args: IDENTITY });
const off = await cluster({ nodes: 1, args: [] });
after(async () => {
  await off.stop();
  await stop();
});

const ALL = { rooms: ['*'], private: ['*'], subscribe: ['*'], publish: ['*'], channels: ['*:rw'] };
const NONE = { rooms: [], private: [], subscribe: [], publish: [], channels: [] };

// event, right, the field that is refused (or the channel of `resume` that is lost), the name that
// the right is for, the data. `enters`: the event is a login of its own.
const CASES = [
  { event: 'login', right: 'rooms', field: 'csId', name: 'room-cs', data: { csId: 'cs' }, enters: true },
  { event: 'login', right: 'rooms', field: 'room', name: 'r', data: { room: 'r' }, enters: true },
  { event: 'login', right: 'rooms', lost: 'room:r', name: 'r', enters: true },
  { event: 'login', right: 'subscribe', lost: 'topic:t', name: 't', enters: true },
  { event: 'join', right: 'rooms', field: 'room', name: 'r', data: { room: 'r' }, enters: true },
  { event: 'join', right: 'rooms', field: 'room', name: 'lobby', data: {}, enters: true },
  { event: 'join', right: 'rooms', field: 'room', name: 'r', data: { room: 'r' } },
  { event: 'sendMessage', right: 'rooms', field: 'room', name: 'r', data: { room: 'r', message: 1 } },
  { event: 'sendMessage', right: 'rooms', field: 'room', name: 'lobby', data: 'short' },
  { event: 'typing', right: 'rooms', field: 'room', name: 'r', data: { room: 'r' } },
  { event: 'typing', right: 'rooms', field: 'room', name: 'lobby', data: {} },
  { event: 'typing', right: 'private', field: 'receiverId', name: 'bob', data: { receiverId: 'bob' } },
  { event: 'read', right: 'rooms', field: 'room', name: 'r', data: { room: 'r', seq: 1 } },
  { event: 'read', right: 'rooms', field: 'room', name: 'lobby', data: { seq: 1 } },
  { event: 'read', right: 'private', field: 'peer', name: 'bob', data: { peer: 'bob', seq: 1 } },
  { event: 'history', right: 'rooms', field: 'room', name: 'r', data: { room: 'r' } },
  { event: 'history', right: 'rooms', field: 'room', name: 'lobby', data: {} },
  { event: 'history', right: 'private', field: 'peer', name: 'bob', data: { peer: 'bob' } },
  { event: 'all_member', right: 'rooms', field: 'room', name: 'r', data: { room: 'r' } },
  { event: 'all_member', right: 'rooms', field: 'room', name: 'lobby', data: {} },
  { event: 'private_message', right: 'private', field: 'receiverId', name: 'bob', data: { receiverId: 'bob', content: 1 } },
  { event: 'subscribe', right: 'subscribe', field: 'channel', name: 't', data: { channel: 'topic:t' } },
  { event: 'publish', right: 'publish', field: 'channel', name: 't', data: { channel: 'topic:t', data: 1 } },
];

// A message in pieces needs what the event needs that it carries.
const inPieces = (event, data) => ({
  ...CASES.find((one) => one.event === event && (one.field !== 'room' || one.name === 'r')),
  carrier: 'message_chunk',
  data: { id: 'c1', index: 0, total: 1, data: 'text', event, ...data },
});
CASES.push(
  inPieces('sendMessage', { room: 'r' }),
  inPieces('private_message', { receiverId: 'bob' }),
  inPieces('publish', { channel: 'topic:t' }),
);

// Rows of EVENT_TABLE: name → the rights that it may need.
function table() {
  const text = fs.readFileSync(path.join(ROOT, 'common/event.h'), 'utf8').replaceAll('\\\n', ' ');
  const rows = [...text.matchAll(/X\(EVENT_\w+,\s*"(\w+)",\s*\w+,\s*([^,]+),\s*([^,]+),/g)];
  return new Map(
    rows.map(([, event, , rights]) => [event, [...rights.matchAll(/NEEDS\((\w+)\)/g)].map((m) => m[1].toLowerCase())]),
  );
}

test('every row of the table of events has its cases', () => {
  const rows = table();
  assert.ok(rows.size >= 15, `${rows.size} rows`);
  for (const [event, rights] of rows) {
    const tried = new Set(CASES.filter((one) => one.event === event).map((one) => one.right));
    assert.deepEqual([...tried].sort(), [...rights].sort(), event);
  }
});

const told = ({ event, carrier, right, field, lost, name, enters }) =>
  `${carrier ? `${carrier} of ` : ''}${event}${enters ? ' (as a login)' : ''}: ${right} ${name}, ${field ?? lost}`;

let users = 0;

// A user who is a member of every room that the cases name.
async function member() {
  const user = `user${++users}`;
  const ann = await enter(nodes[users % 2], 'ws', allowed(user, ALL));
  for (const room of ['r', 'lobby', 'room-cs']) await ann.emit('join', { room });
  ann.end();
  return user;
}

async function tryOut(node, door, one, user, token) {
  const who = token ? { token } : { [one.event === 'join' ? 'id' : 'userId']: user };
  const event = one.carrier ?? one.event;
  const client = await knock(node, door);
  if (!one.enters) await client.emit('login', token ? { token } : { userId: user });
  const resume = one.lost && { resume: { [one.lost]: { epoch: 'x', seq: 0 } } };
  const data = one.enters ? { ...who, ...one.data, ...resume } : one.data;
  const result = await refusal(client.emit(event, data));
  return { client, result };
}

for (const door of DOORS) {
  for (const one of CASES) {
    test(`${door}, ${told(one)}`, async () => {
      const user = await member();
      const node = nodes[users % 2];
      const without = await tryOut(node, door, one, user, allowed(user, { ...ALL, [one.right]: ['other'] }));
      if (one.lost) {
        assert.deepEqual(without.result.value.lost, [one.lost]);
        assert.equal(without.result.value.recovered, false);
        assert.deepEqual(Object.keys(without.result.value.resume), [`user:${user}`]);
      } else {
        assert.deepEqual([without.result.code, without.result.field], ['forbidden', one.field]);
      }
      if (one.enters && one.field) {
        await assert.rejects(without.client.emit('leave', { room: 'x' }), { code: 'not_logged_in' }, 'nobody is logged in');
      }
      without.client.end();

      const rights = { ...NONE, [one.right]: [one.name] };
      const right = await tryOut(node, door, one, user, allowed(user, rights));
      assert.equal(right.result.code, 'ok', JSON.stringify(right.result));
      if (one.lost) assert.ok(one.lost in right.result.value.resume);
      right.client.end();

      const before = await knock(off.nodes[0], door);
      await before.emit('login', { userId: user });
      for (const room of ['r', 'lobby']) await before.emit('join', { room });
      before.end();
      const free = await tryOut(off.nodes[0], door, one, user);
      assert.equal(free.result.code, 'ok', JSON.stringify(free.result));
      free.client.end();
    });
  }
}

test('what needs no right: leave, unsubscribe, heartbeat', async () => {
  for (const door of DOORS) {
    const user = await member();
    const ann = await enter(nodes[0], door, allowed(user, NONE));
    assert.deepEqual(await ann.emit('leave', { room: 'r' }), {});
    assert.equal(await redis.cli('SISMEMBER', `sluice:{user:${user}}:rooms`, 'r'), '0');
    assert.deepEqual(await ann.emit('unsubscribe', { channel: 'topic:t' }), {});
    assert.deepEqual(await ann.emit('heartbeat'), {});
    ann.end();
  }
});

test('what is forbidden is refused alike, whether it is there or not, and whoever is in it', async () => {
  const user = await member();
  const bob = await enter(nodes[1], 'ws', allowed('bob', ALL));
  await bob.emit('join', { room: 'is-there' });
  await bob.emit('subscribe', { channel: 'topic:is-there' });
  const ann = await enter(nodes[0], 'ws', allowed(user, NONE));
  const all = [
    ['join', (x) => ({ room: x })],
    ['sendMessage', (x) => ({ room: x, message: 1 })],
    ['history', (x) => ({ room: x })],
    ['history', (x) => ({ peer: x })],
    ['all_member', (x) => ({ room: x })],
    ['typing', (x) => ({ receiverId: x })],
    ['private_message', (x) => ({ receiverId: x, content: 1 })],
    ['subscribe', (x) => ({ channel: `topic:${x}` })],
    ['publish', (x) => ({ channel: `topic:${x}`, data: 1 })],
  ];
  for (const [event, data] of all) {
    const [there, not] = [await refusal(ann.emit(event, data('is-there'))), await refusal(ann.emit(event, data('is-not')))];
    assert.equal(there.code, 'forbidden', event);
    assert.deepEqual(there, not, event);
  }
  assert.equal(await redis.cli('EXISTS', 'sluice:{room:is-not}:meta', 'sluice:{topic:is-not}:meta'), '0');
  for (const client of [ann, bob]) client.end();
});

test('patterns: a beginning with *, and $me', async () => {
  const ann = await enter(nodes[0], 'ws', allowed('ann', { rooms: ['shop-*', 'of-$me'], private: ['$me'] }));
  for (const room of ['shop-', 'shop-1', 'of-ann']) await ann.emit('join', { room });
  for (const room of ['shop', 'of-bob', 'of-ann2', '*', 'shop-*x'.slice(1)]) {
    await assert.rejects(ann.emit('join', { room }), { code: 'forbidden', field: 'room' }, room);
  }
  await ann.emit('private_message', { receiverId: 'ann', content: 1 });
  await assert.rejects(ann.emit('private_message', { receiverId: 'bob', content: 1 }), { code: 'forbidden' });
  ann.end();
});

test('by default a client publishes to no topic, and does the rest', async () => {
  const ann = await enter(nodes[0], 'ws', allowed('ann2', undefined));
  await ann.emit('join', { room: 'any' });
  await ann.emit('private_message', { receiverId: 'bob', content: 1 });
  await ann.emit('subscribe', { channel: 'topic:any' });
  await assert.rejects(ann.emit('publish', { channel: 'topic:any', data: 1 }), { code: 'forbidden', field: 'channel' });
  ann.end();
});
