// Limits on connections and rates: who is over them is told so, and others are served.
import assert from 'node:assert/strict';
import net from 'node:net';
import { cluster, connect, inRoom, login, request, sleep, test, until } from '../lib/harness.mjs';
import { socket } from '../lib/conformance.mjs';
import { range } from '../lib/frames.mjs';
import { OPEN } from '../lib/handover.mjs';
import { dial, handshake } from '../lib/rawws.mjs';
import { metric } from '../lib/registry.mjs';

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

test('a connection counts from the beginning, whether or not it asks for anything', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 1, args: ['--max-connections-per-address', '3'] });
  t.after(stop);
  const [node] = nodes;
  const refused = () => new Promise((resolve) => {
    const one = net.connect(node.port, '127.0.0.1', () => one.write('GET /healthz HTTP/1.1\r\n'));
    let got = '';
    one.on('data', (data) => (got += data));
    one.on('error', () => {});
    one.on('close', () => resolve(got === '' || got.startsWith('HTTP/1.1 429 ')));
  });
  const idle = [];
  const add = async () => {
    const one = await dial(node);
    await sleep(20);
    if (!one.closed && !one.ended) idle.push(one);
    return idle.length === 3;
  };
  await until(add, { what: 'three that ask for nothing' });
  assert.ok(await refused());
  assert.equal(idle.filter(({ ended, closed }) => ended || closed).length, 0);
  for (const one of idle) one.destroy();
  const client = await until(() => connect(node).catch(() => false));
  assert.deepEqual(await client.emit('heartbeat', {}), {});
  const limit = { limit: 'max-connections-per-address' };
  const counted = () => metric(node, 'sluice_limited_total', limit).catch(() => 0);
  await until(async () => (await counted()) > 0);
});

test('behind a trusted proxy the header counts, of IPv6 the network', async (t) => {
  const args = ['--max-connections-per-address', '2', '--real-address-header', 'X-Real-IP'];
  const { nodes, stop } = await cluster({ nodes: 1, args });
  t.after(stop);
  const idle = await Promise.all(range(1, 5).map(() => dial(nodes[0]))); // the proxy's own
  const from = (address) => connect(nodes[0], { headers: { 'X-Real-IP': address } });
  await from('2001:db8:1:2::1');
  await from('2001:db8:1:2:ffff::2');
  await assert.rejects(from('2001:db8:1:2::3'), { status: 429 });
  await from('2001:db8:1:3::1');
  assert.equal(await metric(nodes[0], 'sluice_limited_total', {
    limit: 'max-connections-per-address',
  }), 1);
  assert.equal(idle.filter(({ ended, closed }) => ended || closed).length, 0);
  for (const one of idle) one.destroy();
});

test('handshakes a second: 503 with Retry-After; sessions that are known pass', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 2, args: ['--accept-rate', '5'] });
  t.after(stop);
  const [node] = nodes;
  const opened = await until(async () => {
    const answer = await node.get(OPEN);
    return answer.status === 200 && answer;
  });
  const session = `${OPEN}&sid=${JSON.parse(opened.body.slice(1)).sid}`;
  const results = await Promise.allSettled(range(1, 40).map(() => connect(node)));
  const refused = results.filter(({ status }) => status === 'rejected');
  assert.ok(refused.length > 0 && refused.length < 40, `${refused.length} of 40 are refused`);
  for (const { reason } of refused) {
    assert.equal(reason.status, 503);
    assert.match(reason.headers['retry-after'], /^\d+$/);
  }
  const answers = await Promise.all(range(1, 10).map(() => node.get(OPEN)));
  const late = answers.filter(({ status }) => status === 503);
  assert.ok(late.length > 0);
  for (const { headers } of late) assert.match(headers['retry-after'], /^\d+$/);
  for (const _ of range(1, 10)) {
    assert.equal((await node.get(session, { method: 'POST', body: '3' })).body, 'ok');
  }
  const counted = await metric(node, 'sluice_limited_total', { limit: 'accept-rate' });
  assert.equal(counted, refused.length + late.length);
  const client = await until(() => connect(node).catch(() => false));
  assert.deepEqual(await client.emit('heartbeat', {}), {});
});

test('a handshake over the rate costs its connection, but not that of a proxy', async (t) => {
  const over = async (args) => {
    const { nodes, stop } = await cluster({ nodes: 1, args: ['--accept-rate', '2', ...args] });
    t.after(stop);
    const socket = await dial(nodes[0]);
    const ask = async (path) => {
      await socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
      return socket.response();
    };
    const answer = await until(async () => {
      const one = await ask(OPEN);
      return one.status === 503 && /too many begin/.test(one.body) && one;
    });
    assert.equal(answer.headers['retry-after'], '1');
    return { socket, answer, ask };
  };
  const client = await over([]);
  assert.equal(client.answer.headers.connection, 'close');
  await client.socket.over();
  const far = await over(['--real-address-header', 'X-Real-IP', '--trusted-proxies', '10.0.0.0/8']);
  await far.socket.over();
  const proxy = await over(['--real-address-header', 'X-Real-IP']);
  assert.notEqual(proxy.answer.headers.connection, 'close');
  assert.equal((await proxy.ask('/healthz')).status, 200);
  for (const { socket } of [client, far, proxy]) socket.destroy();
});

test('connections of a node: 503 above the limit, and room again below it', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 1, args: ['--max-connections', '3'] });
  t.after(stop);
  const open = await Promise.all(range(1, 3).map(() => connect(nodes[0])));
  await assert.rejects(connect(nodes[0]), { status: 503 });
  await open[0].close();
  await until(() => connect(nodes[0]).catch(() => false));
});

test('a connection that has just ended takes no room from a client', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 1, args: ['--max-connections', '3'] });
  t.after(stop);
  const [node] = nodes;
  const count = async (raw) => {
    await raw.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n');
    return (await raw.response()).json().connections;
  };
  const ending = await dial(node);
  await until(async () => (await count(ending)) === 1);
  const clients = [];
  for (const n of range(2, 4)) {
    clients.push(await dial(node));
    assert.equal(await count(clients.at(-1)), n);
  }
  // The node finds all of it in one turn: the end of the one, and what the others ask for.
  node.suspend();
  await ending.end();
  for (const client of clients) await client.write(handshake());
  node.resume();
  for (const client of clients) assert.equal((await client.response()).status, 101);
});

test('events a second: rate_limited, the connection stays', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 2, args: ['--rate-limit', '20'] });
  t.after(stop);
  const ann = await login(nodes[0], 'ann');
  const bob = await login(nodes[1], 'bob');
  await bob.emit('subscribe', { channel: 'topic:t' });
  const sends = range(1, 120).map((i) => ann.emit('publish', { channel: 'topic:t', data: i }));
  const results = await Promise.allSettled(sends);
  const sent = results.flatMap(({ status }, i) => (status === 'fulfilled' ? [i + 1] : []));
  const codes = new Set(results.filter(({ reason }) => reason).map(({ reason }) => reason.code));
  assert.deepEqual([...codes], ['rate_limited']);
  assert.ok(sent.length >= 50 && sent.length <= 100, `${sent.length} of 120 passed`);
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
