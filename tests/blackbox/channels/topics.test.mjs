// subscribe, unsubscribe, publish.
import assert from 'node:assert/strict';
import { cluster, login, test } from '../lib/harness.mjs';
import { dataText, logged, range, refused, seqs } from '../lib/frames.mjs';
import { fence } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 2, args: ['--max-subscriptions', '6'] });

const three = (name) =>
  Promise.all([0, 1, 1].map((node, i) => login(nodes[node], `${name}${i}`)));

test('all subscribers get what anybody publishes, the publisher included', async () => {
  const [ann, bob, cat] = await three('a');
  const channel = 'topic:prices';
  const { epoch, ...rest } = await ann.emit('subscribe', { channel });
  assert.deepEqual(rest, { channel, seq: 0, recovered: false });
  assert.match(epoch, /^.+$/);
  assert.equal((await bob.emit('subscribe', { channel })).epoch, epoch);

  const { seq, timestamp, ...more } = await ann.emit('publish', { channel, data: { eur: 1.5 } });
  assert.deepEqual(more, {});
  assert.equal(seq, 1);
  assert.ok(Math.abs(timestamp - Date.now()) < 60000, 'ms');
  for (const client of [ann, bob]) {
    const frame = await client.next('message');
    assert.deepEqual(frame.data, { eur: 1.5 });
    assert.deepEqual([frame.channel, frame.epoch, frame.seq], [channel, epoch, 1]);
    assert.match(
      frame.text,
      /^\{"channel":"topic:prices","epoch":"[^"]+","seq":1,"time":\d{16},"event":"message","data":\{"eur":1.5\}\}$/,
    );
  }
  // One who does not subscribe may publish, and gets nothing.
  await cat.emit('publish', { channel, data: 'from cat' });
  assert.equal((await bob.next('message')).data, 'from cat');
  await fence(redis, [ann, bob, cat]);
  assert.equal(logged(cat, channel).length, 0);
  assert.equal(logged(ann, channel).length, 2);
});

test('any JSON value is data, as sent', async () => {
  const [ann, bob] = await three('b');
  const channel = 'topic:any';
  await bob.emit('subscribe', { channel });
  const values = ['null', 'false', '""', '[ ]', '{"a" : 1.0}', '9007199254740993'];
  for (const value of values) {
    await ann.emitText('publish', `{"channel":"${channel}","data": ${value} }`);
    assert.equal(dataText(await bob.next('message')), value);
  }
});

test('a subscription begins at the end of the log', async () => {
  const [ann, bob] = await three('c');
  const channel = 'topic:late';
  for (let i = 1; i <= 3; i++) await ann.emit('publish', { channel, data: i });
  assert.equal((await bob.emit('subscribe', { channel })).seq, 3);
  await ann.emit('publish', { channel, data: 4 });
  const frame = await bob.next('message');
  assert.deepEqual([frame.seq, frame.data], [4, 4]);
});

test('unsubscribe ends it; subscribing twice delivers once', async () => {
  const [ann, bob] = await three('d');
  const channel = 'topic:twice';
  await bob.emit('subscribe', { channel });
  await bob.emit('subscribe', { channel });
  await ann.emit('publish', { channel, data: 1 });
  await bob.next('message');
  assert.deepEqual(await bob.emit('unsubscribe', { channel }), {});
  await ann.emit('publish', { channel, data: 2 });
  await fence(redis, [bob]);
  assert.deepEqual(seqs(logged(bob, channel)), [1]);
  await bob.emit('subscribe', { channel });
  await ann.emit('publish', { channel, data: 3 });
  assert.equal((await bob.next('message', { match: (f) => f.channel === channel })).seq, 3);
});

test('since brings what was missed, after the ack, then what is new', async () => {
  const [ann, bob] = await three('e');
  const channel = 'topic:since';
  const { epoch } = await bob.emit('subscribe', { channel });
  await ann.emit('publish', { channel, data: 1 });
  await bob.next('message');
  await bob.emit('unsubscribe', { channel });
  for (let i = 2; i <= 30; i++) await ann.emit('publish', { channel, data: i });
  const before = bob.frames.length;
  const ack = await bob.emit('subscribe', { channel, since: { epoch, seq: 1 } });
  assert.deepEqual(ack, { channel, epoch, seq: 1, recovered: true });
  await ann.emit('publish', { channel, data: 31 });
  await bob.next('message', { match: (frame) => frame.seq === 31 });
  const [first, ...rest] = bob.frames.slice(before);
  assert.ok('ack' in first, 'the ack is first');
  assert.deepEqual(seqs(rest.filter((f) => f.channel === channel)), range(2, 31));
});

test('a since that is not known starts at the end', async () => {
  const [ann, bob] = await three('f');
  const channel = 'topic:unknown';
  const { epoch } = await ann.emit('subscribe', { channel });
  for (let i = 1; i <= 3; i++) await ann.emit('publish', { channel, data: i });
  for (const since of [{ epoch: 'never', seq: 1 }, { epoch, seq: 4 }]) {
    const ack = await bob.emit('subscribe', { channel, since });
    assert.deepEqual(ack, { channel, epoch, seq: 3, recovered: false });
    await bob.emit('unsubscribe', { channel });
  }
  await fence(redis, [bob]);
  assert.equal(logged(bob, channel).length, 0);
});

test('only topics are subscribed and published to', async () => {
  const [ann] = await three('g');
  const others = ['all', 'user:a0', 'user:g0', 'room:lobby', 'dm:a:b', 'topic', 'topic:', 'x', ''];
  for (const channel of [...others, 'topic:a b', 'topic:{x}', `topic:${'n'.repeat(129)}`, 7, {}]) {
    for (const event of ['subscribe', 'unsubscribe', 'publish']) {
      const error = await ann.emit(event, { channel, data: 1 }).then(
        () => assert.fail(`${event} ${JSON.stringify(channel)} was accepted`),
        (failure) => failure,
      );
      assert.match(error.code, /^(bad_field|forbidden)$/, `${event} ${JSON.stringify(channel)}`);
      assert.equal(error.field, 'channel');
    }
  }
});

test('a topic may have any valid name', async () => {
  const [ann, bob] = await three('h');
  const names = ['a:b:c', 'q"u\\o', 'größe/日本語', 'n'.repeat(128), "%s'*[?]"];
  for (const name of names) {
    const channel = `topic:${name}`;
    const ack = await bob.emit('subscribe', { channel });
    assert.equal(ack.channel, channel);
    await ann.emit('publish', { channel, data: name });
    const frame = await bob.next('message');
    assert.deepEqual([frame.channel, frame.data], [channel, name]);
    await bob.emit('unsubscribe', { channel });
  }
});

test('more channels than max-subscriptions are too_many', async () => {
  const [ann] = await three('i');
  for (let i = 1; i <= 5; i++) await ann.emit('subscribe', { channel: `topic:m${i}` });
  await refused(ann.emit('subscribe', { channel: 'topic:m6' }), 'too_many'); // + the inbox
  await refused(ann.emit('join', { room: 'm' }), 'too_many');
  await ann.emit('unsubscribe', { channel: 'topic:m1' });
  await ann.emit('subscribe', { channel: 'topic:m6' });
  const resume = Object.fromEntries(
    range(1, 7).map((i) => [`topic:r${i}`, { epoch: 'x', seq: 0 }]),
  );
  await refused(login(nodes[1], 'i9', { resume }), 'too_many');
});
