// What is in use does not expire; what is not, does: nothing in Redis grows for ever.
import assert from 'node:assert/strict';
import { cluster, login, sleep, test, until } from '../lib/harness.mjs';
import { keys, scores } from '../lib/registry.mjs';

const RETENTION = 10000; // the least that user-retention may be

test('live users keep what is theirs, those who went lose it', { timeout: 90000 }, async (t) => {
  const args = ['--user-retention', '10s', '--room-retention', '3s', '--inbox-retention', '3s'];
  const { redis, nodes, stop } = await cluster({ nodes: 2, args });
  t.after(stop);
  const ann = await login(nodes[0], 'ann');
  const eve = await login(nodes[1], 'eve');
  for (const client of [ann, eve]) {
    await client.emit('join', { room: 'r' });
    await client.emit('subscribe', { channel: 'topic:t' });
    await client.emit('sendMessage', { room: 'r', message: 'x', clientMessageId: 1 });
    await client.emit('publish', { channel: 'topic:t', data: 'x' });
  }
  await ann.emit('private_message', { receiverId: 'eve', content: 'x' });
  await eve.emit('private_message', { receiverId: 'ann', content: 'x' });
  await ann.emit('join', { room: 'alone' });
  const left = await login(nodes[1], 'left');
  await left.emit('join', { room: 'only-left' });
  await left.emit('sendMessage', { room: 'only-left', message: 'x' });
  await left.close();
  await eve.close();
  const gone = Date.now();

  // Nodes touch what is in use: lifetimes rise again, with nobody doing anything.
  const kept = [
    'sluice:{user:ann}:conns',
    'sluice:{user:ann}:rooms',
    'sluice:{user:ann}:unread',
    'sluice:{user:ann}:profile',
    'sluice:{user:ann}:meta',
    'sluice:{room:r}:meta',
    'sluice:{room:r}:members',
    'sluice:{room:alone}:members',
    'sluice:{room:alone}:here',
    'sluice:{topic:t}:meta',
  ];
  const life = async (key) => Number(await redis.cli('PTTL', key));
  await Promise.all(
    kept.map(async (key) => {
      let last = await life(key);
      assert.ok(last > 0, `${key}: ${last}`);
      await until(
        async () => {
          const now = await life(key);
          assert.ok(now > 0, `${key} is there`);
          const rose = now > last;
          last = now;
          return rose;
        },
        { every: 100, what: `${key} is touched` },
      );
    }),
  );
  const seen = (await scores(redis, 'sluice:{room:alone}:members')).ann;
  await until(async () => (await scores(redis, 'sluice:{room:alone}:members')).ann > seen);

  await sleep(Math.max(0, gone + RETENTION + 500 - Date.now()));
  for (const key of kept) assert.ok((await life(key)) > 0, `${key} is still there`);
  assert.deepEqual(Object.keys(await scores(redis, 'sluice:{room:r}:here')), ['ann']);
  for (const part of ['conns', 'rooms', 'profile', 'unread']) {
    assert.equal(await redis.cli('EXISTS', `sluice:{user:eve}:${part}`), '0', part);
  }
  // The room lives on; a membership of one not seen for so long goes at the latest when somebody enters.
  const cat = await login(nodes[1], 'cat');
  await until(async () => {
    await cat.emit('join', { room: 'r' });
    const members = Object.keys(await scores(redis, 'sluice:{room:r}:members'));
    if (members.sort().join() === 'ann,cat') return true;
    await cat.emit('leave', { room: 'r' });
    return false;
  });

  // Meta outlives the log, for an hour or so with these options; the rest goes. A Cluster notes for a
  // minute what it told a room. The ids of messages are deleted by the leases, after 10 minutes.
  const theirs = async () =>
    (await keys(redis))
      .filter((key) => /only-left|user:left|user:eve|dm:/.test(key))
      .filter((key) => !/:ids:\d+$/.test(key));
  const rest = async () => (await theirs()).filter((key) => !/:meta$|{stamp:/.test(key));
  await until(async () => (await rest()).length === 0, { timeout: 15000, every: 200 });
  for (const key of await theirs()) {
    const left = await life(key);
    assert.ok(left > 0 && left < 2 * 3600000, `${key} lives ${left} ms`);
  }
});
