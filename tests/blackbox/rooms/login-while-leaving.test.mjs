// A user leaves a room on one connection while another's login, which enters it, waits for Redis.
import assert from 'node:assert/strict';
import { connect, login, sleep, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { nodeBehindProxy } from '../lib/proxy.mjs';
import { having } from '../lib/frames.mjs';

const QUICK = ['--redis-timeout', '1s', '--lease-timeout', '10s', '--drain', '100ms'];
const redis = await startRedis();
const plain = await startNode({ redis, args: QUICK });

test('the login ends, and the connection can do everything after it', async () => {
  const { proxy, node } = await nodeBehindProxy(redis, { args: QUICK });
  const ann = await login(node, 'ann');
  await ann.emit('join', { room: 'r' }); // the node knows the room
  const phone = await login(plain, 'eve');

  proxy.stall({ link: 'subscriber', direction: 'toRedis' }); // it will not get to know the topic
  const desk = await connect(node);
  const start = { epoch: '', seq: 0 };
  const resume = { 'room:r': start, 'topic:new': start };
  let done = false;
  const entered = desk.emit('login', { userId: 'eve', resume }, { timeout: 20000 }).then(
    () => null,
    (error) => error,
  );
  entered.then(() => (done = true));
  await sleep(300); // until the room is checked and only the topic is waited for
  await phone.emit('leave', { room: 'r' });
  await sleep(300);
  assert.ok(!done, 'the login was still waiting');
  const error = await entered;
  if (error) assert.equal(error.code, 'unavailable');

  const ack = await until(() => desk.emit('login', { userId: 'eve', resume }));
  assert.ok('room:r' in ack.resume && 'topic:new' in ack.resume);
  await ann.emit('sendMessage', { room: 'r', message: 'x' });
  await desk.next('chatMessage', having({ message: 'x' }));
  await desk.emit('publish', { channel: 'topic:new', data: 'y' });
  await desk.next('message');
  await node.stop(); // fails if a sanitizer spoke
  proxy.close();
});
