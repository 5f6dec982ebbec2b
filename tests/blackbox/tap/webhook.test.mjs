// Webhooks: what stands in the tap is POSTed to a back end, in order, again if need be.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { cluster, login, startNode, startRedis, tempDir, test, until } from '../lib/harness.mjs';
import { receiver } from '../lib/receiver.mjs';
import { runProgram } from '../lib/program.mjs';
import { leased, tapped } from '../lib/tap.mjs';

const SECRET = 's'.repeat(32);
const TAP = ['--tap', 'presence,connections,rooms,messages'];
const metric = async (node, name) =>
  Number(String((await node.get('/metrics')).body).match(new RegExp(`^${name} (\\S+)`, 'm'))[1]);
test('what stands in the tap arrives, in order and signed', async (t) => {
  const back = await receiver({ secret: SECRET });
  const args = [...TAP, '--webhook', back.url, '--hook-secret', SECRET, '--webhook-offline-linger', '200ms'];
  const { redis, nodes, stop } = await cluster({ nodes: 2, args });
  t.after(stop);
  await leased(redis);
  const ann = await login(nodes[0], 'ann');
  await ann.emit('join', { room: 'r"1\\' });
  for (let i = 0; i < 250; i++) ann.send('sendMessage', { room: 'r"1\\', message: `m${i}` });
  await ann.emit('sendMessage', { room: 'r"1\\', message: 'last' });
  await ann.close();
  await back.gets('the end', () => back.of('ann').includes('user_offline'));
  assert.deepEqual(back.of('ann'), [
    ...['user_online', 'connection_opened', 'room_joined', 'connection_closed', 'user_offline'],
  ]);
  await back.gets('all messages', () => back.events.filter((e) => e.type === 'message').length === 251);
  const messages = back.events.filter((e) => e.type === 'message');
  assert.deepEqual(messages.map((e) => e.message.seq), messages.map((_, i) => i + 1));
  assert.deepEqual([messages[0].channel, messages[0].message.data.message], ['room:r"1\\', 'm0']);
  const entries = await tapped(redis);
  assert.equal(entries.length, back.events.length);
  for (const e of entries) {
    const event = back.events.find((one) => one.id.endsWith(`.${e.term}.${e.id}`));
    assert.deepEqual([event?.type, event?.time], [e.type, Number(e.id.split('-')[0])]);
  }
  for (const call of back.backend.calls) {
    assert.deepEqual(Object.keys(call.body), ['id', 'type', 'time', 'events']);
    assert.equal(call.body.type, 'webhook');
    assert.ok(call.body.events.length <= 100);
  }
  const sent = await Promise.all(nodes.map((node) => metric(node, 'sluice_webhook_events_total')));
  assert.equal(sent[0] + sent[1], entries.length);
});

test('a user who is back soon never went', async (t) => {
  const back = await receiver();
  const args = ['--tap', 'presence,rooms', '--webhook', `${back.url} user_offline,room_left`];
  const { redis, nodes, stop } = await cluster({ nodes: 2, args });
  t.after(stop);
  await leased(redis);
  let bob = await login(nodes[0], 'bob');
  await bob.emit('join', { room: 'r' });
  await bob.close();
  bob = await login(nodes[1], 'bob');
  await bob.emit('leave', { room: 'r' });
  await back.gets('that he left', () => back.events.length > 0);
  assert.deepEqual(back.of('bob'), ['room_left']);
  const gone = Date.now();
  await bob.close();
  await back.gets('that he went', () => back.events.length > 1);
  assert.ok(Date.now() - gone >= 2900, `after ${Date.now() - gone} ms`);
  assert.deepEqual(back.of('bob'), ['room_left', 'user_offline']);
});

