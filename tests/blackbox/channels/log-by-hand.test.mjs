// What somebody wrote into Redis by hand and is no message: nobody is sent it, and the room goes on.
import assert from 'node:assert/strict';
import { cluster, inRoom, login, test } from '../lib/harness.mjs';

const { redis, nodes } = await cluster({ nodes: 2, args: ['--lease-interval', '200ms'] });

// Appends what FRAME makes of the room's epoch and the entry's seq, rings nobody.
const WRITE = `
  local base = KEYS[1]
  local epoch = redis.call('HGET', base .. ':meta', 'epoch')
  for i = 1, tonumber(ARGV[2]) do
    local seq = redis.call('HINCRBY', base .. ':meta', 'seq', 1)
    local frame = string.gsub(string.gsub(ARGV[1], 'EPOCH', epoch), 'SEQ', seq)
    redis.call('XADD', base .. ':log', seq .. '-0', 'frame', frame)
  end`;

const FRAME =
  '{"channel":"room:ROOM","epoch":"EPOCH","seq":SEQ,"time":1,"event":"chatMessage","data":DATA}';

const frameOf = (room, data) => FRAME.replace('ROOM', room).replace('DATA', data);

function write(room, frame, times = 1) {
  return redis.cli('EVAL', WRITE, 1, `sluice:{room:${room}}`, frame, times);
}

async function talkedIn(room) {
  const [ann, bob] = await inRoom(nodes, room, `ann-${room}`, `bob-${room}`);
  await ann.emit('sendMessage', { room, message: 'first' });
  for (const client of [ann, bob]) await client.next('chatMessage');
  return [ann, bob];
}

const bad = {
  'broken JSON': (room) => frameOf(room, '{"a":]}'),
  'a text that is cut off': (room) => frameOf(room, '"abc'),
  'no message at all': () => 'junk',
};

for (const [name, frame] of Object.entries(bad))
  test(`${name} at the end of a log: announced, and the room goes on`, async () => {
    const room = name.replaceAll(' ', '-');
    const clients = await talkedIn(room);
    await write(room, frame(room));
    await redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub'); // so that the nodes read the log
    for (const client of clients) {
      const { data: reset } = await client.next('channel_reset');
      assert.deepEqual([reset.from, reset.to], [2, 2]);
    }
    await clients[0].emit('sendMessage', { room, message: 'next' });
    for (const client of clients) {
      const frame = await client.next('chatMessage');
      assert.deepEqual([frame.data.message, frame.seq], ['next', 3]);
    }
  });

test('pages of a log that have nothing else: the same for who comes back', async () => {
  const room = 'pages';
  const [ann, bob] = await talkedIn(room);
  const { epoch } = ann.frames.find(({ event }) => event === 'chatMessage');
  await write(room, frameOf(room, '}'), 300);
  const resume = { [`room:${room}`]: { epoch, seq: 1 } };
  const cat = await login(nodes[1], 'cat', { resume });
  await ann.emit('sendMessage', { room, message: 'next' });
  for (const client of [ann, bob, cat]) {
    let upto = 1;
    while (upto < 301) {
      const { data: reset } = await client.next('channel_reset');
      assert.equal(reset.from, upto + 1);
      upto = reset.to;
    }
    assert.equal(upto, 301);
    assert.equal((await client.next('chatMessage')).seq, 302);
  }
});

test('history leaves it out', async () => {
  const room = 'history';
  const [ann] = await talkedIn(room);
  await write(room, frameOf(room, '{"a":]}'));
  await ann.emit('sendMessage', { room, message: 'last' });
  const { messages } = await ann.emit('history', { room });
  assert.deepEqual(
    messages.map(({ message }) => message),
    ['first', 'last'],
  );
});

test('a name that is not UTF-8 does not break the list of members', async () => {
  const room = 'members';
  const [ann] = await talkedIn(room);
  const script = `redis.call('HSET', KEYS[1], 'username', string.char(255), 'role', 'x')`;
  await redis.cli('EVAL', script, 1, `sluice:{user:bob-${room}}:profile`);
  const members = await ann.emit('all_member', { room });
  const bob = members.find(({ id }) => id === `bob-${room}`);
  assert.deepEqual([bob.username, bob.role], ['\ufffd', 'x']);
});
