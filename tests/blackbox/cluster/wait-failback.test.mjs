// redis-wait, and a master that loses its slots while a WAIT is under way. It may have them again
// when the WAIT is answered, and lack what it appended before, though a replica has as much as it
// had. Redis ends such a WAIT, Valkey does not.
import assert from 'node:assert/strict';
import { login, only, startNode, test, until } from '../lib/harness.mjs';
import { startCluster } from '../lib/cluster.mjs';
import { startProxy } from '../lib/proxy.mjs';

only('single', 'it starts its own servers');

test('what waits for a replica is unknown when another master has had the slot', async (t) => {
  const it = await startCluster();
  const proxy = await startProxy(it);
  const args = ['--redis-wait', '1:30000', '--redis-timeout', '30s'];
  const node = await startNode({ redis: proxy.url, args });
  t.after(async () => {
    await node.stop();
    proxy.close();
    await it.stop();
  });
  const ann = await login(node, 'ann');
  await ann.emit('join', { room: 'r' });
  const say = (message) => ann.emit('sendMessage', { room: 'r', message });
  await say('before');

  const letGo = proxy.hold({ link: 'wait' });
  const held = say('held').then(() => 'acknowledged', ({ outcome }) => outcome);
  const texts = async () => (await it.log('room:r')).map(({ frame }) => frame.data.message);
  await until(async () => (await texts()).includes('held'));
  const moves = () => node.log().split('event=redis_slot ').length;
  const before = moves();
  await it.failover(await it.masterOf(it.key('room:r')));
  await until(() => moves() > before, { what: 'the node knows of it' });
  letGo();
  assert.equal(await held, 'unknown');
  await until(() => say('after').then(() => true), { timeout: 30000 });
});
