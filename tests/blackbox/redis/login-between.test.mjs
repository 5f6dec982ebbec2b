// A room is entered, and its answers come while the subscriber link is down: it is live when that
// is back, and so is what was entered before.
import { login, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { nodeBehindProxy } from '../lib/proxy.mjs';
import { metric } from '../lib/registry.mjs';

const QUICK = ['--lease-timeout', '30s', '--redis-timeout', '10s'];
const redis = await startRedis();
const plain = await startNode({ redis, args: QUICK });

test('checked between two subscriptions', async (t) => {
  const { proxy, node } = await nodeBehindProxy(redis, { args: QUICK });
  t.after(() => proxy.close());
  const ann = await login(plain, 'ann');
  const bob = await login(node, 'bob');

  await redis.cli('CLIENT', 'PAUSE', 20000, 'WRITE'); // scripts wait, SUBSCRIBE does not
  const entered = bob.emit('login', { userId: 'bob', csId: 'c' });
  const doorbells = () => redis.cli('PUBSUB', 'NUMSUB', 'sluice:{room:room-c}');
  await until(async () => (await doorbells()).endsWith('\n1'));
  // The room and its check are on their way.
  await until(async () => (await metric(node, 'sluice_redis_pending_commands')) >= 2);
  proxy.refusing = true;
  proxy.cut({ link: 'subscriber' });
  await until(() => /redis_lost/.test(node.log()));
  await redis.cli('CLIENT', 'UNPAUSE');
  await entered;
  proxy.refusing = false;

  await ann.emit('private_message', { receiverId: 'bob', content: 'hi' });
  await bob.next('new_private_message');
  await ann.emit('join', { room: 'room-c' });
  await ann.emit('sendMessage', { room: 'room-c', message: 'hi' });
  await bob.next('chatMessage');
});
