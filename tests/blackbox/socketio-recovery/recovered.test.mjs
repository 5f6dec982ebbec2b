// Connection state recovery for official clients: a transport that ends is followed by another
// on which everything goes on, as often as it happens.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { ofUser } from '../lib/frames.mjs';
import { cluster, login, test, until } from '../lib/harness.mjs';
import * as recovery from '../lib/recovery.mjs';
import { hash, publish } from '../lib/registry.mjs';
import { emit, next, WAYS } from '../lib/socketio.mjs';

const { assertOffsets, away, back, comeBack, ENDS, guest, QUICK, Scene } = recovery;
const { redis, nodes, stop } = await cluster({ nodes: 2, args: QUICK });
after(stop);

const said = (user, event, data) =>
  user.frames.filter((frame) => frame.event === event && frame.data === data).length;

for (const transports of WAYS) {
  const way = transports.join(' then ');
  const tag = transports.join('');

  for (const [how, end] of Object.entries(ENDS)) {
    test(`${way}, ${how}: missed messages come once, again and again`, async (t) => {
      const name = `a-${tag}-${how.length}`;
      const ann = await guest(t, nodes[0], name, { transports });
      const scene = await Scene.of(t, nodes[1], ann);
      await scene.check();
      for (let i = 1; i <= 5; i++) {
        await comeBack(ann, nodes[i % 2], { end, meanwhile: () => scene.say(i % 3 ? 3 : 0) });
        await scene.guestSays(`here again ${i}`);
        if (i !== 3) await scene.check();
      }
      await scene.check();
      // Logging in once more, as front ends do at each connect, tells all that was recovered.
      const { resume } = await emit(ann, 'login', { userId: name });
      const stands = async (channel) =>
        Number((await hash(redis, `sluice:{${channel}}:meta`)).seq ?? 0);
      const channels = [`room:${name}`, `topic:${name}`, `user:${name}`];
      assert.deepEqual(Object.keys(resume).sort(), channels);
      for (const channel of channels) {
        assert.equal(resume[channel].seq, await stands(channel), channel);
      }
      assertOffsets(ann);
      await until(async () => Object.keys(await hash(redis, `sluice:{user:${name}}:conns`)).length === 1);
    });
  }

  test(`${way}: when no event had come yet`, async (t) => {
    const ann = await guest(t, nodes[0], `none-${tag}`, { transports });
    const bob = await login(nodes[1], `bob-${tag}`);
    const tell = (content) => bob.emit('private_message', { receiverId: ann.user, content });
    await comeBack(ann, nodes[1]);
    await comeBack(ann, nodes[0], { meanwhile: () => tell(1) });
    assert.equal((await next(ann, 'new_private_message')).content, 1);
    await comeBack(ann, nodes[1]);
    await tell(2);
    assert.equal((await next(ann, 'new_private_message')).content, 2);
    assert.deepEqual(
      ann.heard.map(({ data }) => data.content),
      [1, 2],
    );
    await bob.close();
  });

  test(`${way}: events that were sent and never arrived come again`, async (t) => {
    const ann = await guest(t, nodes[0], `swallowed-${tag}`, { transports });
    const scene = await Scene.of(t, nodes[1], ann);
    for (const node of [nodes[0], nodes[1], nodes[0]]) {
      if (ann.door.links().length) ann.door.stall({ direction: 'toNode' });
      await scene.say(2);
      await comeBack(ann, node, { meanwhile: () => scene.say(2) });
    }
    await scene.check();
  });

  test(`${way}: an upgrade or a poll is cut at any moment`, async (t) => {
    const ann = await guest(t, nodes[0], `soon-${tag}`, { transports });
    const scene = await Scene.of(t, nodes[1], ann);
    for (let i = 0; i < 15; i++) {
      await comeBack(ann, nodes[i % 2], { meanwhile: () => scene.say() });
      await new Promise((resolve) => setTimeout(resolve, 3 * i));
    }
    await scene.check();
  });
}

