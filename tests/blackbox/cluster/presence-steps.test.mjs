// Users join and leave rooms of other partitions while nodes are killed, at any moment between the
// steps that this takes. In the end rooms and users say the same, and nothing is left to do.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { login, startNode, test, until } from '../lib/harness.mjs';
import { startCluster } from '../lib/cluster.mjs';
import { range } from '../lib/frames.mjs';

const it = await startCluster({ replicas: 0 });
const args = ['--lease-interval', '200ms', '--lease-timeout', '1s'];
const lasting = await startNode({ redis: it.url, args });
after(async () => {
  await lasting.stop();
  await it.stop();
});

const USERS = range(1, 20).map((i) => `user-${i}`);
const ROOMS = range(1, 8).map((i) => `room-${i}`);
const ROUNDS = 6;
const any = (all) => all[Math.floor(Math.random() * all.length)];

const listed = async (...command) => (await it.cli(...command)).split('\n').filter(Boolean);

// Sends joins and leaves until the connection ends; each fails with it, or when its node is cut off.
async function wander(client) {
  let open = true;
  client.closed.then(() => (open = false));
  while (open) {
    const all = range(1, 4).map(() => client.emit(any(['join', 'leave']), { room: any(ROOMS) }));
    await Promise.allSettled(all);
  }
}

// What is not as it should be: of each user and room, by what the user's partition says.
async function wrong() {
  const out = [];
  const sets = new Map();
  for (const room of ROOMS) {
    const key = (part) => it.key(`room:${room}`, part);
    const [members, here] = await Promise.all(
      ['members', 'here'].map((part) => listed('ZRANGE', key(part), 0, -1)),
    );
    sets.set(room, { members, here });
  }
  for (const user of USERS) {
    const rooms = await listed('SMEMBERS', it.key(`user:${user}`, 'rooms'));
    const online = (await it.cli('EXISTS', it.key(`user:${user}`, 'conns'))) === '1';
    const waits = await it.cli('EXISTS', it.key(`user:${user}`, 'pending'));
    if (waits === '1') out.push(`${user} waits`);
    for (const [room, { members, here }] of sets) {
      const member = rooms.includes(room);
      if (members.includes(user) !== member) out.push(`${user} in ${room}: ${!member}`);
      const is = here.includes(user);
      if (is !== (member && online)) out.push(`${user} online in ${room}: ${is}`);
    }
  }
  return out;
}

test('nodes die while users join, leave and go', async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const node = await startNode({ redis: it.url, args });
    const clients = await Promise.all(USERS.map((user) => login(node, user)));
    const done = clients.map(wander);
    const moves = () => clients.reduce((sum, { frames }) => sum + frames.length, 0);
    const enough = moves() + 400 + Math.floor(Math.random() * 200);
    await until(() => moves() >= enough, { what: 'they have moved about' });
    await node.kill();
    await Promise.all(done);
  }
  const stay = await Promise.all(USERS.slice(0, 5).map((user) => login(lasting, user)));
  const agree = async () => (await wrong()).length === 0;
  await until(agree, { timeout: 15000 }).catch(async () => assert.deepEqual(await wrong(), []));
  for (const tag of it.tags) {
    assert.equal(await it.cli('EXISTS', `sluice:{${tag}}pending`), '0', tag);
  }
  for (const client of stay) await client.close();
  await until(agree, { what: 'those who stayed have gone' });
});
