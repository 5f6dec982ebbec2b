// Several devices of one user, on different nodes: online with the first, offline with the last.
import assert from 'node:assert/strict';
import { ofUser } from '../lib/frames.mjs';
import { cluster, login, test } from '../lib/harness.mjs';
import { count, fence, hash, scores } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 3 });

test('offline comes only after the last device, and never to the user', async () => {
  const ann = await login(nodes[0], 'ann');
  await ann.emit('join', { room: 'r' });
  const phone = await login(nodes[0], 'eve');
  await phone.emit('join', { room: 'r' });
  const tablet = await login(nodes[1], 'eve');
  await tablet.emit('join', { room: 'r' });
  const desk = await login(nodes[2], 'eve');
  await fence(redis, [ann, phone, tablet, desk]);
  assert.equal(count(ann, 'user_online', 'eve'), 0, 'further devices are not announced');
  assert.equal(Object.keys(await hash(redis, 'sluice:{user:eve}:conns')).length, 3);

  await phone.close();
  tablet.terminate();
  const rest = async () => Object.keys(await hash(redis, 'sluice:{user:eve}:conns'));
  for (let left = 3; left !== 1; left = (await rest()).length);
  assert.deepEqual(await rest(), [desk.ack.connectionId]);
  await fence(redis, [ann, desk]);
  assert.equal(count(ann, 'user_offline', 'eve'), 0);
  assert.ok('eve' in (await scores(redis, 'sluice:online')));

  await desk.close();
  await ann.next('user_offline', ofUser('eve'));
  await fence(redis, [ann]);
  assert.equal(count(ann, 'user_offline', 'eve'), 1);
  for (const client of [phone, tablet, desk]) {
    for (const name of ['user_online', 'user_offline']) assert.equal(count(client, name, 'eve'), 0);
  }
  assert.deepEqual(await hash(redis, 'sluice:{user:eve}:conns'), {});
  assert.ok(!('eve' in (await scores(redis, 'sluice:online'))));
});

test('a user who logs in on two nodes at once is announced once', async () => {
  const ann = await login(nodes[0], 'ann2');
  await ann.emit('join', { room: 'r2' });
  const first = await login(nodes[1], 'fay');
  await first.emit('join', { room: 'r2' });
  for (let round = 1; round <= 5; round++) {
    const all = await Promise.all(nodes.map((node) => login(node, 'fay')));
    await first.close().catch(() => {});
    await Promise.all(all.map((client) => client.close()));
    await ann.next('user_offline', ofUser('fay'));
    await fence(redis, [ann]);
    assert.equal(count(ann, 'user_offline', 'fay'), round);
    assert.equal(count(ann, 'user_online', 'fay'), round - 1);
  }
});
