// A big room gets counts in place of single joins and leaves, until it is small again.
import assert from 'node:assert/strict';
import { ofUser } from '../lib/frames.mjs';
import { cluster, login, test } from '../lib/harness.mjs';
import { count, fence } from '../lib/registry.mjs';

const SINGLE = ['userJoined', 'userLeft', 'user_online', 'user_offline'];
const counts = (online, total) => ({
  match: ({ data }) => data.online === online && data.total === total,
});

test('counts above big-room, single events again at big-room-until', async (t) => {
  const args = ['--big-room', '5', '--big-room-until', '3', '--roster-interval', '50ms'];
  const { redis, nodes, stop } = await cluster({ nodes: 2, args });
  t.after(stop);
  const all = [];
  const enter = async (i) => {
    const client = await login(nodes[i % 2], `m${i}`);
    await client.emit('join', { room: 'big' });
    return client;
  };
  const watchers = () => all.slice(0, 2); // one on each node
  const singles = () => watchers().map((c) => SINGLE.map((name) => count(c, name)));

  for (let i = 0; i < 6; i++) all.push(await enter(i));
  for (const client of watchers()) {
    await client.next('update_member_list', counts(6, 6));
    await client.next('userJoined', { match: ({ data }) => data.userId === 'm4' }); // not yet big
  }
  await fence(redis, watchers());
  const before = singles();
  for (const client of watchers()) client.take('update_member_list'); // the counts of the way up

  all.push(await enter(6));
  for (const client of watchers()) {
    const list = await client.next('update_member_list', counts(7, 7));
    assert.deepEqual(list.data, { room: 'big', online: 7, total: 7 });
  }
  await all[6].close();
  for (const client of watchers()) await client.next('update_member_list', counts(6, 7));
  all[6] = await login(nodes[0], 'm6');
  for (const client of watchers()) await client.next('update_member_list', counts(7, 7));
  await all[5].emit('leave', { room: 'big' });
  for (const client of watchers()) await client.next('update_member_list', counts(6, 6));
  await fence(redis, watchers());
  assert.deepEqual(singles(), before, 'no single event while the room is big');

  // At four members it is still big, at three no more.
  await all[6].emit('leave', { room: 'big' });
  await all[4].emit('leave', { room: 'big' });
  for (const client of watchers()) await client.next('update_member_list', counts(4, 4));
  await all[3].close();
  for (const client of watchers()) await client.next('update_member_list', counts(3, 4));
  await fence(redis, watchers());
  assert.deepEqual(singles(), before, 'still big at four members');
  all[3] = await enter(3);
  await all[3].emit('leave', { room: 'big' });
  for (const client of watchers()) await client.next('update_member_list', counts(3, 3));
  const last = await login(nodes[1], 'last');
  await last.emit('join', { room: 'big' });
  for (const client of watchers()) {
    await client.next('userJoined', { match: ({ data }) => data.userId === 'last' });
  }
  await last.close();
  for (const client of watchers()) {
    await client.next('user_offline', ofUser('last'));
    await client.next('userLeft', { match: ({ data }) => data.userId === 'last' });
  }
});
