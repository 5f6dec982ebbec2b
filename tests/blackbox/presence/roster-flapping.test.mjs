// A member who comes and goes all the time does not fill the line of everybody in the room.
import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { cluster, login, sleep, test, until } from '../lib/harness.mjs';
import { range } from '../lib/frames.mjs';

const MEMBERS = 80;
const LONG = 'y'.repeat(110);
const RATE = 1 << 20; // bytes a second of a room on a node

test('rosters of a room are bounded in bytes, and right in the end', async (t) => {
  const args = ['--max-connections-per-user', '0', '--rate-limit', '0', '--roster-interval', '20ms'];
  const { nodes, stop } = await cluster({ nodes: 2, args });
  t.after(stop);
  const all = [];
  for (const i of range(1, MEMBERS)) all.push(await login(nodes[i % 2], `m${i}-${LONG}`));
  for (const client of all) await client.emit('join', { room: 'flap' });
  const eve = await login(nodes[0], `eve-${LONG}`);
  await sleep(6000); // what the joins have cost is paid
  for (const client of all) client.frames.length = 0;

  const from = Date.now();
  let flaps = 0;
  for (; Date.now() - from < 5000; flaps++) {
    await eve.emit('join', { room: 'flap' });
    await eve.emit('leave', { room: 'flap' });
  }
  const seconds = (Date.now() - from) / 1000;
  const bytes = (event) =>
    all.flatMap(({ frames }) => frames.filter((frame) => frame.event === event)).reduce((n, { text }) => n + text.length, 0);
  // The first roster is free, the burst of single events is 8 s.
  const roster = MEMBERS * 100 * 130;
  assert.ok(bytes('onlineUsers') <= 2 * RATE * seconds + 2 * roster, `${bytes('onlineUsers')} bytes in ${seconds} s`);
  const singles = bytes('userJoined') + bytes('userLeft');
  assert.ok(singles <= 2 * RATE * (seconds + 8) * 2.2, `${singles} bytes of single events, ${flaps} flaps`);

  await eve.emit('join', { room: 'flap' });
  await eve.close();
  const roster_of = (client) => client.frames.findLast(({ event }) => event === 'onlineUsers')?.data ?? [];
  for (const client of all) {
    const right = () => {
      const ids = roster_of(client);
      return ids.length === MEMBERS && !ids.includes(eve.user);
    };
    await until(right, { timeout: 20000, what: 'the roster is right in the end' });
  }
  const counts = { online: MEMBERS, total: MEMBERS + 1, room: 'flap' };
  const last = () => all[0].frames.findLast(({ event }) => event === 'update_member_list')?.data;
  // The roster may be right since the last `leave`; the count of the end comes after that.
  await until(() => isDeepStrictEqual(last(), counts), { what: `${JSON.stringify(last())}` });
});
