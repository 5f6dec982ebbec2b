// Redis comes back empty: live sockets are told, old positions are refused, the chat goes on.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { chats } from '../lib/frames.mjs';
import { cluster, inRoom, login, test, until } from '../lib/harness.mjs';
import { hash, scores } from '../lib/registry.mjs';

const single = { single: 'it deletes the files of one Redis' };

async function killedAndEmptied({ redis, nodes }) {
  await redis.kill();
  for (const node of nodes) await node.untilNotReady();
  fs.rmSync(path.join(redis.dir, 'appendonlydir'), { recursive: true, force: true });
  for (const name of fs.readdirSync(redis.dir)) {
    if (/\.(aof|rdb)$/.test(name)) fs.rmSync(path.join(redis.dir, name));
  }
  await redis.restart();
  assert.ok(Number(await redis.cli('EXISTS', 'sluice:{room:r}:log')) === 0, 'the log is gone');
  for (const node of nodes) await node.untilReady();
}

const flushed = ({ redis }) => redis.cli('FLUSHALL');

async function lose(t, how) {
  const all = await cluster({ nodes: 2, args: ['--lease-interval', '200ms'] });
  const { redis, nodes } = all;
  t.after(all.stop);
  const [ann, bob, cat] = await inRoom([nodes[0], nodes[1], nodes[1]], 'r', 'ann', 'bob', 'cat');
  for (let i = 1; i <= 5; i++) await ann.emit('sendMessage', { room: 'r', message: `old ${i}` });
  for (let i = 1; i <= 3; i++)
    await ann.emit('private_message', { receiverId: 'bob', content: 'old' });
  for (const client of [ann, bob, cat]) {
    await client.next('chatMessage', { match: ({ data }) => data.message === 'old 5' });
  }
  await bob.next('new_private_message', { match: ({ seq }) => seq === 3 });
  const { epoch } = await hash(redis, 'sluice:{room:r}:meta');
  const positions = structuredClone(cat.positions);
  await cat.close();

  await how(all);

  // Memberships are made again by the nodes whose sockets are in the room.
  const send = (client, message) => client.emit('sendMessage', { room: 'r', message });
  await until(() => send(ann, 'new 1'));
  await until(() => send(bob, 'new 2'));
  for (const client of [ann, bob]) {
    const reset = await client.next('channel_reset', {
      match: ({ data }) => data.channel === 'room:r',
    });
    assert.equal(typeof reset.data.from, 'number');
    assert.ok(reset.data.to >= reset.data.from);
    assert.deepEqual(Object.keys(reset).sort(), ['data', 'event', 'text']);
    for (const message of ['new 1', 'new 2']) {
      const frame = await client.next('chatMessage', {
        match: ({ data }) => data.message === message,
      });
      assert.notEqual(frame.epoch, epoch);
    }
    assert.ok(client.isOpen);
  }
  await until(() => ann.emit('private_message', { receiverId: 'bob', content: 'new' }));
  await bob.next('new_private_message', { match: ({ data }) => data.content === 'new' });
  await bob.next('channel_reset', { match: ({ data }) => data.channel === 'user:bob' });

  const back = await login(nodes[0], 'cat', { resume: positions });
  assert.equal(back.ack.recovered, false);
  assert.ok(back.ack.lost.includes('room:r'), `lost: ${back.ack.lost}`);
  assert.notEqual(back.ack.resume['room:r'].epoch, epoch);
  await send(bob, 'new 3');
  assert.equal((await back.next('chatMessage')).data.message, 'new 3');

  // Each message after the loss came once.
  for (const client of [ann, bob]) {
    await client.next('chatMessage', { match: ({ data }) => data.message === 'new 3' });
    const fresh = client.frames
      .filter(({ event, data }) => event === 'chatMessage' && data.message.startsWith('new'))
      .map(({ data }) => data.message);
    assert.deepEqual(fresh, ['new 1', 'new 2', 'new 3']);
  }
  const online = async () =>
    Object.keys(await scores(redis, 'sluice:online'))
      .sort()
      .join();
  await until(async () => (await online()) === 'ann,bob,cat', { what: 'all are in the registry' });
  await until(async () => Object.keys(await scores(redis, 'sluice:nodes')).length === 2);
}

test('killed, its data deleted, started again', single, (t) => lose(t, killedAndEmptied));
test('FLUSHALL under the running nodes', (t) => lose(t, flushed));

test('a sender keeps its order over FLUSHALL, with several messages under way', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 2, args: ['--lease-interval', '400ms'] });
  t.after(stop);
  const [ann, bob] = await inRoom(nodes, 'r', 'ann', 'bob');
  await redis.cli('FLUSHALL');
  const send = (message) =>
    ann.emit('sendMessage', { room: 'r', message, clientMessageId: message });
  const codes = new Set(); // of the refusals: whether there was any is a race
  let left = Array.from({ length: 40 }, (_, i) => `m${i}`);
  await until(async () => {
    const results = await Promise.allSettled(left.slice(0, 8).map(send));
    for (const { reason } of results) if (reason) codes.add(reason.code);
    left = left.filter((_, i) => results[i]?.status !== 'fulfilled');
    return !left.length;
  });
  codes.delete('unavailable');
  assert.deepEqual([...codes], [], 'nobody has left the room');
  await bob.next('chatMessage', { match: ({ data }) => data.message === 'm39' });
  const got = chats(bob);
  const texts = got.map(({ data }) => data.message);
  assert.deepEqual(texts, Array.from({ length: 40 }, (_, i) => `m${i}`));
});

test('a node that slept through FLUSHALL and a restart delivers all of the new log', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 2, args: ['--lease-interval', '200ms'] });
  t.after(stop);
  const [ann, bob] = await inRoom(nodes, 'r', 'ann', 'bob');
  const send = (message) =>
    until(() => ann.emit('sendMessage', { room: 'r', message, clientMessageId: message }));
  for (let i = 1; i <= 9; i++) await send(`old ${i}`);
  await bob.next('chatMessage', { match: ({ data }) => data.message === 'old 9' });
  nodes[1].suspend();
  await redis.cli('FLUSHALL');
  for (const message of ['new 1', 'new 2']) await send(message);
  await redis.kill();
  await redis.restart();
  for (const message of ['new 3', 'new 4']) await send(message);
  nodes[1].resume();
  const { data } = await bob.next('channel_reset', {
    timeout: 20000,
    match: (frame) => frame.data.channel === 'room:r',
  });
  assert.deepEqual(data, { channel: 'room:r', from: 1, to: 9 });
  await bob.next('chatMessage', { match: (frame) => frame.data.message === 'new 4' });
  const got = chats(bob).slice(9);
  assert.deepEqual(
    got.map((frame) => frame.data.message),
    ['new 1', 'new 2', 'new 3', 'new 4'],
  );
});
