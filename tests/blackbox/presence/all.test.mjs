// --presence-all: everybody hears of everybody, once.
import assert from 'node:assert/strict';
import { ofUser } from '../lib/frames.mjs';
import { cluster, connect, login, test } from '../lib/harness.mjs';
import { count, fence } from '../lib/registry.mjs';

test('comings and goings reach those who share no room', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 2, args: ['--presence-all'] });
  t.after(stop);
  const ann = await login(nodes[0], 'ann');
  const bob = await login(nodes[1], 'bob', { csId: '1' });
  const nobody = await connect(nodes[0]);
  const eve = await login(nodes[1], 'eve', { csId: '1' });
  const of = ofUser('eve');
  for (const client of [ann, bob]) await client.next('user_online', of);
  await eve.close();
  for (const client of [ann, bob]) await client.next('user_offline', of);
  await fence(redis, [ann, bob]);
  for (const client of [ann, bob]) {
    assert.equal(count(client, 'user_online', 'eve'), 1);
    assert.equal(count(client, 'user_offline', 'eve'), 1);
  }
  assert.equal(count(eve, 'user_online', 'eve'), 0, 'not to the user');
  await nobody.none('user_online');
  await nobody.none('user_offline');
});
