// user_online and user_offline: to those who share a room, on every node, once per socket.
import assert from 'node:assert/strict';
import { cluster, inRoom, login, test } from '../lib/harness.mjs';
import { count, fence } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 3 });

// Sockets of three people in `room`, on three nodes, ann's two among them.
const watchers = (room) =>
  inRoom(
    [nodes[0], nodes[1], nodes[1], nodes[2]],
    room,
    `ann-${room}`,
    `ann-${room}`,
    `bob-${room}`,
    `cat-${room}`,
  );

const event = (name, user) => ({ what: name, match: (frame) => frame.data === user });
const each = (clients, name, user) =>
  Promise.all(clients.map((client) => client.next(name, event(name, user))));

test('a member who comes and goes is announced once to each socket of the room', async () => {
  const all = await watchers('r1');
  const stranger = await login(nodes[0], 'stranger');
  await stranger.emit('join', { room: 'elsewhere' });
  const eve = await login(nodes[2], 'eve');
  await eve.emit('join', { room: 'r1' });

  await eve.close();
  await each(all, 'user_offline', 'eve');
  const again = await login(nodes[0], 'eve');
  await each(all, 'user_online', 'eve');
  await again.close();
  await each(all, 'user_offline', 'eve');

  await fence(redis, [...all, stranger]);
  for (const client of all) {
    assert.equal(count(client, 'user_online', 'eve'), 1);
    assert.equal(count(client, 'user_offline', 'eve'), 2);
  }
  for (const name of ['user_online', 'user_offline']) {
    assert.equal(count(stranger, name, 'eve'), 0, `${name} to one who shares no room`);
  }
});

test('two shared rooms make one announcement', async () => {
  const ann = await login(nodes[0], 'ann-two');
  const eve = await login(nodes[1], 'eve-two');
  for (const room of ['two-a', 'two-b', 'two-c']) {
    await ann.emit('join', { room });
    await eve.emit('join', { room });
  }
  await eve.close();
  await ann.next('user_offline', event('user_offline', 'eve-two'));
  await login(nodes[2], 'eve-two');
  await ann.next('user_online', event('user_online', 'eve-two'));
  await fence(redis, [ann]);
  assert.equal(count(ann, 'user_online', 'eve-two'), 1);
  assert.equal(count(ann, 'user_offline', 'eve-two'), 1);
});

test('the frame is {event, data} with the bare id', async () => {
  const ann = await login(nodes[0], 'ann-bare');
  await ann.emit('join', { room: 'bare' });
  const eve = await login(nodes[1], 4711);
  await eve.emit('join', { room: 'bare' });
  await eve.close();
  const offline = await ann.next('user_offline');
  assert.equal(offline.text, '{"event":"user_offline","data":"4711"}');
  await login(nodes[1], 4711);
  const online = await ann.next('user_online');
  assert.equal(online.text, '{"event":"user_online","data":"4711"}');
});

test('one who logs in with csId for the first time is announced to that room', async () => {
  const ann = await login(nodes[0], 'ann-cs', { csId: 'new' });
  const eve = await login(nodes[1], 'eve-cs', { csId: 'new' });
  await ann.next('user_online', event('user_online', 'eve-cs'));
  await fence(redis, [ann, eve]);
  assert.equal(count(ann, 'user_online', 'eve-cs'), 1);
});
