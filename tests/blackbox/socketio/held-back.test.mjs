// A client that sends more than Redis takes is held back: not read. It is pinged all the same, since
// the official client ends a session that no ping comes for.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { packets, poll, socket } from '../lib/conformance.mjs';
import { startNode, startRedis, test, until } from '../lib/harness.mjs';

const redis = await startRedis();
const args = ['--socketio-ping-interval', '300ms', '--socketio-ping-timeout', '1s'];
const node = await startNode({ redis, args: [...args, '--redis-timeout', '60s'] });
after(async () => {
  await node.stop();
  await redis.stop();
});

// As many as are held back for, behind a login.
const COUNT = 1500;
const burst = (userId) => {
  const more = Array.from({ length: COUNT }, (_, n) => `42${n + 1}["history",{"peer":"x"}]`);
  return [`420["login",{"userId":"${userId}"}]`, ...more];
};
const acksIn = (list) => list.filter((packet) => /^43\d+\[\{"messages"/.test(packet)).length;

test('WebSocket: pings come while it is not read, and it lives', async () => {
  const s = await socket(node, '/socket.io/?EIO=4&transport=websocket', { pongs: false });
  const got = [];
  s.ws.on('message', (data) => {
    got.push(data.toString().replace(/^4(?=40|42|43)/, ''));
    if (got.at(-1) === '2') s.send('3');
  });
  s.send('40');
  await until(() => got.some((packet) => packet.startsWith('40')));
  await redis.pause();
  for (const packet of burst('ws')) s.send(`4${packet.slice(1)}`);
  const pings = () => got.filter((packet) => packet === '2').length;
  const before = pings();
  await until(() => pings() >= before + 4, { what: 'pings' });
  await redis.resume();
  await until(() => acksIn(got) === COUNT, { what: 'the answers' });
  const then = pings();
  await until(() => pings() > then + 2, { what: 'more pings' });
  s.ws.close();
});

test('polling: pings come while a POST is not answered, and it lives', async () => {
  const s = await poll(node, 'socket.io');
  assert.equal((await s.post('40')).body, 'ok');
  await s.get();
  await redis.pause();
  let posting = s.post(burst('poll').join('\x1e')).then((answer) => (posting = null) ?? answer);
  const posted = posting;
  const got = [];
  const pings = () => got.filter((packet) => packet === '2').length;
  const more = async () => {
    const { status, body } = await s.get();
    assert.equal(status, 200, body);
    got.push(...packets(body));
    if (!posting && got.includes('2')) assert.equal((await s.post('3')).body, 'ok');
  };
  while (pings() < 4) await more();
  assert.ok(posting, 'it is held back');
  await redis.resume();
  while (acksIn(got) < COUNT) await more();
  assert.equal((await posted).body, 'ok');
  const then = pings();
  while (pings() < then + 3) await more();
  await s.post('1');
});
