// A doorbell that never rang: the next one shows the hole, and the log fills it.
import assert from 'node:assert/strict';
import { chats } from '../lib/frames.mjs';
import { cluster, inRoom, test } from '../lib/harness.mjs';
import { hash } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

// Appends to a room's log as append.lua does, but rings nobody.
const SILENTLY = `
  local base, room = KEYS[1], ARGV[1]
  local epoch = redis.call('HGET', base .. ':meta', 'epoch')
  local seq = tonumber(redis.call('HGET', base .. ':meta', 'seq'))
  local time = redis.call('TIME')
  for i = 2, #ARGV do
    seq = seq + 1
    local frame = '{"channel":"room:' .. room .. '","epoch":"' .. epoch .. '","seq":' .. seq ..
      ',"time":' .. time[1] .. string.format('%06d', time[2]) .. ',"event":"chatMessage","data":' ..
      '{"room":"' .. room .. '","userId":"eve","message":"' .. ARGV[i] .. '","timestamp":1,"seq":' .. seq .. '}}'
    redis.call('XADD', base .. ':log', seq .. '-0', 'frame', frame)
  end
  redis.call('HSET', base .. ':meta', 'seq', seq)`;

function appendSilently(room, texts) {
  return redis.cli('EVAL', SILENTLY, 1, `sluice:{room:${room}}`, room, ...texts);
}

async function heard(room, hidden, more = []) {
  const [ann, bob] = await inRoom(nodes, room, `ann-${room}`, `bob-${room}`);
  await ann.emit('sendMessage', { room, message: 'first' });
  for (const client of [ann, bob]) await client.next('chatMessage');
  await appendSilently(room, hidden);
  const texts = ['next', ...more];
  await Promise.all(texts.map((message) => ann.emit('sendMessage', { room, message })));
  for (const client of [ann, bob]) {
    await client.next('chatMessage', { match: ({ data }) => data.message === texts.at(-1) });
    const got = chats(client);
    assert.deepEqual(
      got.map(({ data }) => data.message),
      ['first', ...hidden, ...texts],
    );
    await client.none('channel_reset');
  }
}

test('one is missing', () => heard('one', ['hidden']));

test('many are missing, over several pages of the log', () =>
  heard(
    'many',
    Array.from({ length: 250 }, (_, i) => `hidden ${i}`),
  ));

test('more arrive while the hole is filled', () =>
  heard(
    'more',
    ['hidden'],
    Array.from({ length: 100 }, (_, i) => `more ${i}`),
  ));

test('a hole that the log does not cover is announced, and what follows comes', async () => {
  const room = 'gone';
  const [ann, bob] = await inRoom(nodes, room, 'ann-gone', 'bob-gone');
  await ann.emit('sendMessage', { room, message: 'first' });
  for (const client of [ann, bob]) await client.next('chatMessage');
  await appendSilently(room, ['hidden 1', 'hidden 2', 'kept']);
  await redis.cli('XDEL', `sluice:{room:${room}}:log`, '2-0', '3-0');
  await ann.emit('sendMessage', { room, message: 'next' });
  for (const client of [ann, bob]) {
    const reset = await client.next('channel_reset');
    assert.deepEqual(reset.data, { channel: 'room:gone', from: 2, to: 3 });
    await client.next('chatMessage', { match: ({ data }) => data.message === 'next' });
    const got = chats(client);
    assert.deepEqual(
      got.map(({ data }) => data.message),
      ['first', 'kept', 'next'],
    );
  }
});

test('a room whose log and meta are deleted goes on in another epoch', async () => {
  const room = 'deleted';
  const [ann, bob] = await inRoom(nodes, room, 'ann-deleted', 'bob-deleted');
  for (let i = 1; i <= 3; i++) await ann.emit('sendMessage', { room, message: `old ${i}` });
  for (const client of [ann, bob])
    await client.next('chatMessage', { match: ({ seq }) => seq === 3 });
  const { epoch } = await hash(redis, 'sluice:{room:deleted}:meta');
  await redis.cli('DEL', 'sluice:{room:deleted}:log', 'sluice:{room:deleted}:meta');
  for (let i = 1; i <= 5; i++) await bob.emit('sendMessage', { room, message: `new ${i}` });
  for (const client of [ann, bob]) {
    await client.next('channel_reset');
    const frame = await client.next('chatMessage', {
      match: ({ data }) => data.message === 'new 5',
    });
    assert.notEqual(frame.epoch, epoch);
    assert.equal(frame.seq, 5);
    const fresh = client.frames.filter(
      ({ event, data }) => event === 'chatMessage' && /^new/.test(data.message),
    );
    assert.deepEqual(
      fresh.map(({ seq }) => seq),
      [1, 2, 3, 4, 5],
    );
  }
});
