// --workers: several processes share a port. Each is a node of its own, and the first process
// answers for none of them, but starts one again that ends.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { after } from 'node:test';
import { begin, OPEN } from '../lib/handover.mjs';
import { login, sleep, startNode, startRedis, tempDir, test, until } from '../lib/harness.mjs';
import { range } from '../lib/frames.mjs';
import { runProgram } from '../lib/program.mjs';
import { scores } from '../lib/registry.mjs';
import { BINARY } from '../lib/servers.mjs';
import { dial, handshake } from '../lib/rawws.mjs';

const redis = await startRedis();
after(() => redis.stop());

const begun = (args = [], options = {}) =>
  startNode({ redis, internal: true, ...options, args: ['--workers', '3', ...args] });
const workers = async (node) => (await node.internal.get('/healthz')).json().workers;
const runs = (pid) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};
// As many clients as are wanted, so that each worker has some.
const logins = (node, count, options) =>
  Promise.all(range(1, count).map((n) => login(node, `u${n}`, {}, options)));
// Kills a worker, and waits until there is another one in its place.
async function killOne(node, { number = 1, signal = 'SIGKILL' } = {}) {
  const before = (await workers(node))[number - 1];
  process.kill(before.pid, signal);
  await until(async () => {
    const now = (await workers(node))[number - 1];
    return now.ready && now.pid !== before.pid;
  });
  return before;
}
const ended = (node) => [...node.log().matchAll(/event=worker_ended .*?worker=(\d+)/g)].length;

test('each is a node, and all of them have clients', async () => {
  const node = await begun();
  const clients = await logins(node, 60);
  const all = await workers(node);
  assert.deepEqual(all.map(({ worker, ready, starts }) => [worker, ready, starts]),
    [[1, true, 1], [2, true, 1], [3, true, 1]]);
  const names = new Set(clients.map((client) => client.ack.node));
  assert.deepEqual([...names].sort(), [1, 2, 3].map((n) => `${node.id}-${n}`));
  assert.equal(new Set(all.map(({ incarnation }) => incarnation)).size, 3);
  const { node: name, connections } = (await node.internal.get('/healthz')).json();
  assert.equal(name, node.id);
  assert.ok(connections >= 60, `${connections}`);
  assert.deepEqual((await node.internal.get('/readyz')).json(), { ready: true });
  // A message from each of them to each of them.
  const of = (n) => clients.find((client) => client.ack.node === `${node.id}-${n}`);
  for (const from of [1, 2, 3].map((n) => of(n))) {
    for (const to of [1, 2, 3].map((n) => of(n))) {
      if (from === to) continue;
      const content = `${from.ack.node} to ${to.ack.node}`;
      await from.emit('private_message', { receiverId: to.ack.userId, content });
      await to.next('new_private_message', { match: ({ data }) => data.content === content });
    }
  }
  await node.stop();
});

test('the metrics are sums, with a few lines about each worker', async () => {
  const node = await begun();
  const clients = await logins(node, 30);
  for (const client of clients) await client.emit('heartbeat');
  const page = async () => (await node.internal.get('/metrics')).body;
  const value = (text, name) => Number(text.match(new RegExp(`^${name} (\\S+)$`, 'm'))?.[1]);
  await until(async () => {
    const text = await page();
    return value(text, 'sluice_users') === 30 &&
      value(text, 'sluice_events_total\\{event="heartbeat"\\}') === 30;
  });
  const text = await page();
  assert.equal(value(text, 'sluice_ready'), 1);
  assert.equal(value(text, 'sluice_redis_up'), 1);
  assert.equal(value(text, 'sluice_redis_partitions'), 1);
  assert.equal(value(text, 'sluice_workers'), 3);
  let sum = 0;
  for (const n of [1, 2, 3]) {
    const label = `\\{worker="${n}"\\}`;
    const here = value(text, `sluice_worker_connections${label}`);
    assert.ok(here > 0);
    sum += here;
    assert.equal(value(text, `sluice_worker_up${label}`), 1);
    assert.equal(value(text, `sluice_worker_ready${label}`), 1);
    assert.equal(value(text, `sluice_worker_starts_total${label}`), 1);
    assert.ok(value(text, `sluice_worker_resident_memory_bytes${label}`) > 1e6);
  }
  assert.ok(sum >= 30);
  // What was counted stays counted when a worker ends.
  await killOne(node, { number: 2 });
  const later = await page();
  assert.equal(value(later, 'sluice_events_total\\{event="heartbeat"\\}'), 30);
  assert.equal(value(later, 'sluice_worker_starts_total\\{worker="2"\\}'), 2);
  await node.stop();
});

