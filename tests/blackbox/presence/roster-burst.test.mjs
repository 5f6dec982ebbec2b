// Many people joining at once make few rosters: at most one each 250 ms a room.
import assert from 'node:assert/strict';
import { cluster, login, test } from '../lib/harness.mjs';
import { count, fence } from '../lib/registry.mjs';

const PEOPLE = 200;

test('a burst of 200 joins makes a bounded number of frames a client', async (t) => {
  const { redis, nodes, stop } = await cluster({
    nodes: 2,
    args: ['--big-room', '50', '--big-room-until', '40'],
  });
  t.after(stop);
  const watchers = await Promise.all(nodes.map((node, i) => login(node, `watcher${i}`)));
  for (const client of watchers) await client.emit('join', { room: 'r' });
  const people = [];
  for (let i = 0; i < PEOPLE; i += 20) {
    const some = Array.from({ length: 20 }, (_, k) => login(nodes[k % 2], `p${i + k}`));
    people.push(...(await Promise.all(some)));
  }

  const from = Date.now();
  await Promise.all(people.map((client) => client.emit('join', { room: 'r' })));
  const everybody = PEOPLE + watchers.length;
  const whole = { match: ({ data }) => data.online === everybody && data.total === everybody };
  for (const client of watchers) await client.next('update_member_list', whole);
  // Counts may go alone, and the roster after them.
  const most100 = { match: ({ data }) => data.length === 100 };
  for (const client of watchers) await client.next('onlineUsers', most100);
  await fence(redis, watchers);
  const most = Math.ceil((Date.now() - from) / 250) + 4; // + what the watchers' own joins made
  for (const client of watchers) {
    for (const event of ['onlineUsers', 'update_member_list']) {
      const got = count(client, event);
      assert.ok(got <= most, `${got} ${event} in ${Date.now() - from} ms, at most ${most}`);
    }
    assert.ok(count(client, 'userJoined') < PEOPLE, 'single joins end when the room is big');
    const rosters = client.frames.filter((frame) => frame.event === 'onlineUsers');
    assert.ok(
      rosters.every((frame) => frame.data.length <= 100),
      'at most 100 ids',
    );
    assert.equal(rosters.at(-1).data.length, 100);
  }
  // Each newcomer got a roster at once, and few after it.
  for (const client of people) {
    const got = count(client, 'onlineUsers');
    assert.ok(got >= 1 && got <= most, `${got} onlineUsers to a newcomer`);
  }
});
