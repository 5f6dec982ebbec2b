// Limits on connections and rates: who is over them is told so, and others are served.
import assert from 'node:assert/strict';
import { cluster, connect, inRoom, login, request, test, until } from '../lib/harness.mjs';
import { socket } from '../lib/conformance.mjs';
import { range } from '../lib/frames.mjs';
import { OPEN } from '../lib/handover.mjs';

test('connections from one address: 429, which no proxy takes for a fault of the node', async (t) => {
  const args = ['--max-connections-per-address', '2', '--real-address-header', 'X-Real-IP'];
  const { nodes, stop } = await cluster({ nodes: 1, args });
  t.after(stop);
  const from = (address) => connect(nodes[0], { headers: { 'X-Real-IP': address } });
  const first = await from('10.0.0.1');
  await from('10.0.0.1');
  await assert.rejects(from('10.0.0.1'), { status: 429 });
  await from('10.0.0.2');
  assert.equal((await request(`${nodes[0].url}/healthz`)).status, 200);
  await first.close();
  await until(() => from('10.0.0.1').catch(() => false));
});

test('polled sessions of one address: as many, whatever connections they come by', async (t) => {
  const args = ['--max-connections-per-address', '3', '--real-address-header', 'X-Real-IP'];
  const { nodes, stop } = await cluster({ nodes: 1, args });
  t.after(stop);
  const [node] = nodes;
  const began = async (address) => {
    const { status, body } = await node.get(OPEN, { headers: { 'X-Real-IP': address } });
    return status === 200 ? `${OPEN}&sid=${JSON.parse(body.slice(1)).sid}` : status;
  };
  await until(async () => typeof (await began('10.0.0.9')) === 'string', { what: 'it is ready' });
  const urls = [];
  for (const _ of range(1, 3)) urls.push(await began('10.0.0.1'));
  assert.deepEqual(urls.map((url) => typeof url), range(1, 3).map(() => 'string'));
  assert.equal(await began('10.0.0.1'), 429);
  assert.equal(typeof (await began('10.0.0.2')), 'string');
  // One that ends makes room, as does one that goes on by a WebSocket.
  assert.equal((await node.get(urls[0], { method: 'POST', body: '1' })).body, 'ok');
  urls[0] = await began('10.0.0.1');
  assert.equal(typeof urls[0], 'string');
  assert.equal(await began('10.0.0.1'), 429);
  const ws = await socket(node, urls[1].replace('polling', 'websocket'));
  ws.send('2probe');
  assert.equal(await ws.next(), '3probe');
  ws.send('5');
  await until(async () => typeof (await began('10.0.0.1')) === 'string');
  ws.ws.close();
  await ws.closed();
  assert.equal(await began('10.0.0.1'), 429);
});

test('connections of a node: 503 above the limit, and room again below it', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 1, args: ['--max-connections', '3'] });
  t.after(stop);
  const open = await Promise.all(range(1, 3).map(() => connect(nodes[0])));
  await assert.rejects(connect(nodes[0]), { status: 503 });
  await open[0].close();
  await until(() => connect(nodes[0]).catch(() => false));
});

test('events a second: rate_limited, the connection stays', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 2, args: ['--rate-limit', '20'] });
  t.after(stop);
  const ann = await login(nodes[0], 'ann');
  const bob = await login(nodes[1], 'bob');
  await bob.emit('subscribe', { channel: 'topic:t' });
  const sends = range(1, 60).map((i) => ann.emit('publish', { channel: 'topic:t', data: i }));
  const results = await Promise.allSettled(sends);
  const sent = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [i + 1] : []));
  const codes = new Set(results.filter(({ reason }) => reason).map(({ reason }) => reason.code));
  assert.deepEqual([...codes], ['rate_limited']);
  assert.ok(sent.length >= 15 && sent.length <= 45, `${sent.length} of 60 passed`);
  for (const i of sent) assert.equal((await bob.next('message')).data, i);
  await until(() => ann.emit('publish', { channel: 'topic:t', data: 'later' }).catch(() => false));
  await bob.next('message', { match: ({ data }) => data === 'later' });
});

test('a client that does not read is closed as slow, and resumes', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 2, args: ['--max-queue', '200K'] });
  t.after(stop);
  const [ann, bob, cat] = await inRoom([nodes[0], nodes[1], nodes[1]], 'r', 'ann', 'bob', 'cat');
  const resume = structuredClone(bob.positions);
  bob.pauseReading();
  let sent = 0;
  const text = 'x'.repeat(50000);
  const slow = bob.closed;
  const gone = ({ event, data }) => event === 'user_offline' && data === 'bob';
  while (!ann.frames.some(gone)) {
    assert.ok(++sent < 1000, 'it is closed before 50 MB');
    await ann.emit('sendMessage', { room: 'r', message: { n: sent, text } });
    const { data } = await cat.next('chatMessage');
    assert.equal(data.message.n, sent, 'the other is not delayed');
  }
  bob.resumeReading();
  await slow;
  const again = await login(nodes[0], 'bob', { resume });
  assert.equal(again.ack.recovered, true);
  for (const n of range(1, sent)) {
    assert.equal((await again.next('chatMessage')).data.message.n, n);
  }
});
