// private_message: across nodes, to all devices of both, and what the sender learns.
import assert from 'node:assert/strict';
import { cluster, login, test } from '../lib/harness.mjs';
import { having, logged, ofUser, range, seqs } from '../lib/frames.mjs';
import { count, fence } from '../lib/registry.mjs';
import { mode } from '../lib/waiting.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

const contents = (client) =>
  client.frames.filter((f) => f.event === 'new_private_message').map((f) => f.data.content);

test('it crosses nodes, both ways', async () => {
  const ann = await login(nodes[0], 'ann');
  const bob = await login(nodes[1], 'bob');
  const ack = await ann.emit('private_message', { receiverId: 'bob', content: 'hi' });
  const frame = await bob.next('new_private_message');
  const { seq, timestamp } = ack;
  assert.deepEqual(frame.data, {
    senderId: 'ann', receiverId: 'bob', content: 'hi', timestamp, seq,
  });
  assert.equal(seq, 1);
  assert.ok(Number.isInteger(timestamp) && Math.abs(timestamp - Date.now()) < 60000, 'ms');
  const epoch = frame.epoch;
  assert.deepEqual(ack, {
    seq, timestamp, delivered: true,
    resume: { 'user:ann': { epoch: ann.ack.resume['user:ann'].epoch, seq: 1 } },
  });
  assert.equal(epoch, bob.ack.resume['user:bob'].epoch);

  const back = await bob.emit('private_message', { receiverId: 'ann', content: 'hello' });
  const answer = await ann.next('new_private_message');
  assert.equal(back.seq, 2);
  assert.equal(answer.data.seq, 2);
  assert.equal(answer.data.content, 'hello');
  assert.equal(answer.seq, 2, "ann's inbox has her own message before it");
});

test('the members of the frame have their order', async () => {
  const cat = await login(nodes[0], 'cat');
  const dan = await login(nodes[1], 'dan');
  await cat.emit('private_message', { receiverId: 'dan', content: 'hi' });
  const { text } = await dan.next('new_private_message');
  const id = cat.ack.connectionId.replace(/[^\w]/g, '\\$&');
  assert.match(
    text,
    new RegExp(
      '^\\{"channel":"user:dan","epoch":"[^"]+","seq":1,"time":\\d{16},' +
        `"event":"new_private_message",("origin":"${id}",)?"data":\\{.*\\}\\}$`,
    ),
  );
});

test('all devices of both get it, but not the connection that sent it', async () => {
  const sender = await login(nodes[0], 'eve');
  const others = [await login(nodes[0], 'eve'), await login(nodes[1], 'eve')];
  const receivers = [await login(nodes[0], 'fay'), await login(nodes[1], 'fay')];
  const stranger = await login(nodes[1], 'gil');
  await sender.emit('private_message', { receiverId: 'fay', content: 'to all' });
  const frames = await Promise.all(
    [...others, ...receivers].map((client) => client.next('new_private_message')),
  );
  for (const { data } of frames) {
    assert.deepEqual([data.senderId, data.receiverId], ['eve', 'fay']);
  }
  await fence(redis, [sender, stranger, ...others, ...receivers]);
  for (const client of [...others, ...receivers]) assert.deepEqual(contents(client), ['to all']);
  assert.deepEqual(contents(sender), []);
  assert.deepEqual(contents(stranger), []);
});

test('delivered tells whether the receiver had a live connection', async () => {
  const hal = await login(nodes[0], 'hal');
  const send = () => hal.emit('private_message', { receiverId: 'ivy', content: 'there?' });
  assert.equal((await send()).delivered, false);
  const phone = await login(nodes[0], 'ivy');
  const desk = await login(nodes[1], 'ivy');
  assert.equal((await send()).delivered, true);
  await phone.close();
  assert.equal((await send()).delivered, true);
  await hal.emit('join', { room: 'watch' });
  await desk.emit('join', { room: 'watch' });
  await desk.close();
  await hal.next('user_offline', ofUser('ivy'));
  const last = await send();
  assert.equal(last.delivered, false);
  assert.equal(last.seq, 4);
});

test('a message to oneself reaches the other devices once', async () => {
  const phone = await login(nodes[0], 'jim');
  const desk = await login(nodes[1], 'jim');
  const ack = await phone.emit('private_message', { receiverId: 'jim', content: 'note' });
  assert.equal(ack.delivered, true);
  assert.equal(ack.seq, 1);
  const frame = await desk.next('new_private_message');
  assert.deepEqual([frame.data.senderId, frame.data.receiverId], ['jim', 'jim']);
  await fence(redis, [phone, desk]);
  assert.deepEqual(contents(desk), ['note']);
  assert.deepEqual(contents(phone), []);
  assert.deepEqual(ack.resume['user:jim'], desk.positions['user:jim']);
});

test('any JSON value may be the content', async () => {
  const kim = await login(nodes[0], 'kim');
  const leo = await login(nodes[1], 'leo');
  const values = ['', 0, -1.5, true, false, null, [], {}, { a: [1, { b: null }] }];
  for (const content of values) await kim.emit('private_message', { receiverId: 'leo', content });
  for (const content of values) {
    assert.deepEqual((await leo.next('new_private_message')).data.content, content);
  }
});

test('unknown members are ignored; senderId may be given', async () => {
  const mia = await login(nodes[0], 11);
  const ned = await login(nodes[1], 12);
  await mia.emit('private_message', { senderId: '11', receiverId: 12, content: 'a', x: [1] });
  await mia.emit('private_message', { userId: 11, receiverId: '12', content: 'b' });
  assert.deepEqual((await ned.next('new_private_message')).data.content, 'a');
  const { data } = await ned.next('new_private_message');
  assert.deepEqual(Object.keys(data), ['senderId', 'receiverId', 'content', 'timestamp', 'seq']);
});

test("the ack leaves only when the inbox before its position has been sent", async () => {
  const COUNT = 60;
  const pat = await login(nodes[0], 'pat');
  const quy = await login(nodes[1], 'quy');
  const send = (from, to) =>
    Promise.all(
      range(1, COUNT).map((content) => from.emit('private_message', { receiverId: to, content })),
    );
  await Promise.all([send(pat, 'quy'), send(quy, 'pat')]);
  for (const [client, channel] of [[pat, 'user:pat'], [quy, 'user:quy']]) {
    await client.next('new_private_message', having({ content: COUNT }));
    let acked = 0;
    for (const frame of client.frames) {
      if (frame.channel === channel) assert.ok(frame.seq > acked, `${frame.seq} after ack ${acked}`);
      acked = frame.data?.resume?.[channel]?.seq ?? acked;
    }
    const acks = client.frames.map((frame) => frame.data?.resume?.[channel]?.seq);
    const own = acks.filter((seq) => seq > 0);
    const theirs = seqs(logged(client, channel));
    assert.equal(count(client, 'new_private_message'), COUNT);
    assert.equal(new Set(theirs).size, COUNT, 'each of their messages once');
    assert.equal(own.length, COUNT);
    // One's own messages have the positions between. On a Cluster one may have come to the inbox with
    // later ones. Then its ack tells the position of the last of these.
    const positions = range(1, 2 * COUNT).filter((seq) => !theirs.includes(seq));
    own.sort((a, b) => a - b).forEach((seq, i) => {
      assert.ok(seq >= positions[i] && seq <= 2 * COUNT, `ack ${seq} for ${positions[i]}`);
      if (mode() !== 'cluster') assert.equal(seq, positions[i]);
    });
  }
});