test('it is logged in as before: user, username, role, default room', async (t) => {
  const fields = { username: 'Ann the First', role: 'agent', csId: 'who' };
  const ann = await guest(t, nodes[0], 'who', { fields });
  const bob = await login(nodes[1], 'who-bob', { csId: 'who' });
  await emit(ann, 'join', { room: 'who-last' });
  await bob.emit('join', { room: 'who-last' });
  for (const node of [nodes[1], nodes[0]]) {
    await comeBack(ann, node, {
      meanwhile: async () => {
        await bob.next('user_offline', ofUser('who'));
        await redis.cli('DEL', 'sluice:{user:who}:profile');
      },
    });
    await bob.next('user_online', ofUser('who'));
    const rows = await bob.emit('all_member', { room: 'room-who' });
    const row = rows.find(({ id }) => id === 'who');
    assert.deepEqual([row.username, row.role, row.online], ['Ann the First', 'agent', true]);
    await emit(ann, 'sendMessage', `from ${node.id}`);
    const { data } = await bob.next('chatMessage');
    assert.deepEqual([data.userId, data.room, data.message], ['who', 'who-last', `from ${node.id}`]);
    await assert.rejects(emit(ann, 'login', { userId: 'other' }), { code: 'already_logged_in' });
    await emit(ann, 'login', { userId: 'who' });
  }
  await bob.close();
});

test('it gets fresh rosters of its rooms, and the others hear that it is back', async (t) => {
  const ann = await guest(t, nodes[0], 'ro-ann', { fields: { csId: 'ro' } });
  await emit(ann, 'join', { room: 'ro' });
  const bob = await login(nodes[1], 'ro-bob', { csId: 'ro' });
  await bob.emit('join', { room: 'ro' });
  for (const node of [nodes[1], nodes[0]]) {
    await comeBack(ann, node, {
      meanwhile: async () => {
        await bob.next('user_offline', ofUser('ro-ann'));
        ann.got.length = 0;
      },
    });
    const all = (list) => [...list].sort().join() === 'ro-ann,ro-bob';
    await next(ann, 'Online_user', { match: all });
    await next(ann, 'onlineUsers', { match: all });
    const counts = ({ online, total }) => online === 2 && total === 2;
    for (const room of ['ro', 'room-ro']) {
      await next(ann, 'update_member_list', { match: (l) => l.room === room && counts(l) });
    }
    await bob.next('user_online', ofUser('ro-ann'));
    await bob.next('onlineUsers', { match: ({ data }) => all(data) });
  }
  assert.equal(said(bob, 'user_offline', 'ro-ann'), 2);
  await bob.close();
});

test('rooms and topics that it entered and left are remembered', async (t) => {
  const ann = await guest(t, nodes[0], 'rem-ann', { fields: { csId: 'rem' } });
  const bob = await login(nodes[1], 'rem-bob', { csId: 'rem' });
  const cat = await login(nodes[1], 'rem-cat');
  const rooms = ['rem-1', 'rem-2', 'rem-3', 'rem-4'];
  for (const room of rooms) await bob.emit('join', { room });
  const steps = [
    ['join', { room: 'rem-1' }],
    ['join', { room: 'rem-2' }],
    ['subscribe', { channel: 'topic:rem-1' }],
    ['subscribe', { channel: 'topic:rem-2' }],
    ['leave', { room: 'rem-1' }],
    ['unsubscribe', { channel: 'topic:rem-1' }],
    ['join', { room: 'rem-3' }],
    ['leave', { room: 'rem-3' }],
    ['join', { room: 'rem-3' }],
    ['subscribe', { channel: 'topic:rem-1' }],
    ['leave', { room: 'room-rem' }],
  ];
  const now = new Set(['room-rem']);
  for (const [i, [event, data]] of steps.entries()) {
    await emit(ann, event, data);
    const what = data.room ?? data.channel;
    if (event === 'join' || event === 'subscribe') now.add(what);
    else now.delete(what);
    const expected = [];
    const sayAll = async (text) => {
      for (const room of [...rooms, 'room-rem']) {
        await bob.emit('sendMessage', { room, message: `${room} ${text}` });
        if (now.has(room)) expected.push(`${room} ${text}`);
      }
      for (const channel of ['topic:rem-1', 'topic:rem-2', 'topic:rem-3']) {
        await bob.emit('publish', { channel, data: `${channel} ${text}` });
        if (now.has(channel)) expected.push(`${channel} ${text}`);
      }
    };
    const before = ann.heard.length;
    await comeBack(ann, nodes[(i + 1) % 2], { meanwhile: () => sayAll(`away ${i}`) });
    await sayAll(`live ${i}`);
    await cat.emit('private_message', { receiverId: 'rem-ann', content: 'end' });
    await next(ann, 'new_private_message');
    const logged = () => ann.heard.slice(before).filter(({ offset }) => typeof offset === 'string');
    const texts = () => logged().map(({ data }) => data.message ?? data.content ?? data);
    await until(() => texts().length >= expected.length + 1, { what: `${expected} come, at step ${i}` });
    assert.deepEqual(texts().sort(), [...expected, 'end'].sort(), `step ${i}`);
  }
  for (const client of [bob, cat]) await client.close();
});

