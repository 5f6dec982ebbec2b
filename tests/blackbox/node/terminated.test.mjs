// SIGTERM: the node drains, closes with 1012, leaves presence and ends with 0.
import assert from 'node:assert/strict';
import { ofUser } from '../lib/frames.mjs';
import { cluster, connect, login, startNode, test, until } from '../lib/harness.mjs';
import { count, fence, hash, keys, scores } from '../lib/registry.mjs';

test('clients are closed with 1012, announced offline, and the lease is gone', async () => {
  const { redis, nodes, stop } = await cluster({ nodes: 2 });
  const going = await startNode({ redis, args: ['--drain', '300ms'] });
  const { incarnation } = await going.health();
  const ann = await login(nodes[0], 'ann');
  await ann.emit('join', { room: 'r' });
  const eves = [];
  for (let i = 0; i < 10; i++) {
    const eve = await login(going, `eve${i}`);
    await eve.emit('join', { room: 'r' });
    eves.push(eve);
  }
  const silent = await connect(going);

  const ends = [...eves, silent].map((client) => client.closed);
  const started = Date.now();
  const result = await going.stop('SIGTERM');
  assert.deepEqual(result, { code: 0, signal: null });
  assert.ok(Date.now() - started < 8000, 'ends soon after the last client is gone');
  for (const end of await Promise.all(ends))
    assert.deepEqual(end, { code: 1012, reason: 'restart' });

  for (let i = 0; i < 10; i++) {
    await ann.next('user_offline', ofUser(`eve${i}`));
  }
  assert.ok(!(incarnation in (await scores(redis, 'sluice:nodes'))), 'the lease is given back');
  await fence(redis, [ann]);
  for (let i = 0; i < 10; i++) assert.equal(count(ann, 'user_offline', `eve${i}`), 1);
  assert.deepEqual(Object.keys(await scores(redis, 'sluice:online')), ['ann']);
  assert.deepEqual(await hash(redis, 'sluice:{user:eve1}:conns'), {});
  assert.deepEqual(await keys(redis, `sluice:{node:${incarnation}}:*`), []);
  await stop();
});

test('while it drains it is not ready and takes nobody; closes are spread', async () => {
  const { redis, nodes, stop } = await cluster({ nodes: 1 });
  const going = await startNode({ redis, args: ['--drain', '3s'] });
  const clients = await Promise.all(Array.from({ length: 60 }, (_, i) => login(going, `u${i}`)));
  const closedAt = [];
  for (const client of clients) client.closed.then(() => closedAt.push(Date.now()));
  const end = going.stop('SIGTERM');
  await until(() => closedAt.length > 0);
  const ready = await going.get('/readyz');
  assert.equal(ready.status, 503);
  assert.deepEqual(ready.json(), { ready: false, reason: 'draining' });
  await assert.rejects(connect(going), { status: 503 });
  assert.deepEqual(await end, { code: 0, signal: null });
  await until(() => closedAt.length === clients.length);
  assert.ok(closedAt.at(-1) - closedAt[0] > 500, 'not all at once');
  assert.equal(await nodes[0].readyz(), 200);
  await stop();
});

test('a client told to come back resumes on another node and misses nothing', async () => {
  const { redis, nodes, stop } = await cluster({ nodes: 1 });
  const going = await startNode({ redis, args: ['--drain', '0'] });
  const ann = await login(nodes[0], 'ann');
  await ann.emit('join', { room: 'r' });
  const eve = await login(going, 'eve');
  await eve.emit('join', { room: 'r' });
  const end = going.stop('SIGTERM');
  await eve.closed;
  await ann.emit('sendMessage', { room: 'r', message: 'meanwhile' });
  await ann.emit('private_message', { receiverId: 'eve', content: 'psst' });
  const back = await login(nodes[0], 'eve', { resume: eve.positions });
  assert.equal(back.ack.recovered, true);
  assert.equal((await back.next('chatMessage')).data.message, 'meanwhile');
  assert.equal((await back.next('new_private_message')).data.content, 'psst');
  assert.equal((await end).code, 0);
  await stop();
});

test('it ends in time without Redis, and when Redis answers nothing', async () => {
  const { redis, nodes, stop } = await cluster({ nodes: 2, args: ['--drain', '100ms'] });
  for (const [i, node] of nodes.entries()) {
    const client = await login(node, `u${i}`);
    await client.emit('join', { room: 'r' });
  }
  redis.pause();
  assert.deepEqual(await nodes[0].stop('SIGTERM'), { code: 0, signal: null });
  redis.resume();
  await redis.kill();
  await nodes[1].untilNotReady();
  assert.deepEqual(await nodes[1].stop('SIGTERM'), { code: 0, signal: null });
  const never = await startNode({ redis, ready: false });
  assert.deepEqual(await never.stop('SIGTERM'), { code: 0, signal: null });
  await stop();
});

test('SIGINT ends it at once, whatever the drain', async () => {
  const { redis, nodes, stop } = await cluster({ nodes: 1, args: ['--drain', '60s'] });
  const going = await startNode({ redis, args: ['--drain', '60s'] });
  const ann = await login(nodes[0], 'ann');
  await ann.emit('join', { room: 'r' });
  const eve = await login(going, 'eve');
  await eve.emit('join', { room: 'r' });
  await going.stop('SIGINT'); // within 15 s, without a word of a sanitizer
  await eve.closed;
  await ann.next('user_offline', ofUser('eve', { timeout: 12000 }));
  await nodes[0].stop('SIGINT');
  await stop();
});
