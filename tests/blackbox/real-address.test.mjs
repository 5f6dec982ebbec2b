// --real-address-header: behind a proxy the registry has the client's own address.
import assert from 'node:assert/strict';
import { cluster, login, test } from './lib/harness.mjs';
import { hash } from './lib/registry.mjs';

const address = async (redis, user) => {
  const [conn] = Object.values(await hash(redis, `sluice:{user:${user}}:conns`));
  return conn.split(' ')[2];
};

test('the header counts only if the option names it', async (t) => {
  const headers = { 'X-Real-IP': '203.0.113.9' };
  const trusting = await cluster({ nodes: 2, args: ['--real-address-header', 'X-Real-IP'] });
  t.after(trusting.stop);
  const plain = await cluster({ nodes: 2, redis: trusting.redis });
  t.after(plain.stop);
  const { redis } = trusting;
  await login(trusting.nodes[0], 'ann', {}, { headers });
  await login(trusting.nodes[1], 'six', {}, { headers: { 'x-real-ip': '2001:db8::7 \t' } });
  await login(trusting.nodes[1], 'bad', {}, { headers: { 'X-Real-IP': 'no address {}' } });
  await login(plain.nodes[0], 'eve', {}, { headers });
  assert.match(await address(redis, 'ann'), /^203\.0\.113\.9(:\d+)?$/);
  assert.match(await address(redis, 'six'), /2001:db8::7/);
  assert.match(await address(redis, 'bad'), /^127\.0\.0\.1/);
  assert.match(await address(redis, 'eve'), /^127\.0\.0\.1:\d+$/);
});