test('the last message was in a room that it has left since', async (t) => {
  const ann = await guest(t, nodes[0], 'left');
  const scene = await Scene.of(t, nodes[1], ann);
  await scene.speaker.emit('join', { room: 'left-other' });
  for (const node of [nodes[1], nodes[0]]) {
    await emit(ann, 'join', { room: 'left-other' });
    await scene.speaker.emit('sendMessage', { room: 'left-other', message: 'the last' });
    await next(ann, 'chatMessage', { match: ({ message }) => message === 'the last' });
    await emit(ann, 'leave', { room: 'left-other' });
    await comeBack(ann, node, { meanwhile: () => scene.say(2) });
  }
  await scene.check();
});

test('a room that its user left by another connection meanwhile stays left', async (t) => {
  const ann = await guest(t, nodes[0], 'device');
  const scene = await Scene.of(t, nodes[1], ann);
  const other = await login(nodes[1], 'device');
  const { speaker } = scene;
  await speaker.emit('join', { room: 'device-2' });
  await emit(ann, 'join', { room: 'device-2' });
  await comeBack(ann, nodes[1], {
    meanwhile: async () => {
      await other.emit('leave', { room: 'device-2' });
      await speaker.emit('sendMessage', { room: 'device-2', message: 'not for ann' });
      await scene.say(2);
    },
  });
  await speaker.emit('sendMessage', { room: 'device-2', message: 'not for ann' });
  await scene.check();
  const leftRoom = { room: 'device-2', message: 'x' };
  await assert.rejects(emit(ann, 'sendMessage', leftRoom), { code: 'not_a_member' });
  assert.ok(!ann.heard.some(({ data }) => data?.message === 'not for ann'));
  await comeBack(ann, nodes[0]);
  await scene.check();
  await other.close();
});

test('a string as the data of an event is not taken for the position', async (t) => {
  const ann = await guest(t, nodes[0], 'str');
  const scene = await Scene.of(t, nodes[1], ann);
  const by = {
    'user_online of another': async () => {
      const cat = await login(nodes[1], 'str-cat', {});
      await cat.emit('join', { room: 'str' });
      await cat.close();
      await next(ann, 'user_offline', { match: (id) => id === 'str-cat' });
    },
    'a text published by hand': async () => {
      await publish(redis, 'sluice:{room:str}', 'by hand');
      await publish(redis, 'sluice:{user:str}', 'by hand too');
      await next(ann, 'message', { match: (text) => text === 'by hand too' });
    },
    'a string in a topic': async () => {
      await emit(ann, 'subscribe', { channel: 'topic:str-2' });
      await scene.speaker.emit('publish', { channel: 'topic:str-2', data: 'just text' });
      await next(ann, 'message', { match: (text) => text === 'just text' });
      await emit(ann, 'unsubscribe', { channel: 'topic:str-2' });
    },
  };
  for (const [what, act] of Object.entries(by)) {
    for (const node of [nodes[1], nodes[0]]) {
      await act();
      await comeBack(ann, node, { meanwhile: () => scene.say(2) });
      await scene.check();
    }
    assert.ok(what);
  }
  const strings = ann.heard.filter(({ data }) => typeof data === 'string');
  for (const text of ['by hand', 'just text', 'str-cat']) {
    assert.ok(strings.some(({ data }) => data === text));
  }
  for (const { event, data, offset } of strings) {
    const isLogged = event === 'message' && !data.startsWith('by hand');
    if (isLogged) assert.equal(typeof offset, 'string');
    else assert.equal(offset, null, `${event} ${data}`);
  }
});

