// Two front ends as their tutorials have them, not a line changed: a desk of customer service and
// a chat room on Redis.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { cluster, login, test } from '../lib/harness.mjs';
import { kept } from '../lib/waiting.mjs';
import { emit, front, next, WAYS } from '../lib/socketio.mjs';

const { nodes, stop } = await cluster({ nodes: 2 });
after(stop);

const ids = (list) => [...list].sort();

for (const transports of WAYS) {
  const way = transports.join(' then ');
  const tag = transports.join('');

  // What such a page does on connect, and on its buttons.
  async function desk(node, userId, csId) {
    const socket = await front(node, { transports });
    socket.emit('login', { userId, csId });
    socket.beaten = new Promise((resolve) => {
      socket.timer = setInterval(() => resolve(socket.emit('heartbeat', { userId })), 2000);
    });
    return socket;
  }

  test(`${way}: customer service`, async () => {
    const [agent, guest] = [`agent-${tag}`, `guest-${tag}`];
    const cs = await desk(nodes[0], agent, tag);
    assert.deepEqual(await next(cs, 'Online_user'), [agent]);
    const visitor = await desk(nodes[1], guest, tag);
    assert.deepEqual(ids(await next(visitor, 'Online_user', { match: (l) => l.length === 2 })), [
      agent,
      guest,
    ]);
    await next(cs, 'user_online', { match: (id) => id === guest });
    assert.deepEqual(
      await next(cs, 'update_member_list', { match: ({ total }) => total === 2 }),
      { room: `room-${tag}`, online: 2, total: 2 },
    );

    visitor.emit('private_message', { senderId: guest, receiverId: agent, content: 'help' });
    const asked = await next(cs, 'new_private_message');
    assert.deepEqual(Object.keys(asked).sort(), [
      'content',
      'receiverId',
      'senderId',
      'seq',
      'timestamp',
    ]);
    assert.deepEqual([asked.senderId, asked.content], [guest, 'help']);
    cs.emit('all_member', {});
    const list = await next(cs, 'myUsersList');
    const row = list.find(({ id }) => id === guest);
    assert.deepEqual([row.online, row.message_count], [true, 1]);
    cs.emit('private_message', { receiverId: guest, content: 'yes?' }, (answer) => {
      cs.answered = answer;
    });
    assert.equal((await next(visitor, 'new_private_message')).content, 'yes?');
    cs.emit('all_member');
    await next(cs, 'myUsersList');
    assert.equal(typeof cs.answered.seq, 'number');

    // It beats, then is silent for 4 s: the desk sees the visitor go, whose socket stays.
    await kept(visitor.beaten);
    clearInterval(visitor.timer);
    await next(cs, 'user_offline', { match: (id) => id === guest, timeout: 40000 });
    assert.ok(visitor.connected);
    visitor.emit('heartbeat', { userId: guest });
    await next(cs, 'user_online', { match: (id) => id === guest });
    visitor.end();
    await next(cs, 'user_offline', { match: (id) => id === guest });
    clearInterval(cs.timer);
    cs.end();
  });

  test(`${way}: chat room on Redis`, async () => {
    const names = ['ann', 'bob'].map((name) => `${name}-${tag}`);
    const room = `lobby`;
    const ann = await front(nodes[0], { transports });
    ann.emit('join', { id: names[0] });
    await next(ann, 'onlineUsers', { match: (list) => list.includes(names[0]) });
    const bob = await front(nodes[1], { transports });
    bob.emit('join', { id: names[1] });
    assert.deepEqual(await next(ann, 'userJoined', { match: (m) => m.userId === names[1] }), {
      room,
      userId: names[1],
    });
    await next(ann, 'onlineUsers', { match: (list) => list.includes(names[1]) });
    await next(bob, 'onlineUsers', { match: (list) => list.includes(names[0]) });
    ann.emit('sendMessage', 'hello everybody');
    const { userId, message } = await next(bob, 'chatMessage');
    assert.deepEqual([userId, message], [names[0], 'hello everybody']);
    bob.emit('sendMessage', { message: { text: 'hello' } });
    assert.deepEqual((await next(ann, 'chatMessage', { match: (m) => m.userId === names[1] })).message, {
      text: 'hello',
    });
    bob.end();
    await next(ann, 'userLeft', { match: (m) => m.userId === names[1] });
    ann.end();
  });
}

test('a roster, a join and a message are the same behind both doors', async () => {
  const ann = await front(nodes[0]);
  await emit(ann, 'join', { id: 'same-ann', room: 'same' });
  const json = await login(nodes[1], 'same-json');
  await json.emit('join', { room: 'same' });
  for (const event of ['userJoined', 'update_member_list']) await next(ann, event);
  await json.emit('sendMessage', { room: 'same', message: 'x' });
  assert.deepEqual(await next(ann, 'chatMessage'), (await json.next('chatMessage')).data);
  ann.end();
  await json.next('userLeft');
  await json.close();
});
