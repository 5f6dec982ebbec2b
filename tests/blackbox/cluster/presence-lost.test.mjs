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
const degraded = async () => (await node.get('/readyz')).json().degraded;
const ready = () => until(async () => !(await degraded()), { what: 'all is up', timeout: 30000 });
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
// meanwhile: what to do while neither does.
async function cutOff(master) {
  const dies = await redis.tailLost(master);
  return async (meanwhile = () => {}) => {
    const over = dies();
    await until(degraded, { ...LIMIT, what: 'the node has lost the master' });
    await meanwhile();
    await over;
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

const members = async (room) => {
  const all = await redis.cli('ZRANGE', redis.key(`room:${room}`, 'members'), 0, -1);
  return all.split('\n').filter(Boolean);
};
const roomsOf = async (user) =>
  (await redis.cli('SMEMBERS', redis.key(`user:${user}`, 'rooms'))).split('\n').filter(Boolean);

// A room of another master, and in it a user who stays, whose master is not this one.
async function roomElsewhere(master) {
  const [room, stays] = [await nameOf('room', master, true), await nameOf('user', master, true)];
  const client = await login(node, stays);
  await client.emit('join', { room });
  const roster = () => client.frames.findLast(({ event }) => event === 'onlineUsers')?.data;
  const sees = (...users) =>
    until(() => String([...(roster() ?? [])].sort()) === String(users.sort()), {
      ...LIMIT,
      what: `${stays} sees ${users}`,
    });
  // How often the room was told by these events, one after the other.
  const heard = (user) =>
    client.frames
      .filter(({ event, data }) => /^user(Joined|Left)$/.test(event) && data.userId === user)
      .map(({ event }) => event)
      .join();
  const hears = (user, events) =>
    until(() => heard(user) === events, { ...LIMIT, what: `${events} of ${user}` });
  const hearsOf = (user, event, times) =>
    until(() => client.frames.filter((one) => one.event === event && one.data === user).length === times, {
      ...LIMIT,
      what: `${event} of ${user}, ${times} times`,
    });
  return { room, stays, sees, hears, hearsOf };
}

test("a user whose login died with the user's master, and who goes before there is another", async () => {
  const [master] = await redis.masters();
  const { room, stays, sees, hears, hearsOf } = await roomElsewhere(master);
  const [member, newcomer] = [await nameOf('user', master), await nameOf('user', master)];
  const before = await login(node, member);
  await before.emit('join', { room });
  await before.close();
  await says(room, stays);
  const dies = await cutOff(master);
  const clients = [await login(node, member), await login(node, newcomer)];
  await clients[1].emit('join', { room });
  await says(room, stays, member, newcomer);
  await sees(stays, member, newcomer);
  await dies(() => Promise.all(clients.map((client) => client.close())));
  await says(room, stays);
  await sees(stays);
  // Of the newcomer's membership nothing is left, in the room neither.
  await hears(newcomer, 'userJoined,userLeft');
  await hears(member, 'userJoined,userLeft,userLeft'); // when the member went offline
  await hearsOf(member, 'user_online', 1);
  await hearsOf(member, 'user_offline', 2);
  assert.deepEqual(await roomsOf(newcomer), []);
  assert.deepEqual((await members(room)).sort(), [stays, member].sort());
});

test("the same, and the user's node dies, too", async () => {
  const [master] = await redis.masters();
  const { room, stays, sees } = await roomElsewhere(master);
  const [user, dying] = [await nameOf('user', master), await startNode({ redis: redis.url, args })];
  const dies = await cutOff(master);
  const client = await login(dying, user);
  await client.emit('join', { room });
  await says(room, stays, user);
  await dies(() => dying.kill());
  await says(room, stays);
  await sees(stays);
});

test("a user who left a room, and whose master died with that", async () => {
  const [master] = await redis.masters();
  const { room, stays, hears } = await roomElsewhere(master);
  const user = await nameOf('user', master);
  const client = await login(node, user);
  await client.emit('join', { room });
  await says(room, stays, user);
  const dies = await cutOff(master);
  await client.emit('leave', { room });
  await says(room, stays);
  await dies();
  const agree = async () =>
    (await members(room)).includes(user) === (await roomsOf(user)).includes(room);
  await until(agree, { ...LIMIT, what: 'room and user say the same' });
  await hears(user, 'userJoined,userLeft,userJoined');
});

test('a user who was gone, and comes again after the master died with that', async () => {
  const [master] = await redis.masters();
  const { room, stays, sees } = await roomElsewhere(master);
  const user = await nameOf('user', master);
  const client = await login(node, user);
  await client.emit('join', { room });
  await says(room, stays, user);
  const dies = await cutOff(master);
  await client.close();
  await says(room, stays);
  const comes = () => login(node, user).catch(() => false); // no login while the master is away
  let again;
  await dies(() => {
    again = until(comes, { ...LIMIT, timeout: 30000, what: `${user} is back` });
  });
  await again;
  await says(room, stays, user);
  await sees(stays, user);
});

test('a room that heard of a user, and no node saw that the user has another master', async () => {
  const [master] = await redis.masters();
  const { room, stays, sees } = await roomElsewhere(master);
  const ghost = await nameOf('user', master);
  const heard = redis.key(`room:${room}`).replace(`room:${room}`, 'heard');
  const known = async () => redis.cli('ZSCORE', heard, `${ghost} ${room}`);
  await redis.cli('ZADD', redis.key(`room:${room}`, 'here'), Date.now(), ghost);
  await redis.cli('ZADD', redis.key(`room:${room}`, 'members'), Date.now(), ghost);
  await redis.cli('ZADD', heard, 1, `${ghost} ${room}`);
  await says(room, stays);
  await sees(stays);
  assert.deepEqual(await members(room), [stays]);
  // It is forgotten when the room has heard it again.
  await until(async () => !(await known()), { timeout: 60000, what: `${ghost} is forgotten` });
});
