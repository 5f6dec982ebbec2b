// --health-check: a command that asks the node started with the same options.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { cluster, freePort, startNode, startRedis, tempDir, test, until } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';

const check = (listen, options) => runProgram(['--health-check', '--listen', listen], options);

async function unhealthy(listen, why) {
  const { code, out, err, all } = await check(listen);
  assert.equal(code, 1, all);
  assert.equal(out, '');
  assert.match(err, /^sluice: no healthy node at [^\n]+: [^\n]+\n$/);
  assert.match(err, why);
  assert.ok(err.includes(listen), err);
}

// A server that does `serve` with each connection.
function listener(t, serve) {
  const sockets = new Set();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    serve(socket);
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`127.0.0.1:${server.address().port}`));
  });
}

test('0 for a node that serves, by flag, environment or file', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 2 });
  t.after(stop);
  for (const node of nodes) {
    const address = `127.0.0.1:${node.port}`;
    const file = path.join(tempDir('config'), 'sluice.conf');
    fs.writeFileSync(file, `listen = ${address}\n`);
    for (const result of [
      await check(address),
      await runProgram(['--listen', address, '--health-check']),
      await runProgram(['--health-check'], { env: { SLUICE_LISTEN: address } }),
      await runProgram(['--health-check', '--config', file]),
    ]) {
      assert.deepEqual([result.code, result.out, result.err], [0, 'healthy\n', '']);
    }
  }
});

test('a node that listens on every address is asked on loopback', async (t) => {
  const redis = await startRedis();
  const port = await freePort();
  const args = ['--listen', `0.0.0.0:${port}`, '--allow-anonymous', '--redis-url', redis.url];
  let checked;
  const serving = runProgram(args, { over: new Promise((resolve) => (checked = resolve)) });
  t.after(() => redis.stop());
  await until(async () => (await check(`0.0.0.0:${port}`)).code === 0);
  checked();
  assert.ok((await serving).late);
});

test('0 without Redis and while draining: a restart would mend neither', async () => {
  const redis = await startRedis();
  const node = await startNode({ redis });
  await redis.stop();
  await node.untilNotReady();
  assert.equal((await check(`127.0.0.1:${node.port}`)).code, 0);
  await node.stop();
});

test('1 and the reason when nobody answers as a healthy node does', async (t) => {
  await unhealthy(`127.0.0.1:${await freePort()}`, /refused/i);
  await unhealthy('127.0.0.1:0', /port 0/);
  await unhealthy('nonsense', /HOST:PORT/);
  await unhealthy(await listener(t, (socket) => socket.end()), /hung up|reset/);
  const busy = await listener(t, (socket) => socket.end('HTTP/1.1 503 Service Unavailable\r\n\r\n'));
  await unhealthy(busy, /not 200/);
});

test('1 when the node is held still', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 2 });
  t.after(stop);
  nodes[0].suspend();
  await unhealthy(`127.0.0.1:${nodes[0].port}`, /in time/);
  nodes[0].resume();
  assert.equal((await check(`127.0.0.1:${nodes[0].port}`)).code, 0);
});

test('a mistake in the options is named, as when a node starts', async () => {
  const { code, err } = await runProgram(['--health-check', '--drain', '5']);
  assert.equal(code, 1);
  assert.match(err, /drain is "5"/);
  const valued = await runProgram(['--health-check=yes']);
  assert.equal(valued.code, 1);
  assert.match(valued.err, /no option --health-check=yes/);
});