test('a back end that is away, or fails: the same again; one that refuses: put away', async (t) => {
  const back = await receiver();
  const redis = await startRedis();
  const node = await startNode({ redis, args: [...TAP, '--webhook', `${back.url} message`] });
  t.after(async () => {
    await node.stop();
    await redis.stop();
  });
  const cat = await login(node, 'cat');
  const publish = (data) => cat.emit('publish', { channel: 'topic:t', data });
  const data = () => back.events.map((e) => e.message.data);
  await leased(redis);
  await cat.emit('subscribe', { channel: 'topic:t' });
  await publish(0);
  await back.gets('0', () => data().length === 1);
  for (const status of [500, 429, 408]) {
    const calls = back.backend.calls.length;
    back.status = status;
    await publish(status);
    await back.gets('a second try', () => back.backend.calls.length >= calls + 2);
    const [one, two] = back.backend.calls.slice(calls);
    assert.equal(one.headers['sluice-event-id'], two.headers['sluice-event-id']);
    assert.deepEqual(one.body, two.body);
    back.status = 204;
    await back.gets(String(status), () => data().at(-1) === status);
  }
  assert.equal(await redis.cli('EXISTS', 'sluice:tap:dead'), '0');
  back.status = 400;
  await publish('refused');
  await until(async () => (await redis.cli('XLEN', 'sluice:tap:dead')) === '1', { what: 'it is put away' });
  back.status = 204;
  await publish('after');
  await back.gets('after', () => data().at(-1) === 'after');
  assert.deepEqual(data(), [0, 500, 429, 408, 'after']);
  const [dead] = await tapped(redis, 'sluice:tap:dead');
  assert.deepEqual([dead.url, dead.why, JSON.parse(dead.event).message.data], [back.url, '400', 'refused']);
  assert.equal(await metric(node, 'sluice_webhook_dead_total'), 1);
});

test('a new URL begins at the end; what was cut off is told', { single: 'it writes into the tap' }, async (t) => {
  const back = await receiver();
  const late = await receiver();
  const redis = await startRedis();
  const file = path.join(tempDir('webhook'), 'sluice.conf');
  const lines = ['tap = messages', 'tap-length = 1000', `webhook = ${back.url}`];
  fs.writeFileSync(file, lines.join('\n'));
  const node = await startNode({ redis, args: ['--config', file, '--lease-interval', '200ms'] });
  t.after(async () => {
    await node.stop();
    await redis.stop();
  });
  await leased(redis);
  const dan = await login(node, 'dan');
  await dan.emit('subscribe', { channel: 'topic:t' });
  const publish = (data) => dan.emit('publish', { channel: 'topic:t', data });
  await publish('first');
  await back.gets('the first', () => back.events.length === 1);
  fs.writeFileSync(file, [...lines, `webhook = ${late.url} message`].join('\n'));
  process.kill(node.pid, 'SIGHUP');
  await leased(redis, 2);
  await publish('second');
  await late.gets('the second', () => late.events.length === 1);
  assert.deepEqual(late.events.map((e) => e.message.data), ['second']);

  // The node reads ahead, and nobody reads while it does not run.
  await node.suspend();
  const more = ['n', '99999', 'term', '1', 'type', 'message', 'user', '', 'channel', 'topic:t'];
  await redis.cli('XADD', 'sluice:tap', '*', ...more, 'data', '{"message":{"data":"far"}}');
  await node.resume();
  await back.gets('the gap', () => back.gaps.length === 1);
  const [gap] = back.gaps;
  assert.equal(gap.from, back.events[1].id);
  assert.equal(gap.to, back.events[2].id);
  assert.equal(gap.lost, 99999 - 2 - 1);
  assert.equal(await metric(node, 'sluice_webhook_lost_total'), 2 * gap.lost);
});

test('lines that are not allowed', async () => {
  for (const [args, word] of [
    [['--webhook', 'https://b.example/'], 'needs tap'],
    [['--webhook', 'http://b.example/'], 'hook-plain'],
    [['--webhook', 'https://b.example/ user_online', '--tap', 'rooms'], 'tap = presence'],
    [['--webhook', 'https://b.example/ nothing', '--tap', 'rooms'], 'no type'],
    [['--webhook', 'https://b.example/ room_left more', '--tap', 'rooms'], 'TYPE'],
    [['--webhook', 'https://b.example/', '--webhook', 'https://b.example/', '--tap', 'rooms'], 'twice'],
    [['--tap', 'rooms,boats'], 'presence'],
  ]) {
    const result = await runProgram(['--listen', '127.0.0.1:0', ...args]);
    assert.ok(!result.late && result.code !== 0, result.all);
    assert.ok(result.err.includes(word), `${word}: ${result.err}`);
  }
});
