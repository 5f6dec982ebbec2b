// A private message goes to the log of two users and then to both inboxes, which lie in three
// partitions. Whichever step fails, and if the node dies between two: the sender hears what is
// known, and both inboxes get the message, once.
import assert from 'node:assert/strict';
import { login, startNode, test, until } from '../lib/harness.mjs';
import { having } from '../lib/frames.mjs';
import { startCluster } from '../lib/cluster.mjs';
import { apart, forbid as forbidAt } from '../lib/private.mjs';

const redis = await startCluster({ masters: 3, replicas: 0 });
const node = await startNode({ redis: redis.url });
await until(async () => !(await node.get('/readyz')).json().degraded, { what: 'all is up' });
const SWEPT = { timeout: 30000 };

const pair = apart(redis);
const forbid = (name) => forbidAt(redis, name);

const outboxOf = ([a, b]) => {
  const tag = redis.tagOf(redis.partition(`dm:${a}:${b}`));
  return `sluice:{${tag}}outbox`;
};
const notes = async (users) => Number(await redis.cli('ZCARD', outboxOf(users)));
const swept = (users) =>
  until(async () => (await notes(users)) === 0, { what: 'the outbox is empty', ...SWEPT });

// How many messages of a the count of b has as unread.
async function unread([a, b]) {
  return Number(await redis.cli('HGET', redis.key(`user:${b}`, 'unread'), a));
}

// Takes away the ids of messages by which a log knows repeats.
async function forget(name) {
  const ids = (await redis.cli('ZRANGE', redis.key(name).replace(name, 'ids'), 0, -1)).split('\n');
  const own = ids.filter((key) => key.startsWith(redis.key(name, 'ids:')));
  assert.ok(own.length > 0);
  for (const key of own) await redis.cli('DEL', key);
}

// Takes away a log and all that is kept with it, as a promoted replica may lack it.
async function lose(name) {
  await forget(name);
  for (const key of [redis.key(name, 'log'), redis.key(name, 'meta')]) await redis.cli('DEL', key);
}

// The two, and the sender's other device.
async function logins(users) {
  const [ann, desk, bob] = [
    await login(node, users[0]),
    await login(node, users[0]),
    await login(node, users[1]),
  ];
  const send = (content, id) =>
    ann.emit('private_message', {
      receiverId: users[1],
      content,
      ...(id && { clientMessageId: id }),
    });
  return { ann, desk, bob, send };
}

const contents = (client) =>
  client.frames.filter((f) => f.event === 'new_private_message').map((f) => f.data.content);

// What came to [the receiver, the sender's other device], before one more message.
async function inboxes({ bob, desk, send }) {
  await until(() => send('last'), { what: 'a message goes through' });
  const all = [bob, desk];
  await Promise.all(all.map((one) => one.next('new_private_message', having({ content: 'last' }))));
  return all.map((one) => contents(one).filter((content) => content !== 'last'));
}

test("the receiver's inbox refuses: unknown; a sweep brings it, once", async () => {
  const users = pair();
  const all = await logins(users);
  const restore = await forbid(`user:${users[1]}`);
  await assert.rejects(all.send('first'), { code: 'unavailable', outcome: 'unknown' });
  assert.equal(await notes(users), 1);
  await restore();
  const frame = await all.bob.next('new_private_message', SWEPT);
  assert.equal(frame.data.content, 'first');
  assert.equal(frame.channel, `user:${users[1]}`);
  assert.equal(frame.data.seq, 1);
  await swept(users);
  assert.equal(await unread(users), 1);
  assert.deepEqual(await inboxes(all), [['first'], ['first']]);
});

test("the receiver's inbox refuses: the repeat answers the first seq and timestamp", async () => {
  const users = pair();
  const all = await logins(users);
  const restore = await forbid(`user:${users[1]}`);
  await assert.rejects(all.send('first', 'x'), { code: 'unavailable', outcome: 'unknown' });
  const { messages: [stored] } = await all.ann.emit('history', { peer: users[1] });
  await restore();
  const ack = await all.send('not the first', 'x');
  assert.deepEqual([ack.seq, ack.timestamp], [stored.seq, stored.timestamp]);
  const frame = await all.bob.next('new_private_message');
  assert.deepEqual(frame.data, stored);
  await swept(users);
  assert.equal(await unread(users), 1);
  assert.deepEqual(await inboxes(all), [['first'], ['first']]);
});

test("the sender's inbox refuses: the receiver has it, and the repeat brings it to nobody twice", async () => {
  const users = pair();
  const all = await logins(users);
  const restore = await forbid(`user:${users[0]}`);
  await assert.rejects(all.send('first', 'x'), { code: 'unavailable', outcome: 'unknown' });
  await all.bob.next('new_private_message');
  await restore();
  assert.equal((await all.send('first', 'x')).seq, 1);
  await swept(users);
  assert.equal(await unread(users), 1);
  assert.deepEqual(await inboxes(all), [['first'], ['first']]);
});

