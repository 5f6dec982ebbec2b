// Requests that come by the streams of a Redis Cluster's partitions.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { caller, withKeys } from '../lib/api.mjs';
import { startCluster } from '../lib/cluster.mjs';
import { range } from '../lib/frames.mjs';
import { startNode, test, until } from '../lib/harness.mjs';

const { args, env } = withKeys();
const it = await startCluster({ replicas: 0 });
const nodes = [];
for (let i = 0; i < 2; i++) nodes.push(await startNode({ redis: it.url, args: [...args, '--api-stream'], env }));
after(async () => {
  for (const node of nodes) await node.stop();
  await it.stop();
});
const { good } = caller(nodes[0]);
const streams = it.tags.map((tag) => `sluice:{${tag}}api`);
const add = (stream, path, body, id = '*') =>
  it.cli('XADD', stream, id, 'method', 'POST', 'path', path, 'body', JSON.stringify(body));
const allEmpty = () =>
  until(async () => (await Promise.all(streams.map((stream) => it.cli('XLEN', stream)))).every((length) => length === '0'));
const texts = async (channel) =>
  (await good('GET', `/channels/${channel}/history?limit=100`)).messages.map(({ data }) => data.content ?? data);

test('each stream is done, in its order, wherever its channels lie', async () => {
  for (const [n, stream] of streams.entries()) {
    for (const i of range(1, 5)) await add(stream, '/publish', { channels: [`topic:of-${n}`, 'topic:all'], data: i });
  }
  await allEmpty();
  for (const n of streams.keys()) assert.deepEqual(await texts(`topic:of-${n}`), range(1, 5));
  assert.equal((await texts('topic:all')).length, 5 * streams.length);
});

test('an entry takes effect once, a private message, too', async () => {
  const [stream, other] = streams;
  const send = async () => {
    await add(stream, '/publish', { channel: 'topic:once', data: 1 }, '9999999999999-1');
    for (const [i, to] of ['a', 'b', 'c', 'd'].entries()) {
      await add(stream, '/messages/private', { senderId: 'me', receiverId: to, content: to }, `9999999999999-${i + 2}`);
    }
    await allEmpty();
  };
  for (let i = 0; i < 3; i++) {
    await it.cli('DEL', stream);
    await send();
  }
  assert.deepEqual(await texts('topic:once'), [1]);
  for (const to of ['a', 'b', 'c', 'd']) {
    assert.deepEqual(await texts(`dm:${[to, 'me'].sort().join(':')}`), [to]);
    assert.deepEqual(await texts(`user:${to}`), [to]);
  }
  assert.deepEqual((await texts('user:me')).sort(), ['a', 'b', 'c', 'd']);
  await add(other, '/publish', { channel: 'topic:once', data: 2 });
  await allEmpty();
  assert.deepEqual(await texts('topic:once'), [1, 2], 'another stream has ids of its own');
});
