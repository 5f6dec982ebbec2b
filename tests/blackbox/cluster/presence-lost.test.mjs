// A master dies with the end of what it had been told of users' coming and going. Rooms and users,
// whose partitions have other masters, say the same in the end.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { login, startNode, test, until } from '../lib/harness.mjs';
import { startCluster } from '../lib/cluster.mjs';

const redis = await startCluster({ masters: 3, replicas: 1 });
const args = ['--lease-interval', '200ms', '--lease-timeout', '1s'];
const node = await startNode({ redis: redis.url, args });
after(async () => {
  await node.stop();
  await redis.stop();
});
const ready = () =>
  until(async () => !(await node.get('/readyz')).json().degraded, { what: 'all is up', timeout: 30000 });
await ready();

const masterOf = (name) => redis.masterOf(redis.key(name));
const LIMIT = { timeout: 12000 };

// A name of that kind that has this master, or another one.
let names = 0;
async function nameOf(kind, master, others = false) {
  for (;;) {
    const name = `${kind}${++names}`;
    if (((await masterOf(`${kind}:${name}`)) === master) !== others) return name;
  }
}

const here = async (room) => (await redis.cli('ZRANGE', redis.key(`room:${room}`, 'here'), 0, -1)).split('\n').filter(Boolean);
const says = (room, ...users) =>
  until(async () => (await here(room)).sort().join() === users.sort().join(), {
    ...LIMIT,
    what: `${users} are in ${room}`,
  });

// From now on nothing comes to the replica. Returns a function: the master dies, the replica leads.
async function cutOff(master) {
  const dies = await redis.tailLost(master);
  return async () => {
    await dies();
    await ready();
    await master.restart();
    await redis.untilWell();
  };
}

test('a room whose master died with the news that a user had gone', async () => {
  const [master] = await redis.masters();
  const room = await nameOf('room', master);
  const [stays, goes, leaves] = [
    await nameOf('user', master, true),
    await nameOf('user', master, true),
    await nameOf('user', master, true),
  ];
  const clients = [];
  for (const user of [stays, goes, leaves]) {
    clients.push(await login(node, user));
    await clients.at(-1).emit('join', { room });
  }
  await says(room, stays, goes, leaves);
  const dies = await cutOff(master);
  await clients[1].close();
  await clients[2].emit('leave', { room });
  await says(room, stays);
  await dies();
  await says(room, stays);
  const members = await redis.cli('ZRANGE', redis.key(`room:${room}`, 'members'), 0, -1);
  assert.deepEqual(members.split('\n').sort(), [stays, goes].sort());
  const roster = () => clients[0].frames.findLast(({ event }) => event === 'onlineUsers')?.data;
  await until(() => String(roster()) === stays, { ...LIMIT, what: 'the roster is right' });
});

test("a user's new master has a clock that is two hours behind", async () => {
  const [master] = await redis.masters();
  const user = await nameOf('user', master);
  const room = await nameOf('room', master, true);
  const client = await login(node, user);
  await client.emit('join', { room });
  await says(room, user);
  // The old master had decided this, by its clock, and nobody knows but the room.
  const stamp = redis.key(`room:${room}`).replace(`room:${room}`, `stamp:${room} ${user}`);
  const version = await redis.cli('GET', stamp);
  const ahead = BigInt(version.slice(-16)) + 7200000000n;
  await redis.cli('SET', stamp, version.slice(0, -16) + ahead, 'PX', 60000);
  await redis.failover(master);
  await ready();
  const known = await node.get('/readyz');
  assert.equal(known.status, 200);
  await until(() => client.emit('leave', { room }), { ...LIMIT, what: 'it leaves' });
  await says(room);
});
