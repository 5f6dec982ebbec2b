// Redis comes back without its last messages (a crash without fsync, a failover): the ones who had
// them are told, the others are caught up, and nobody mistakes new messages for old ones.
import assert from 'node:assert/strict';
import { chatTexts } from '../lib/frames.mjs';
import { cluster, inRoom, login, test, until } from '../lib/harness.mjs';
import { hash } from '../lib/registry.mjs';

test('positions before the loss are good, those after it are lost', async (t) => {
  const { redis, nodes, stop } = await cluster({
    nodes: 2,
    redis: { config: { appendonly: 'no' } },
  });
  t.after(stop);
  const [ann, bob] = await inRoom(nodes, 'r', 'ann', 'bob');
  const send = (client, message) => client.emit('sendMessage', { room: 'r', message });
  for (let i = 1; i <= 5; i++) await send(ann, `m${i}`);
  const { epoch: old } = await hash(redis, 'sluice:{room:r}:meta');
  await redis.cli('SAVE');
  for (let i = 6; i <= 8; i++) await send(ann, `lost ${i}`);
  for (const client of [ann, bob])
    await client.next('chatMessage', { match: ({ seq }) => seq === 8 });
  // One who came back while it all was there, and is live behind position 8.
  const eve = await login(nodes[1], 'eve', { resume: { 'room:r': { epoch: old, seq: 5 } } });
  await eve.next('chatMessage', { match: ({ seq }) => seq === 8 });

  await redis.kill();
  for (const node of nodes) await node.untilNotReady();
  await redis.restart();
  for (const node of nodes) await node.untilReady();
  const at = (seq) => ({ resume: { 'room:r': { epoch: old, seq } } });

  // Before the first append.
  const early = await login(nodes[1], 'cat', at(8));
  assert.equal(early.ack.recovered, false);
  assert.deepEqual(early.ack.lost, ['room:r']);
  assert.equal(early.ack.resume['room:r'].seq, 5);
  const good = await login(nodes[1], 'cat', at(3));
  assert.equal(good.ack.recovered, true);
  await good.next('chatMessage', { match: ({ seq }) => seq === 5 });

  for (const client of [ann, bob, eve]) {
    const reset = await client.next('channel_reset', {
      match: ({ data }) => data.channel === 'room:r',
    });
    assert.deepEqual(reset.data, { channel: 'room:r', from: 6, to: 8 });
  }
  for (let i = 6; i <= 7; i++) await until(() => send(bob, `new ${i}`));
  for (const client of [ann, bob, eve, early, good]) {
    const frame = await client.next('chatMessage', {
      match: ({ data }) => data.message === 'new 7',
    });
    assert.equal(frame.seq, 7);
    assert.notEqual(frame.epoch, old);
  }
  const before = ['m1', 'm2', 'm3', 'm4', 'm5', 'lost 6', 'lost 7', 'lost 8'];
  for (const client of [ann, bob]) assert.deepEqual(chatTexts(client), [...before, 'new 6', 'new 7']);
  assert.deepEqual(chatTexts(eve), [...before.slice(5), 'new 6', 'new 7']);
  assert.deepEqual(chatTexts(early), ['new 6', 'new 7']);
  assert.deepEqual(chatTexts(good), ['m4', 'm5', 'new 6', 'new 7']);

  // After it: the fork decides.
  const { [`fork:${old}`]: fork } = await hash(redis, 'sluice:{room:r}:meta');
  assert.equal(fork, '5');
  for (const [seq, recovered, expected] of [
    [4, true, ['m5', 'new 6', 'new 7']],
    [5, true, ['new 6', 'new 7']],
    [6, false, []],
    [7, false, []],
    [8, false, []],
  ]) {
    const late = await login(nodes[0], 'dan', at(seq));
    assert.equal(late.ack.recovered, recovered, `from ${seq}`);
    if (expected.length) await late.next('chatMessage', { match: ({ seq: n }) => n === 7 });
    await late.none('channel_reset');
    assert.deepEqual(chatTexts(late), expected, `from ${seq}`);
    await late.close();
  }
});

// A master dies, and the one after it dies before its replica has anything of what it wrote. So
// the third log knows nothing of the epoch that all clients are in.
for (const losses of [2, 3]) {
  test(`${losses} losses in a row, each of an epoch as a whole: nothing comes twice`, async (t) => {
    const { redis, nodes, stop } = await cluster({
      nodes: 3,
      redis: { config: { appendonly: 'no' } },
      args: ['--max-queue', '256K'],
    });
    t.after(stop);
    const [first, second, third] = nodes;
    const is = (message) => ({ match: ({ data }) => data.message === message });
    const ofRoom = { match: ({ data }) => data.channel === 'room:r' };
    const send = (message) => ann.emit('sendMessage', { room: 'r', message }).catch(() => false);
    const [ann, bob] = await inRoom([first, second], 'r', 'ann', 'bob');
    const old = Array.from({ length: 120 }, (_, i) => `m${i + 1} ${'.'.repeat(60000)}`);
    for (const message of old) await send(message);
    for (const client of [ann, bob]) await client.next('chatMessage', is(old.at(-1)));
    await redis.cli('SAVE');
    const { epoch } = await hash(redis, 'sluice:{room:r}:meta');
    const resume = { 'room:r': { epoch, seq: 20 } };
    const heard = [ann, bob];
    const expected = new Map(heard.map((client) => [client, [...old]]));
    let lame;
    for (let loss = 1; loss <= losses; loss++) {
      await redis.kill();
      for (const node of nodes) await node.untilNotReady();
      await redis.restart();
      for (const node of nodes) await node.untilReady();
      for (const client of loss > 1 ? heard : []) {
        const { data } = await client.next('channel_reset', ofRoom);
        assert.deepEqual(data, { channel: 'room:r', from: 121, to: 122 });
      }
      const fresh = [`a after loss ${loss}`, `b after loss ${loss}`];
      for (const message of fresh) await until(() => send(message));
      for (const client of heard) {
        for (const message of fresh) await client.next('chatMessage', is(message));
        expected.get(client).push(...fresh);
      }
      if (loss > 1) continue;
      // One to whose node the room comes only now, and one that is behind until it is all over.
      const late = await login(third, 'late', { resume });
      lame = await login(third, 'lame', { resume });
      lame.pauseReading();
      await late.next('chatMessage', is(fresh[1]));
      expected.set(late, [...old.slice(20), ...fresh]);
      heard.push(late);
    }
    const last = [`a after loss ${losses}`, `b after loss ${losses}`];
    expected.set(lame, [...old.slice(20), ...last]);
    lame.resumeReading();
    await lame.next('chatMessage', is(last[1]));
    heard.push(lame);
    for (const client of heard) {
      await client.none('channel_reset', 0, ofRoom);
      assert.deepEqual(chatTexts(client), expected.get(client));
    }
  });
}
