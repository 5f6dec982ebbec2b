// A doorbell is not believed against the log: what somebody publishes there does no harm.
import assert from 'node:assert/strict';
import { chats } from '../lib/frames.mjs';
import { cluster, inRoom, test, until } from '../lib/harness.mjs';
import { fence, hash, metric, publish, publishBytes } from '../lib/registry.mjs';

const { redis, nodes } = await cluster({ nodes: 2 });

async function room(name) {
  const [ann, bob] = await inRoom(nodes, name, `ann-${name}`, `bob-${name}`);
  await ann.emit('sendMessage', { room: name, message: 'first' });
  for (const client of [ann, bob]) await client.next('chatMessage');
  const { epoch } = await hash(redis, `sluice:{room:${name}}:meta`);
  const bell = `sluice:{room:${name}}`;
  const frame = (epochOf, seq, more = '') =>
    `{"channel":"room:${name}","epoch":"${epochOf}","seq":${seq},"time":1,"event":"chatMessage",` +
    `"data":{"room":"${name}","userId":"eve","message":"forged"${more}}}`;
  // After the forgeries real messages arrive, once, in order, and none of those.
  const sound = async (...expected) => {
    const texts = ['second', 'third', 'fourth'];
    for (const message of texts) await ann.emit('sendMessage', { room: name, message });
    for (const client of [ann, bob]) {
      await client.next('chatMessage', { match: ({ data }) => data.message === 'fourth' });
      const got = chats(client);
      assert.deepEqual(
        got.map(({ data }) => data.message),
        ['first', ...texts],
      );
      assert.deepEqual(
        got.map(({ seq }) => seq),
        [1, 2, 3, 4],
      );
      await client.none('channel_reset');
      assert.deepEqual(
        client.take('message').map(({ data }) => data),
        expected,
      );
      assert.ok(client.isOpen);
    }
  };
  return { ann, bob, epoch, bell, frame, sound };
}

test('a far seq of the right epoch', async () => {
  const { epoch, bell, frame, sound } = await room('far');
  await publish(redis, bell, frame(epoch, 1000));
  await publish(redis, bell, frame(epoch, 3));
  await publish(redis, bell, frame(epoch, '999999999999999999'));
  await sound();
});

test('a foreign epoch', async () => {
  const { bell, frame, sound } = await room('foreign');
  await publish(redis, bell, frame('zzzz', 2));
  await publish(redis, bell, frame('zzzz', 1));
  await publish(redis, bell, frame('a-very-long-epoch-that-no-log-ever-had', 7));
  await sound();
});

test('an old seq', async () => {
  const { epoch, bell, frame, sound } = await room('old');
  await publish(redis, bell, frame(epoch, 1));
  await sound();
});

test('it is counted', async () => {
  const { epoch, bell, frame, sound } = await room('counted');
  const read = (...reasons) =>
    Promise.all(
      nodes.flatMap((node) =>
        reasons.map((reason) => metric(node, 'sluice_dropped_total', { class: 'message', reason })),
      ),
    );
  const before = await read('old', 'not_utf8');
  await publish(redis, bell, frame(epoch, 1));
  await publishBytes(redis, bell, [0x68, 0xff, 0xfe]);
  await until(async () => (await read('old', 'not_utf8')).every((n, i) => n > before[i]));
  const then = await read('unconfirmed');
  await publish(redis, bell, frame(epoch, 77));
  await until(async () => (await read('unconfirmed')).every((n, i) => n > then[i]));
  await sound();
});

test('invalid UTF-8 is dropped, on every kind of doorbell', async () => {
  const { ann, bob, bell, sound } = await room('utf8');
  for (const channel of [bell, `sluice:{user:${bob.user}}`, 'sluice:{all}', 'sluice:presence']) {
    await publishBytes(redis, channel, [0xc3, 0x28]);
    await publishBytes(redis, channel, [0x22, 0xed, 0xa0, 0x80, 0x22]);
    await publishBytes(redis, channel, [0xff]);
  }
  await fence(redis, [ann, bob]);
  await sound();
});

test('what only looks like a frame comes out as text, and harms nothing', async () => {
  const { bell, sound, epoch } = await room('looks');
  const texts = [
    '{"channel":"room:other","epoch":"x","seq":2,"time":1,"event":"chatMessage","data":{}}',
    `{"channel":"room:looks","epoch":"${epoch}","seq":-2,"time":1,"event":"chatMessage","data":{}}`,
    '[]',
    '{',
  ];
  for (const text of texts) await publish(redis, bell, text);
  await sound(...texts);
});

test('garbage on sluice:presence', async () => {
  const { ann, bob, sound } = await room('presence');
  const texts = [
    'hello',
    '{}',
    '[1,2]',
    '{"event":"user_online"}',
    '{"event":"user_online","userId":7,"rooms":"x"}',
    '{"event":"user_online","userId":"eve","rooms":[1,null,{},"presence"',
    '{"event":"user_offline","userId":"","rooms":["presence"]}',
  ];
  for (const text of texts) await publish(redis, 'sluice:presence', text);
  await fence(redis, [ann, bob]);
  await sound();
});

test('garbage on a beacon', async () => {
  const { sound } = await room('beacon');
  for (const node of nodes) {
    const { incarnation } = await node.health();
    await publish(redis, `sluice:{node:${incarnation}}`, 'nonsense');
    await publishBytes(redis, `sluice:{node:${incarnation}}`, [0xff]);
  }
  await sound();
});
