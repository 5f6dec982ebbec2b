// The messages of a conversation come to both inboxes in the order of its log, whatever happens
// between the steps, and an inbox that lost some gets them again before later ones.
import assert from 'node:assert/strict';
import { login, startNode, test, until } from '../lib/harness.mjs';
import { having } from '../lib/frames.mjs';
import { startCluster } from '../lib/cluster.mjs';
import { apart, spoil } from '../lib/private.mjs';

const redis = await startCluster({ masters: 3, replicas: 1 });
const node = await startNode({ redis: redis.url });
const ready = () =>
  until(async () => !(await node.get('/readyz')).json().degraded, { what: 'all is up' });
await ready();
const pair = apart(redis);

const private_ = (frames) => frames.filter(({ event }) => event === 'new_private_message');
const contents = ({ frames }) => private_(frames).map(({ data }) => data.content);

async function logins([a, b]) {
  const [ann, desk, bob] = [await login(node, a), await login(node, a), await login(node, b)];
  const say = (from, to) => (content) =>
    from.emit('private_message', { receiverId: to, content });
  return { ann, desk, bob, send: say(ann, b), answer: say(bob, a) };
}

const heard = (client, ...all) =>
  until(() => contents(client).length >= all.length, { what: `${client.user} hears all` }).then(() =>
    assert.deepEqual(contents(client), all),
  );

test('a message that came to no inbox comes before the next one', async () => {
  const users = pair();
  const { ann, desk, bob, send } = await logins(users);
  const restore = await spoil(redis, users[1]);
  await assert.rejects(send('1'), { outcome: 'unknown' });
  await assert.rejects(send('2'), { outcome: 'unknown' });
  await restore();
  assert.equal((await send('3')).seq, 3);
  await heard(bob, '1', '2', '3');
  await heard(desk, '1', '2', '3');
  assert.deepEqual(contents(ann), []);
});

test('a repeat brings what came before it, too', async () => {
  const users = pair();
  const { ann, bob, send } = await logins(users);
  const other = await login(node, users[0]);
  const restore = await spoil(redis, users[1]);
  await assert.rejects(send('1'), { outcome: 'unknown' });
  const message = { receiverId: users[1], content: '2', clientMessageId: 'x' };
  await assert.rejects(other.emit('private_message', message), { outcome: 'unknown' });
  await restore();
  assert.equal((await other.emit('private_message', message)).seq, 2);
  await heard(bob, '1', '2');
  await heard(ann, '2');
});

test("the peer's answer brings it, too", async () => {
  const users = pair();
  const { ann, desk, bob, send, answer } = await logins(users);
  const restore = await spoil(redis, users[0]);
  await assert.rejects(send('1'), { outcome: 'unknown' });
  await heard(bob, '1');
  await restore();
  assert.equal((await answer('2')).seq, 2);
  await heard(desk, '1', '2');
  await heard(ann, '2');
  await heard(bob, '1');
});

test('many messages that wait come in order, in pages', async () => {
  const users = pair();
  const { bob, send } = await logins(users);
  await send('0');
  const restore = await spoil(redis, users[1]);
  const all = Array.from({ length: 150 }, (_, i) => String(i + 1));
  for (const one of all) await assert.rejects(send(one), { outcome: 'unknown' });
  await restore();
  await send('last');
  await heard(bob, '0', ...all, 'last');
});

// The inbox's ids are now in the bucket before the present one, which is in the key with number 0.
async function nextBucket(user) {
  const ids = (i) => redis.key(`user:${user}`, `ids:${i}`);
  const clock = redis.key(`user:${user}`, 'clock').replace(`user:${user}:`, '');
  const numbers = await Promise.all([0, 1].map((i) => redis.cli('HGET', ids(i), '')));
  const had = Math.max(...numbers);
  if (had % 2 === 0) {
    // Two buckets later would be the same key again, so less time has gone by.
    const steps = Number((await redis.cli('GET', clock)).slice(34, 50)) + 300e6;
    await redis.cli('SETRANGE', clock, 34, `+${String(steps).padStart(15, '0')}`);
    await redis.cli('HSET', ids(0), '', had - 2);
  } else {
    await redis.cli('RENAME', ids(1), ids(0));
    await redis.cli('HSET', ids(0), '', had - 1);
  }
}

test('a mark that goes over to the next bucket of ids', async () => {
  const users = pair();
  const { bob, send } = await logins(users);
  await send('0');
  await nextBucket(users[1]);
  const all = Array.from({ length: 80 }, (_, i) => String(i + 1));
  for (const one of all) await send(one);
  await heard(bob, '0', ...all);
  const ids = (i) => redis.key(`user:${users[1]}`, `ids:${i}`);
  const has = (i) => redis.cli('HEXISTS', ids(i), `\n${users[0]}`);
  assert.deepEqual(await Promise.all([has(0), has(1)]), ['0', '1'], 'one mark');
});

test('an inbox whose master died with its tail gets it again, before what is new', async () => {
  // The log and the sender's inbox have other masters, which lose nothing.
  let users, master;
  do {
    users = pair();
    const names = [`user:${users[1]}`, `user:${users[0]}`, `dm:${users.join(':')}`];
    const masters = await Promise.all(names.map((name) => redis.masterOf(redis.key(name))));
    master = masters.indexOf(masters[0], 1) < 0 && masters[0];
  } while (!master);
  const { bob, desk, send } = await logins(users);
  await send('1');
  await send('2');
  const dies = await redis.tailLost(master);
  await send('3');
  await send('4');
  await heard(bob, '1', '2', '3', '4');
  await dies();
  await ready();
  await until(() => send('5'), { what: 'it goes through', timeout: 30000 });
  const reset = await bob.next('channel_reset', having({ channel: `user:${users[1]}` }));
  assert.equal(reset.data.from, 3);
  await bob.next('new_private_message', having({ content: '5' }));
  assert.deepEqual(contents(bob), ['1', '2', '3', '4', '3', '4', '5']);
  await heard(desk, '1', '2', '3', '4', '5');
  const log = await redis.log(`user:${users[1]}`);
  assert.deepEqual(log.map(({ frame }) => frame.data.content), ['1', '2', '3', '4', '5']);
  assert.equal(await redis.cli('HGET', redis.key(`user:${users[1]}`, 'unread'), users[0]), '5');
  await master.restart();
  await redis.untilWell();
});
