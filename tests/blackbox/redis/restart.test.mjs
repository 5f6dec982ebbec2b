// Redis killed and started again with its data: nothing acknowledged is missing, sockets stay.
import assert from 'node:assert/strict';
import { chats } from '../lib/frames.mjs';
import { cluster, inRoom, login, test } from '../lib/harness.mjs';
import { count, fence, hash, scores } from '../lib/registry.mjs';
import { assertHeard, assertLogged, talk } from '../lib/talk.mjs';

test('live sockets are healed; what was acknowledged is there, in order, once', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 2 });
  t.after(stop);
  const at = [nodes[0], nodes[1], nodes[1]];
  const [ann, bob, cat] = await inRoom(at, 'r', 'ann', 'bob', 'cat');
  const dan = await login(nodes[0], 'dan');
  const { epoch } = await hash(redis, 'sluice:{room:r}:meta');
  const talks = [talk(ann, { room: 'r' }), talk(bob, { room: 'r' }), talk(dan, { peer: 'cat' })];
  for (let round = 0; round < 2; round++) {
    await Promise.all(talks.map((one) => one.more(20)));
    await redis.kill();
    for (const node of nodes) {
      await node.untilNotReady();
      const told = (await node.get('/readyz')).json();
      assert.deepEqual([told.ready, told.reason], [false, 'redis']);
      assert.ok(told.detail);
    }
    await redis.restart();
    await Promise.all(talks.map((one) => one.more(20)));
  }
  for (const node of nodes) assert.equal(await node.readyz(), 200);
  const [annSaid, bobSaid, danSaid] = await Promise.all(talks.map((one) => one.stop()));

  for (const client of [ann, bob, cat]) {
    await assertHeard(client, 'chatMessage', 'ann', annSaid);
    await assertHeard(client, 'chatMessage', 'bob', bobSaid);
    await client.none('channel_reset');
    assert.ok(client.isOpen);
  }
  await assertHeard(cat, 'new_private_message', 'dan', danSaid);
  await assertLogged(redis, 'room:r', 'ann', talks[0].acked);
  await assertLogged(redis, 'room:r', 'bob', talks[1].acked);
  await assertLogged(redis, 'dm:cat:dan', 'dan', talks[2].acked);
  await assertLogged(redis, 'user:cat', 'dan', talks[2].acked);

  // Seqs go on without a hole, in another epoch, and old positions are good for it.
  const after = await hash(redis, 'sluice:{room:r}:meta');
  assert.notEqual(after.epoch, epoch);
  const seqs = chats(cat).map(({ seq }) => seq);
  assert.deepEqual(
    seqs,
    Array.from({ length: seqs.length }, (_, i) => i + 1),
  );
  const eve = await login(nodes[0], 'cat', { resume: { 'room:r': { epoch, seq: 1 } } });
  assert.equal(eve.ack.recovered, true);
  assert.equal((await eve.next('chatMessage')).seq, 2);

  // Presence is refreshed; nobody was announced as gone.
  assert.deepEqual(Object.keys(await scores(redis, 'sluice:online')).sort(), [
    'ann',
    'bob',
    'cat',
    'dan',
  ]);
  await fence(redis, [ann, bob, cat]);
  assert.equal(count(ann, 'user_offline'), 0);
});

test('a send during the outage is answered at once, with unavailable and an outcome', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 2 });
  t.after(stop);
  const ann = await login(nodes[0], 'ann');
  await ann.emit('join', { room: 'r' });
  await redis.kill();
  await nodes[0].untilNotReady();
  const outage = Date.now();
  const sends = [
    ['sendMessage', { room: 'r', message: 'x' }],
    ['private_message', { receiverId: 'bob', content: 'x' }],
    ['publish', { channel: 'topic:x', data: 1 }],
    ['join', { room: 's' }],
    ['subscribe', { channel: 'topic:x' }],
    ['history', { room: 'r' }],
  ];
  for (const [event, data] of sends) {
    await assert.rejects(ann.emit(event, data), { code: 'unavailable', outcome: 'refused' }, event);
  }
  await assert.rejects(login(nodes[1], 'bob'), { code: 'unavailable' });
  ann.send('sendMessage', { room: 'r', message: 'no ack' });
  const error = await ann.next('error');
  assert.equal(error.data.code, 'unavailable');
  assert.equal(error.data.outcome, 'refused');
  assert.equal(error.data.event, 'sendMessage');
  assert.ok(Date.now() - outage < 5000, 'all of these took milliseconds');
  assert.ok(ann.isOpen);
  await redis.restart();
  await nodes[0].untilReady();
  await ann.emit('sendMessage', { room: 'r', message: 'back' });
  assert.equal((await ann.next('chatMessage')).data.message, 'back');
});

test('pipelined messages: when one fails, those behind it fail, and resending keeps order', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 2 });
  t.after(stop);
  const [ann, bob] = await inRoom(nodes, 'r', 'ann', 'bob');
  const send = (text) =>
    ann.emit('sendMessage', { room: 'r', message: text, clientMessageId: text });
  const all = Array.from({ length: 400 }, (_, i) => `m${i}`);
  let rest = all;
  const first = Promise.allSettled(all.map(send));
  await bob.next('chatMessage');
  await redis.kill();
  let results = await first;
  await redis.restart();
  for (const node of nodes) await node.untilReady();
  for (let round = 0; rest.length; round++) {
    const failed = results.findIndex((result) => result.status === 'rejected');
    if (failed >= 0) {
      for (const { status, reason } of results.slice(failed)) {
        assert.equal(status, 'rejected', 'nothing after a failure succeeds');
        assert.equal(reason.code, 'unavailable');
        assert.ok(['refused', 'unknown'].includes(reason.outcome), reason.outcome);
      }
    }
    rest = failed < 0 ? [] : rest.slice(failed);
    assert.ok(round < 5, 'it goes through once Redis is back');
    results = await Promise.allSettled(rest.map(send));
  }
  await assertHeard(bob, 'chatMessage', 'ann', all);
});