test('the log refuses: nobody has it, and the repeat is the first', async () => {
  const users = pair();
  const all = await logins(users);
  const restore = await forbid(`dm:${users[0]}:${users[1]}`);
  await assert.rejects(all.send('first', 'x'), { code: 'unavailable', outcome: 'refused' });
  await restore();
  assert.equal((await all.send('second', 'x')).seq, 1);
  assert.deepEqual(await inboxes(all), [['second'], ['second']]);
});

for (const id of [undefined, 'x']) {
  test(`the log was not told that both inboxes have it (${id ? 'with' : 'without'} an id)`, async () => {
    const users = pair();
    const all = await logins(users);
    const restore = await forbid(`user:${users[1]}`);
    await assert.rejects(all.send('first', id), { outcome: 'unknown' });
    const dm = `dm:${users.join(':')}`;
    await restore();
    await all.bob.next('new_private_message', SWEPT);
    await swept(users);
    if (!id) await forget(`user:${users[1]}`); // as after ten minutes
    await redis.cli('HSET', redis.key(dm, 'meta'), 'posted', 0);
    await redis.cli('ZADD', outboxOf(users), 0, dm);
    await swept(users);
    assert.equal(await unread(users), 1);
    assert.deepEqual(await inboxes(all), [['first'], ['first']]);
  });
}

test('the node dies between two steps: another one goes on', async () => {
  const users = pair();
  const all = await logins(users);
  const doomed = await startNode({ redis: redis.url });
  const phone = await login(doomed, users[0]);
  const restore = await forbid(`user:${users[1]}`);
  const failed = phone.emit('private_message', { receiverId: users[1], content: 'first' });
  await assert.rejects(failed, { outcome: 'unknown' });
  await doomed.kill();
  await restore();
  const frame = await all.bob.next('new_private_message', SWEPT);
  assert.equal(frame.data.content, 'first');
  await swept(users);
  assert.deepEqual(await inboxes(all), [['first'], ['first']]);
});

test('messages that were read before they came to the inbox do not count', async () => {
  const users = pair();
  const all = await logins(users);
  const restore = await forbid(`user:${users[1]}`);
  await assert.rejects(all.send('first'), { outcome: 'unknown' });
  await restore();
  await all.send('second');
  assert.equal(await unread(users), 2, 'the first one is on its way');
  await all.bob.emit('read', { peer: users[0], seq: 1 });
  assert.equal(await unread(users), 1);
  const { data } = await all.ann.next('message_read');
  assert.deepEqual(data, { userId: users[1], peer: users[0], seq: 1 });
  await swept(users);
  assert.equal(await unread(users), 1);
  await all.bob.emit('read', { peer: users[0], seq: 2 });
  assert.equal(await unread(users), 0);
  await all.send('third');
  assert.equal(await unread(users), 1);
});

const length = async (name) => Number(await redis.cli('XLEN', redis.key(name, 'log')));

test('a log that lost the message: the repeat brings it to no inbox twice', async () => {
  const users = pair();
  const { send } = await logins(users);
  await send('first', 'x');
  await lose(`dm:${users[0]}:${users[1]}`);
  assert.equal((await send('first', 'x')).seq, 1);
  assert.deepEqual(await Promise.all(users.map((user) => length(`user:${user}`))), [1, 1]);
  assert.equal(await length(`dm:${users[0]}:${users[1]}`), 1);
  await send('another'); // number 2 of another epoch
  assert.deepEqual(await Promise.all(users.map((user) => length(`user:${user}`))), [2, 2]);
});

test('an inbox that lost the message: the repeat brings it there again', async () => {
  const users = pair();
  const { send } = await logins(users);
  const { seq, timestamp } = await send('first', 'x');
  await lose(`user:${users[1]}`);
  const again = await send('first', 'x');
  assert.deepEqual([again.seq, again.timestamp], [seq, timestamp]);
  assert.deepEqual(await Promise.all(users.map((user) => length(`user:${user}`))), [1, 1]);
});

test('the same id to two receivers is two messages, also in the inbox of the sender', async () => {
  const users = pair();
  const { ann, desk, send } = await logins(users);
  await send('to one', 'x');
  await ann.emit('private_message', { receiverId: 'another', content: 'to two', clientMessageId: 'x' });
  await desk.next('new_private_message', having({ content: 'to two' }));
  assert.deepEqual(contents(desk), ['to one', 'to two']);
});

test('a reading whose count is not settled: unknown, and the repeat settles it', async () => {
  const users = pair();
  const { ann, bob, send } = await logins(users);
  await send('first');
  await send('second');
  const restore = await forbid(`user:${users[1]}`);
  const read = () => bob.emit('read', { peer: users[0], seq: 1 });
  await assert.rejects(read(), { code: 'unavailable', outcome: 'unknown' });
  await ann.next('message_read', having({ seq: 1 }));
  await restore();
  assert.equal(await unread(users), 2);
  for (const one of [ann, bob]) await until(() => one.emit('join', { room: 'both' }));
  const list = await bob.emit('all_member', { room: 'both' });
  const { message_count } = list.find(({ id }) => id === users[0]);
  assert.equal(message_count, 1, 'who looks sees it right already');
  assert.deepEqual(await read(), {});
  assert.equal(await unread(users), 1);
});
