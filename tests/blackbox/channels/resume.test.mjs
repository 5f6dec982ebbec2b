// Resume: what was missed comes once, in order, byte for byte, from any node and again and again.
import assert from 'node:assert/strict';
import { cluster, inRoom, login, test } from '../lib/harness.mjs';
import { range } from '../lib/frames.mjs';

const { nodes } = await cluster({ nodes: 2 });

test('inbox, room and topic together, across nodes, while they are being written', async () => {
  const ann = await login(nodes[0], 'ann');
  let bob = await login(nodes[1], 'bob');
  for (const client of [ann, bob]) await client.emit('join', { room: 'r' });
  await bob.emit('subscribe', { channel: 'topic:t' });
  const TURNS = 12;
  let going = true;
  let n = 0;
  const writing = (async () => {
    while (going || n < 100) {
      n++;
      await Promise.all([
        ann.emit('private_message', { receiverId: 'bob', content: n }),
        ann.emit('sendMessage', { room: 'r', message: n }),
        ann.emit('publish', { channel: 'topic:t', data: n }),
      ]);
    }
  })();
  const got = { new_private_message: [], chatMessage: [], message: [] };
  const value = { new_private_message: 'content', chatMessage: 'message' };
  const collect = (client) => {
    for (const { event, data } of client.frames) {
      if (event in got) got[event].push(value[event] ? data[value[event]] : data);
    }
  };
  for (const turn of range(1, TURNS)) {
    bob.terminate();
    collect(bob);
    const resume = structuredClone(bob.positions);
    bob = await login(nodes[turn % 2], 'bob', { resume });
    assert.equal(bob.ack.recovered, true);
    await bob.next('chatMessage');
  }
  going = false;
  await writing;
  for (const event in got) {
    const last = ({ data }) => (value[event] ? data[value[event]] : data) === n;
    if (!bob.frames.some((frame) => frame.event === event && last(frame))) {
      await bob.next(event, { match: last });
    }
  }
  collect(bob);
  for (const event in got) assert.deepEqual(got[event], range(1, n), event);
});

test('payloads are byte-exact live, in history and in a resume', async () => {
  const texts = ['9007199254740993', '1.0', '1e400', '{"b":1,"a":[ -0, 1E+2 ],"b":2}', '"\\u0041/\\/"'];
  const [ann, bob] = await inRoom(nodes, 'exact', 'ann2', 'bob2');
  const away = structuredClone(bob.positions);
  const check = async (client) => {
    for (const text of texts) {
      const frame = await client.next('chatMessage');
      assert.ok(frame.text.includes(`"message":${text},`), frame.text);
    }
  };
  for (const text of texts) {
    await ann.emitText('sendMessage', `{"room":"exact","message":${text}}`);
  }
  await check(bob);
  await bob.close();
  const again = await login(nodes[0], 'bob2', { resume: away });
  await check(again);
  await again.emit('history', { room: 'exact' });
  const { text: page } = again.frames.findLast(({ text }) => text.includes('"messages":'));
  for (const text of texts) assert.ok(page.includes(`"message":${text},`), page);
});

test('ids with quotes, backslashes, other scripts, and as long as may be', async () => {
  const ids = ['a"b', 'c\\d', '名前', '🙂', "e'f", 'x'.repeat(128), '%s'];
  const ann = await login(nodes[0], 'ann3');
  for (const id of ids) {
    const first = await login(nodes[1], id);
    await first.emit('join', { room: `r-${id}`.slice(0, 100) });
    await first.close();
    const ack = await ann.emit('private_message', { receiverId: id, content: id });
    const client = await login(nodes[0], id, { resume: first.positions });
    assert.equal(client.ack.recovered, true, id);
    const { data } = await client.next('new_private_message');
    assert.deepEqual([data.receiverId, data.content, data.seq], [id, id, ack.seq]);
    const { messages } = await client.emit('history', { peer: 'ann3' });
    assert.deepEqual(messages, [data]);
    await client.emit('read', { peer: 'ann3', seq: ack.seq });
    const mark = await ann.next('message_read', { match: (frame) => frame.data.userId === id });
    assert.deepEqual(mark.data, { userId: id, peer: 'ann3', seq: ack.seq });
  }
});

test('what fell out of the log is told as lost', async (t) => {
  const small = await cluster({ nodes: 2, args: ['--history-max', '10'] });
  t.after(small.stop);
  const ann = await login(small.nodes[0], 'ann');
  const bob = await login(small.nodes[1], 'bob');
  await bob.emit('subscribe', { channel: 'topic:t' });
  await bob.emit('subscribe', { channel: 'topic:quiet' });
  const resume = structuredClone(bob.positions);
  await bob.close();
  for (const i of range(1, 40)) await ann.emit('publish', { channel: 'topic:t', data: i });
  const again = await login(small.nodes[0], 'bob', { resume });
  assert.equal(again.ack.recovered, false);
  assert.deepEqual(again.ack.lost, ['topic:t']);
  assert.equal(again.ack.resume['topic:t'].seq, 40);
  await ann.emit('publish', { channel: 'topic:t', data: 'live' });
  await ann.emit('publish', { channel: 'topic:quiet', data: 'live' });
  const frames = [await again.next('message'), await again.next('message')];
  assert.deepEqual(frames.map(({ data }) => data), ['live', 'live']);
});
