// What a log was left with is in `last` of its meta (log.lua). Nodes of an older version have `time`,
// `bytes` and `fresh` there, and operators' scripts raise `seq`: then `last` does not count.
import assert from 'node:assert/strict';
import { cluster, login, test } from '../lib/harness.mjs';
import { hash, log } from '../lib/registry.mjs';

const { redis, nodes, stop } = await cluster({ nodes: 2 });
const [ann, bob] = [await login(nodes[0], 'ann'), await login(nodes[1], 'bob')];

// As an older version leaves it. It appends to the log as well, if `more`.
async function makeOlder(channel, more) {
  const meta = `sluice:{${channel}}:meta`;
  const { seq, epoch, last } = await hash(redis, meta);
  const time = last.slice(8, 24);
  if (more) {
    const next = Number(seq) + 1;
    const frame = `{"channel":"${channel}","epoch":"${epoch}","seq":${next},"time":${time},"event":"e","data":1}`;
    await redis.cli('XADD', `sluice:{${channel}}:log`, `${next}-0`, 'frame', frame, 'sent', '9 9');
    await redis.cli('HSET', meta, 'seq', next, 'sent:ann', 9, 'sent:bob', 9);
  } else {
    await redis.cli('HDEL', meta, 'last');
  }
  await redis.cli('HSET', meta, 'time', time, 'bytes', 1000, 'fresh', time.slice(0, 13));
}

async function assertTakenOver(channel, seq) {
  const { last, time, bytes, fresh, seq: now } = await hash(redis, `sluice:{${channel}}:meta`);
  assert.deepEqual({ time, bytes, fresh }, { time: undefined, bytes: undefined, fresh: undefined });
  assert.equal(now, String(seq));
  assert.equal(last.slice(34).split(' ')[1], String(seq));
  assert.ok(last.length <= 64, 'a longer value makes the hash a table');
  const ids = (await log(redis, channel)).map(({ id }) => id);
  assert.deepEqual(ids, ids.map((_, i) => `${i + 1}-0`));
}

for (const more of [false, true]) {
  const how = more ? 'which went on with the log' : 'which had it alone';
  test(`a topic of an older version, ${how}`, async () => {
    const channel = `topic:older-${more}`;
    const say = (client) => client.emit('publish', { channel, data: 'x'.repeat(100) });
    for (const _ of 'abc') await say(ann);
    await makeOlder(channel, more);
    assert.equal((await say(bob)).seq, more ? 5 : 4);
    assert.equal((await say(ann)).seq, more ? 6 : 5);
    await assertTakenOver(channel, more ? 6 : 5);
    const { last } = await hash(redis, `sluice:{${channel}}:meta`);
    assert.ok(Number(last.slice(34).split(' ')[2]) > 1200, 'it goes on with the bytes');
  });
}

const single = 'with steps the inboxes get from the log what they lack';
test('a conversation of an older version: what each has sent goes on', { single }, async () => {
  const say = (from, to) => from.emit('private_message', { receiverId: to, content: 'x' });
  await say(ann, 'bob');
  await say(bob, 'ann');
  for (const channel of ['dm:ann:bob', 'user:ann', 'user:bob']) await makeOlder(channel, channel[0] === 'd');
  assert.equal((await say(ann, 'bob')).seq, 4);
  await assertTakenOver('dm:ann:bob', 4);
  await assertTakenOver('user:ann', 3);
  const meta = await hash(redis, 'sluice:{dm:ann:bob}:meta');
  assert.equal(meta['sent:ann'], '10');
  assert.deepEqual(meta.last.split(' ').slice(3), ['10', '9']);
});

test('a name with a quote and a backslash', async () => {
  const channel = 'topic:"a\\b"';
  await ann.emit('subscribe', { channel });
  for (const seq of [1, 2, 3]) {
    assert.equal((await bob.emit('publish', { channel, data: seq })).seq, seq);
    assert.equal((await ann.next('message', { match: (frame) => frame.channel === channel })).data, seq);
  }
});

test('nothing is left', () => stop());