test('a worker answers for itself by the port after the internal one', async () => {
  const node = await begun();
  const own = [...node.log().matchAll(/node=\S+-(\d) .*own=127\.0\.0\.1:(\d+)/g)];
  assert.equal(own.length, 3);
  for (const [, n, port] of own) {
    const get = (where) => fetch(`http://127.0.0.1:${port}${where}`);
    assert.equal((await (await get('/healthz')).json()).node, `${node.id}-${n}`);
    assert.doesNotMatch(await (await get('/metrics')).text(), /sluice_worker/);
    assert.equal((await get('/ws')).status, 404, 'it has no doors');
    assert.equal((await get(OPEN)).status, 404);
  }
  await node.stop();
});

test('a session that is polled goes on, whichever worker a request reaches', async () => {
  const node = await begun();
  const mine = new RegExp(`event=peer node=(\\S+) incarnation=(${node.id}-\\S+)`, 'g');
  const known = () => new Set([...node.log().matchAll(mine)].map(([, at, of]) => `${at} ${of}`)).size;
  await until(() => known() === 6, { what: 'the workers know each other' });
  for (let n = 0; n < 4; n++) {
    const session = await begin(node, [node]);
    for (const _ of range(1, 8)) await session.emit(node, ['login', { userId: 'ann' }]);
  }
  assert.ok(await until(async () =>
    /^sluice_handovers_total\{result="\w+"\} [1-9]/m.test((await node.internal.get('/metrics')).body)));
  await node.stop();
});

test('a worker that is killed: the others keep their clients, and nobody is reset', async () => {
  const node = await begun();
  const clients = await logins(node, 30);
  const alive = (number) => clients.filter((c) => c.ack.node !== `${node.id}-${number}`);
  // Clients that connect all the time, by connections of which each asks one thing.
  const failures = [];
  let served = 0, going = true;
  const ask = () => new Promise((resolve) => {
    const s = net.connect(node.port, '127.0.0.1', () => s.write(handshake()));
    let got = '';
    s.on('data', (data) => {
      got += data;
      if (!got.includes('\r\n\r\n')) return;
      if (got.startsWith('HTTP/1.1 101')) served++;
      else failures.push(got.split('\r\n')[0]);
      s.destroy();
      resolve();
    });
    s.on('error', ({ code }) => {
      failures.push(`${code} after ${got.length} bytes`);
      resolve();
    });
    s.on('end', () => {
      if (!got) failures.push('ended');
      resolve();
    });
  });
  const many = range(1, 8).map(async () => {
    while (going) await ask();
  });
  await until(() => served > 200);
  for (const number of [1, 2]) {
    // A connection that the worker has accepted ends with it: only those may fail.
    const accepted = 8;
    const before = failures.length;
    await killOne(node, { number });
    assert.ok(failures.length - before <= accepted, `${failures.length - before} failed`);
    const count = served;
    await until(() => served > count + 200);
  }
  going = false;
  await Promise.all(many);
  for (const client of alive(1).filter((c) => alive(2).includes(c))) {
    await client.emit('heartbeat');
  }
  assert.equal(ended(node), 2);
  await node.stop();
});

test('what waits in the queue of a worker that is killed, the next one serves', async () => {
  const node = await begun();
  const [first, ...rest] = await workers(node);
  for (const { pid } of [first, ...rest]) process.kill(pid, 'SIGSTOP');
  const waiting = await Promise.all(range(1, 40).map(() => dial(node)));
  for (const s of waiting) await s.write(handshake());
  process.kill(first.pid, 'SIGKILL');
  for (const { pid } of rest) process.kill(pid, 'SIGCONT');
  for (const s of waiting) assert.equal((await s.response()).status, 101);
  for (const s of waiting) s.destroy();
  await node.stop();
});

test('one that stands still: not ready', async () => {
  const node = await begun();
  const [{ pid }] = await workers(node);
  process.kill(pid, 'SIGSTOP');
  await until(async () => {
    const answer = await node.internal.get('/readyz').catch(() => null);
    return answer?.status === 503 && /worker 1: it stands still/.test(answer.body);
  });
  process.kill(pid, 'SIGCONT');
  await until(async () => (await node.internal.get('/readyz')).status === 200);
  await node.stop();
});

test('one that ends again and again is started again more and more slowly', async () => {
  const file = path.join(tempDir('workers'), 'sluice.conf');
  fs.writeFileSync(file, 'drain = 100ms\n');
  const node = await begun(['--config', file], { env: { SLUICE_DRAIN: undefined } });
  fs.writeFileSync(file, 'no-such-option = 1\n');
  const [{ pid }] = await workers(node);
  process.kill(pid, 'SIGKILL');
  await until(() => ended(node) >= 4);
  assert.equal((await node.internal.get('/readyz')).status, 503);
  assert.match(node.log(), /there is no option no-such-option/);
  const count = ended(node);
  await sleep(1000);
  assert.ok(ended(node) - count <= 5, 'it waits between the starts');
  fs.writeFileSync(file, 'drain = 100ms\n');
  await until(async () => (await node.internal.get('/readyz')).status === 200);
  await node.stop();
});

