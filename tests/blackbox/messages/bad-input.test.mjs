// Bad input is answered by an error that names the field; the connection and everybody else go on.

import assert from 'node:assert/strict';
import { after, before } from 'node:test';
import { cluster, connect, login, test } from '../lib/harness.mjs';
import { refused } from '../lib/frames.mjs';

let c;
let ann;
let bob;
before(async () => {
  c = await cluster({ nodes: 2 });
  ann = await login(c.nodes[0], 'ann');
  bob = await login(c.nodes[1], 'bob');
});
after(() => c.stop());

for (const [text, code] of [
  ['{"event":', 'bad_json'],
  ['', 'bad_json'],
  ['{"event":"heartbeat"} x', 'bad_json'],
  [`${'['.repeat(200)}${']'.repeat(200)}`, 'bad_json'],
  ['[1]', 'bad_message'],
  ['"text"', 'bad_message'],
  ['{}', 'bad_message'],
  ['{"event":7}', 'bad_message'],
  ['{"event":"heartbeat","ack":1.5}', 'bad_message'],
  ['{"event":"heartbeat","ack":{}}', 'bad_message'],
  ['{"event":"nothing"}', 'unknown_event'],
]) {
  test(`${text.slice(0, 40)} is ${code}`, async () => {
    const client = await connect(c.nodes[0]);
    client.raw(text);
    const { data } = await client.next('error');
    assert.equal(data.code, code);
    await refused(client.emit('typing', { room: 'x' }), 'not_logged_in');
    client.close();
  });
}

const long = 'x'.repeat(129);
for (const [event, data, code, field] of [
  ['private_message', { content: 'x' }, 'missing_field', 'receiverId'],
  ['private_message', { receiverId: 'bob' }, 'missing_field', 'content'],
  ['private_message', { receiverId: '', content: 1 }, 'bad_field', 'receiverId'],
  ['private_message', { receiverId: long, content: 1 }, 'bad_field', 'receiverId'],
  ['private_message', { receiverId: 'a b', content: 1 }, 'bad_field', 'receiverId'],
  ['private_message', { receiverId: 'a{b', content: 1 }, 'bad_field', 'receiverId'],
  ['private_message', { receiverId: 'a:b', content: 1 }, 'bad_field', 'receiverId'],
  ['private_message', { receiverId: 'a\u0001', content: 1 }, 'bad_field', 'receiverId'],
  ['private_message', { receiverId: 1.5, content: 1 }, 'bad_field', 'receiverId'],
  ['private_message', { receiverId: 'bob', content: 1, clientMessageId: {} }, 'bad_field', 'clientMessageId'],
  ['private_message', { receiverId: 'bob', content: 1, senderId: 'bob' }, 'forbidden', 'senderId'],
  ['sendMessage', {}, 'missing_field', 'message'],
  ['sendMessage', { room: 'nowhere', message: 1 }, 'not_a_member'],
  ['sendMessage', { room: 7, message: 1 }, 'bad_field', 'room'],
  ['join', { room: 'a b' }, 'bad_field', 'room'],
  ['join', { id: 'bob' }, 'already_logged_in', 'id'],
  ['login', { userId: 'bob' }, 'already_logged_in', 'userId'],
  ['login', { userId: 'ann', resume: { 'user:bob': { epoch: 'x', seq: 1 } } }, 'forbidden', 'resume'],
  ['login', { userId: 'ann', resume: [1] }, 'bad_field', 'resume'],
  ['history', { peer: 'bob', limit: 0 }, 'bad_field', 'limit'],
  ['history', { peer: 'bob', limit: 101 }, 'bad_field', 'limit'],
  ['history', { peer: 'bob', before: -1 }, 'bad_field', 'before'],
  ['history', { room: 'nowhere' }, 'not_a_member'],
  ['history', { room: 'x', peer: 'bob' }, 'bad_field', 'room'],
  ['read', { peer: 'bob' }, 'missing_field', 'seq'],
  ['read', { peer: 'bob', seq: '1' }, 'bad_field', 'seq'],
  ['typing', { receiverId: 'a b' }, 'bad_field', 'receiverId'],
  ['all_member', { room: 'nowhere' }, 'not_a_member'],
  ['subscribe', {}, 'missing_field', 'channel'],
  ['subscribe', { channel: 'news' }, 'bad_field', 'channel'],
  ['subscribe', { channel: 'user:bob' }, 'forbidden', 'channel'],
  ['subscribe', { channel: 'topic:x', since: 3 }, 'bad_field', 'since'],
  ['publish', { channel: 'topic:x' }, 'missing_field', 'data'],
  ['message_chunk', { id: 'x', index: 0, total: 0, data: '' }, 'bad_field', 'total'],
]) {
  test(`${event} ${JSON.stringify(data).slice(0, 60)}: ${code} ${field ?? ''}`, async () => {
    await refused(ann.emit(event, data), code, field);
    await ann.emit('private_message', { receiverId: 'bob', content: 'still here' });
    assert.equal((await bob.next('new_private_message')).data.content, 'still here');
  });
}

for (const text of ['9007199254740993', '1.0', '1e400', '-0', '"\\ud83d\\u0000\\/"', '{ "a" : [ 1.50,\n null ] }', '"日本 😀"']) {
  test(`${text} arrives byte for byte`, async () => {
    ann.raw(`{"event":"private_message","data":{"receiverId":"bob","content":${text}}}`);
    const frame = await bob.next('new_private_message');
    assert.ok(frame.text.includes(`"content":${text},"timestamp"`), frame.text);
  });
}