test('binary messages', async (t) => {
  const bytes = Buffer.from([0, 1, 254, 255]);
  const ann = await guest(t, nodes[0], 'bin', { transports: ['polling', 'websocket'] });
  const bob = await guest(t, nodes[1], 'bin-bob');
  for (const s of [ann, bob]) {
    await emit(s, 'join', { room: 'bin' });
    await emit(s, 'subscribe', { channel: 'topic:bin' });
  }
  const expected = [];
  const sayAll = async (n) => {
    const image = Buffer.concat([bytes, Buffer.from([n])]);
    await emit(bob, 'private_message', { receiverId: 'bin', content: [image, image] });
    await emit(bob, 'sendMessage', { room: 'bin', message: image });
    await emit(bob, 'publish', { channel: 'topic:bin', data: { image } });
    await emit(bob, 'publish', { channel: 'topic:bin', data: image });
    expected.push([image, image], image, { image }, image);
  };
  const valueOf = ({ data }) => data.content ?? data.message ?? data;
  const values = () => ann.heard.filter(({ event }) => /essage$/.test(event)).map(valueOf);
  for (let n = 1; n <= 4; n++) {
    await sayAll(2 * n);
    await comeBack(ann, nodes[n % 2], { meanwhile: () => sayAll(2 * n + 1) });
  }
  await until(() => values().length >= expected.length, { what: 'all have come' });
  const sorted = (list) => list.map((one) => JSON.stringify(one)).sort();
  assert.deepEqual(sorted(values()), sorted(expected));
  const room = ann.heard.filter(({ event }) => event === 'chatMessage').map(valueOf);
  assert.deepEqual(room, expected.filter((_, i) => i % 4 === 1));
  assertOffsets(ann);
});

test('its own private messages do not come back to it, not even those just before the cut', async (t) => {
  const ann = await guest(t, nodes[0], 'own');
  const scene = await Scene.of(t, nodes[1], ann);
  const second = await login(nodes[1], 'own');
  const saying = (content) => [
    'private_message',
    { receiverId: 'speaker-own', content, clientMessageId: content },
  ];
  const tell = (content) => emit(ann, ...saying(content));
  let answers = 0;
  for (const [i, node] of [nodes[1], nodes[0], nodes[1]].entries()) {
    const acked = await tell(`acked ${i}`);
    await scene.say();
    ann.door.stall({ direction: 'toNode' });
    ann.emit(...saying(`never acked ${i}`), () => answers++);
    for (const one of [scene.speaker, second]) {
      await one.next('new_private_message', { match: ({ data }) => data.content === `never acked ${i}` });
    }
    await comeBack(ann, node, { meanwhile: () => scene.say() });
    // Said again, it is the same message.
    const repeated = await tell(`never acked ${i}`);
    assert.ok(repeated.seq > acked.seq);
    await tell(`live ${i}`);
    await scene.check();
  }
  assert.equal(answers, 0, 'acks of what it never had acknowledged');
  const told = (one) =>
    one.frames
      .filter(({ event, data }) => event === 'new_private_message' && data.senderId === 'own')
      .map(({ data }) => data.content);
  const all = [0, 1, 2].flatMap((i) => [`acked ${i}`, `never acked ${i}`, `live ${i}`]);
  await until(() => told(second).length >= all.length);
  for (const one of [scene.speaker, second]) assert.deepEqual(told(one), all);
  await second.close();
});

test('what it sends as soon as it is back takes effect, in order', async (t) => {
  const ann = await guest(t, nodes[0], 'soon');
  const scene = await Scene.of(t, nodes[1], ann);
  for (const node of [nodes[1], nodes[0]]) {
    await away(ann);
    // The client keeps these and sends them behind its CONNECT.
    for (let i = 0; i < 20; i++) {
      const text = `${node.id} ${i}`;
      ann.emit('sendMessage', { room: 'soon', message: text });
      scene.said.room.push(text);
    }
    assert.equal(await back(ann, node), true);
    await until(() => scene.heard().room.length >= scene.said.room.length);
    await scene.check();
  }
});
