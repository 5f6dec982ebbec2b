// A fallen subscriber link alone stops nothing: appends and reads go on over the command link, a
// private message's ack waits for the heal. Only if it stays away the node is not ready.
import assert from 'node:assert/strict';
import { chats } from '../lib/frames.mjs';
import { login, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { nodeBehindProxy } from '../lib/proxy.mjs';

const redis = await startRedis();
const plain = await startNode({ redis });

// A node behind a proxy that lets no new link through, with its subscriber link cut.
async function deafNode(t, args) {
  const { proxy, node } = await nodeBehindProxy(redis, { args });
  t.after(() => proxy.close());
  const ann = await login(node, 'ann', { csId: 'a' });
  const bob = await login(plain, 'bob', { csId: 'a' });
  const fall = async () => {
    proxy.refusing = true;
    proxy.cut({ link: 'subscriber' });
    await until(() => /redis_lost/.test(node.log()));
  };
  return { proxy, node, ann, bob, fall };
}

test('sends and reads go on, and nothing is missed when it hears again', async (t) => {
  const { proxy, node, ann, bob, fall } = await deafNode(t, ['--redis-timeout', '60s']);
  await fall();
  const { seq } = await ann.emit('sendMessage', { message: 'one', clientMessageId: '1' });
  await bob.next('chatMessage', { match: ({ data }) => data.message === 'one' });
  assert.equal((await ann.emit('history', { room: 'room-a' })).messages.at(-1).seq, seq);
  await bob.emit('sendMessage', { message: 'two' });
  const acked = ann.emit('private_message', { receiverId: 'bob', content: 'three' });
  const again = login(node, 'ann', { csId: 'a' }); // waits as well
  await bob.next('new_private_message');
  assert.equal(await node.readyz(), 200);
  assert.equal(await Promise.race([acked, again, 'none']), 'none');

  proxy.refusing = false;
  assert.ok((await acked).seq);
  assert.ok(await again);
  await ann.next('chatMessage', { match: ({ data }) => data.message === 'two' });
  const heard = chats(ann);
  assert.deepEqual(
    heard.map(({ data }) => data.message),
    ['one', 'two'],
  );
  assert.doesNotMatch(node.log(), /redis_down/);
});

test('a subscriber link that stays away: not ready, and what waits fails', async (t) => {
  const { proxy, node, ann, fall } = await deafNode(t, ['--redis-timeout', '1s']);
  await fall();
  const waits = ann.emit('private_message', { receiverId: 'bob', content: 'x' });
  await assert.rejects(waits, { code: 'unavailable', outcome: 'unknown' });
  await node.untilNotReady();
  await assert.rejects(ann.emit('sendMessage', 'y'), { code: 'unavailable', outcome: 'refused' });
  proxy.refusing = false;
  await node.untilReady();
  await until(() => ann.emit('sendMessage', 'z').catch(() => false));
});
