// Everybody in a room has its last roster in the end: who is still being caught up too, and who
// came while it was another one.
import assert from 'node:assert/strict';
import { cluster, connect, login, sleep, test, until } from '../lib/harness.mjs';
import { range } from '../lib/frames.mjs';
import { nodeBehindProxy } from '../lib/proxy.mjs';
import { front, next } from '../lib/socketio.mjs';

const { redis, nodes } = await cluster({ nodes: 2, args: ['--roster-interval', '2s'] });
const last = (client) => client.frames.findLast(({ event }) => event === 'onlineUsers')?.data;
const sees = (client, ids) => until(() => [...last(client)].sort().join() === ids);

async function members(room, ...users) {
  const all = [];
  for (const [i, user] of users.entries()) {
    const client = await login(nodes[i % 2], user);
    await client.emit('join', { room });
    all.push(client);
  }
  return all;
}

test('who is being caught up gets the roster', async () => {
  const [ann, bob, , dan] = await members('r', 'ann', 'bob', 'cat', 'dan');
  await bob.close();
  const message = 'y'.repeat(20000);
  const send = () => ann.emit('sendMessage', { room: 'r', message });
  for (let i = 0; i < 600; i += 50) await Promise.all(range(1, 50).map(send));

  const back = await connect(nodes[1], { positions: bob.positions });
  back.pauseReading();
  const entered = back.emit('login', { userId: 'bob', resume: bob.positions });
  await sees(dan, 'ann,bob,cat,dan');
  const eve = await login(nodes[0], 'eve');
  await eve.emit('join', { room: 'r' });
  await sees(dan, 'ann,bob,cat,dan,eve');
  await eve.emit('leave', { room: 'r' });
  await eve.emit('join', { room: 'r' });
  await dan.next('userLeft', { match: ({ data }) => data.userId === 'eve' });
  back.resumeReading();
  assert.equal((await entered).recovered, true);
  await back.next('chatMessage', { timeout: 10000, match: ({ seq }) => seq === 600 });
  await sees(back, 'ann,bob,cat,dan,eve');
  const eves = back.frames.filter(({ data }) => data?.userId === 'eve' && data.room === 'r');
  assert.deepEqual(eves.map(({ event }) => event), ['userJoined', 'userLeft', 'userJoined']);
});

test('who comes after the roster that a newcomer was given is announced to it', async (t) => {
  const { proxy, node } = await nodeBehindProxy(redis);
  t.after(() => proxy.close());
  proxy.delay = 100; // the roster is there two round trips before the join is answered
  const json = await connect(node);
  const sio = await front(node);
  t.after(() => sio.end());
  for (const [client, hears] of [
    [json, (event, wanted) => json.next(event, { match: ({ data }) => wanted(data) })],
    [sio, (event, wanted) => next(sio, event, { match: wanted })],
  ]) {
    const room = client === json ? 'json' : 'socketio';
    client[client === json ? 'send' : 'emit']('join', { id: `ann-${room}`, room });
    await hears('onlineUsers', () => true);
    const bob = await login(nodes[0], `bob-${room}`);
    for (const [asked, told] of [
      ['join', 'userJoined'],
      ['leave', 'userLeft'],
    ]) {
      await bob.emit(asked, { room });
      await hears(told, ({ userId }) => userId === `bob-${room}`);
    }
  }
});

test('who came while somebody was away gets the roster that the others had before', async () => {
  const [ann, , cat] = await members('s', 'ann2', 'bob2', 'cat2');
  await sees(ann, 'ann2,bob2,cat2');
  await cat.close();
  const second = await login(nodes[0], 'bob2');
  await second.emit('join', { room: 's' });
  assert.equal([...last(second)].sort().join(), 'ann2,bob2');
  const back = await login(nodes[1], 'cat2');
  await back.emit('join', { room: 's' });
  await sees(second, 'ann2,bob2,cat2');
});

test('a roster whose reading failed with the command link is read again', async (t) => {
  const { proxy, node } = await nodeBehindProxy(redis);
  t.after(() => proxy.close());
  const ann = await login(node, 'ann3');
  await ann.emit('join', { room: 't' });
  await sees(ann, 'ann3');
  await sleep(500); // beyond the roster interval: the next change is read at once
  proxy.stall({ link: 'commands', direction: 'toNode' });
  const bob = await login(nodes[0], 'bob3');
  await bob.emit('join', { room: 't' });
  await ann.next('userJoined'); // the roster is asked for, and no answer comes
  proxy.cut({ link: 'commands' });
  await sees(ann, 'ann3,bob3');
});