test('SIGTERM: all drain, and the end is 0', async () => {
  const node = await begun();
  const clients = await logins(node, 12);
  const pids = (await workers(node)).map(({ pid }) => pid);
  const closes = clients.map((client) => client.closed);
  assert.deepEqual(await node.stop('SIGTERM'), { code: 0, signal: null });
  for (const { code } of await Promise.all(closes)) assert.equal(code, 1012);
  assert.deepEqual(pids.filter(runs), []);
  const leases = Object.keys(await scores(redis, 'sluice:nodes'));
  assert.deepEqual(leases.filter((it) => it.startsWith(`${node.id}-`)), [], 'they are given back');
});

test('SIGINT: all end at once', async () => {
  const node = await begun(['--drain', '1m'], { env: { SLUICE_DRAIN: '1m' } });
  await logins(node, 6);
  const pids = (await workers(node)).map(({ pid }) => pid);
  assert.deepEqual(await node.stop('SIGINT'), { code: 0, signal: null });
  assert.deepEqual(pids.filter(runs), []);
});

test('a worker that is told to end is followed by another one at the same port', async () => {
  const node = await begun();
  const before = await killOne(node, { signal: 'SIGTERM' });
  assert.ok(!runs(before.pid));
  await until(async () => {
    const clients = await logins(node, 12);
    const names = new Set(clients.map((client) => client.ack.node));
    await Promise.all(clients.map((client) => client.close()));
    return names.size === 3;
  });
  await node.stop();
});

test('the first process is killed: the workers drain and end', async () => {
  const node = await begun();
  const [client] = await logins(node, 1);
  const pids = (await workers(node)).map(({ pid }) => pid);
  await node.kill();
  assert.equal((await client.closed).code, 1012);
  await until(() => !pids.some(runs));
});

test('SIGHUP reaches all of them', async () => {
  const node = await begun();
  node.signal('SIGHUP');
  const reloads = () => [...node.log().matchAll(/event=reloaded/g)].length;
  await until(() => reloads() === 3, { what: 'three have read their options again' });
  await node.stop();
});

test('a path is shared by all, and gone at the end', async () => {
  const at = path.join(tempDir('workers'), 'socket');
  const args = ['--workers', '3', '--listen', `unix:${at}`, '--redis-url', redis.url];
  const ask = () => new Promise((resolve, reject) => {
    const s = net.connect(at, () => s.write('GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n'));
    s.on('error', reject);
    s.on('data', (data) => resolve(String(data)) || s.destroy());
  });
  const child = spawn(BINARY, args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const exited = new Promise((resolve) => child.on('exit', (code) => resolve(code)));
  await until(() => fs.existsSync(at));
  for (const text of await Promise.all(range(1, 30).map(ask))) assert.match(text, /200 OK/);
  // A worker that ends by itself takes the path from nobody.
  const { pid } = JSON.parse((await ask()).split('\r\n\r\n')[1]).workers[0];
  process.kill(pid, 'SIGTERM');
  await until(() => !runs(pid));
  for (const text of await Promise.all(range(1, 30).map(ask))) assert.match(text, /200 OK/);
  child.kill('SIGTERM');
  assert.equal(await exited, 0);
  assert.ok(!fs.existsSync(at));
});

test('values that cannot be: an error that names the place', async () => {
  const refused = async (args, wanted) => {
    const { code, err } = await runProgram(['--redis-url', redis.url, ...args]);
    assert.equal(code, 1);
    assert.match(err, wanted);
  };
  for (const value of ['0', '129', 'two', '-1', '1.5', '']) {
    await refused(['--workers', value], /workers/);
  }
  const taken = await begun();
  await refused(['--workers', '2', '--listen', `127.0.0.1:${taken.port}`], /listen.*address already in use/i);
  await refused(['--listen', `127.0.0.1:${taken.port}`], /listen.*address already in use/i);
  await refused(['--workers', '2', '--listen', '127.0.0.1:0', '--internal-listen',
    `127.0.0.1:${taken.internal.port}`], /internal-listen.*address already in use/i);
  await refused(['--workers', '2', '--listen', '127.0.0.1:0', '--internal-listen', '127.0.0.1:65534'],
    /internal-listen.*65535/);
  await refused(['--workers', '2', '--listen', '127.0.0.1:0', '--advertise', '127.0.0.1:99'], /advertise/);
  await refused(['--workers', '2', '--listen', '127.0.0.1:0', '--node-id', 'x'.repeat(61)], /node-id/);
  await taken.stop();
});
