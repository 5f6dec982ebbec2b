#!/usr/bin/env node
// `make million`: as many idle connections as the machine holds, on one node with workers: logged
// in, subscribed to one topic, and then one message to each. From the environment (or make's
// command line):
//
//     CONNS=1000000   connections
//     IDLE=60         seconds in which nothing happens but pings
//
// A process may have 20,000 descriptors on many machines. So there are as many workers, and as many
// processes that connect, as it takes. Each of those connects to another address of the loopback,
// so that ports suffice. Everything runs on this machine, so the clients take their share of it.
import { execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';

const ROOT = path.resolve(import.meta.dirname ?? path.dirname(new URL(import.meta.url).pathname), '../..');
process.env.SLUICE_BIN ??= path.join(ROOT, 'build/sluice');
const { startNode, startRedis } = await import('../blackbox/lib/servers.mjs');
const { stopAll } = await import('../blackbox/lib/processes.mjs');
const { connect } = await import('../blackbox/lib/client.mjs');

const conns = Number(process.env.CONNS || 1000000);
const idle = Number(process.env.IDLE || 60);
const AT_ONCE = 3; // processes that connect at a time
const ADDRESSES = 8;
const files = Number(execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }));
const share = Math.floor(Math.min(files, 65000) * 0.94) - 200; // the kernel does not spread evenly
const each = Math.min(share, 100000); // ports of the loopback for one address: 28,000
const workers = Math.max(2, Math.ceil(conns / share));
const crowds = Math.ceil(conns / each);

const whole = (n) => Math.round(n).toLocaleString('en');
const say = (text) => console.log(text);
const elapsed = (since) => (performance.now() - since) / 1000;
const status = (pid, name) => {
  const [, kib] = fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm'));
  return Number(kib) * 1024;
};
const cpu = (pid) => {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
};
const sum = (list, fn) => list.reduce((total, one) => total + fn(one), 0);
const slabs = () =>
  Number(fs.readFileSync('/proc/meminfo', 'utf8').match(/Slab:\s+(\d+)/)[1]) * 1024;

const redis = await startRedis({ appendfsync: 'no' });
// So many processes on a few cores are not heard from for seconds while a million clients come.
const args = ['--workers', String(workers), '--allow-anonymous', '--memory-limit', '16G',
  '--redis-timeout', '20s', '--lease-timeout', '60s'];
const node = await startNode({ redis, id: 'million', shown: false, host: '0.0.0.0', internal: true, args });
const pids = (await node.internal.get('/healthz')).json().workers.map(({ pid }) => pid);
const kernelBefore = slabs();
const before = sum(pids, (pid) => status(pid, 'VmRSS'));
const redisBefore = status(redis.pid, 'VmRSS');
say(`${os.cpus().length} cores, ${whole(os.totalmem() / 2 ** 20)} MiB; ${workers} workers, ${crowds} processes that connect`);

const running = [];
let failed = null;
function crowd(i) {
  const count = Math.min(each, conns - i * each);
  // Several addresses each, since the kernel looks long for a port where most are taken.
  const at = Array.from({ length: ADDRESSES }, (_, n) => `127.1.${i + 1}.${n + 1}:${node.port}:${node.pid}`);
  const load = spawn(path.join(ROOT, 'build/bench/load'),
    ['crowd', `conns=${count}`, `first=${i * each}`, `redis=${redis.pid}`, ...at], { stdio: ['pipe', 'pipe', 'inherit'] });
  running.push(load);
  const heard = {};
  const self = { count, ready: new Promise((r) => (heard.ready = r)), all: new Promise((r) => (heard.all = r)) };
  readline.createInterface({ input: load.stdout }).on('line', (line) => heard[line]());
  load.on('exit', (code) => {
    if (code) failed ??= new Error(`a process that connects has failed (${code})`);
    heard.ready();
    heard.all();
  });
  return self;
}

try {
  const began = performance.now();
  const all = [];
  let ready = 0, next = 0, told = 0;
  await Promise.all(Array.from({ length: AT_ONCE }, async () => {
    while (next < crowds && !failed) {
      const one = crowd(next++);
      all.push(one);
      await one.ready;
      if (failed) return;
      ready += one.count;
      if (elapsed(began) - told > 10) {
        told = elapsed(began);
        say(`  ${whole(ready)} after ${whole(told)} s`);
      }
    }
  }));
  if (failed) throw failed;
  const connecting = elapsed(began);
  say(`${whole(ready)} connections open, logged in and subscribed after ${whole(connecting)} s: ${whole(ready / connecting)} a second`);

  const from = sum(pids, cpu), redisFrom = cpu(redis.pid);
  await new Promise((r) => setTimeout(r, idle * 1000));
  say(`at rest for ${idle} s: workers ${((sum(pids, cpu) - from) / idle).toFixed(2)} cores, Redis ${((cpu(redis.pid) - redisFrom) / idle).toFixed(2)}`);

  const nodes = sum(pids, (pid) => status(pid, 'VmRSS')) - before;
  const store = status(redis.pid, 'VmRSS') - redisBefore;
  const clients = sum(running, (load) => status(load.pid, 'VmRSS'));
  const kernel = slabs() - kernelBefore;
  say('memory, bytes a connection:');
  for (const [what, bytes] of [['workers', nodes], ['Redis', store], ['the kernel, both ends', kernel], ['the clients', clients]]) {
    say(`  ${what.padEnd(22)} ${whole(bytes / ready).padStart(6)}   ${whole(bytes / 2 ** 20).padStart(7)} MiB`);
  }
  const spread = (await node.internal.get('/healthz')).json().workers.map((w) => w.connections);
  say(`a worker has ${whole(Math.min(...spread))} to ${whole(Math.max(...spread))}`);

  const client = await connect(node);
  await client.emit('login', { userId: 'publisher' });
  const start = performance.now();
  await client.emit('publish', { channel: 'topic:bench0', data: 'x'.repeat(100) });
  const acked = elapsed(start);
  await Promise.all(all.map((one) => one.all));
  if (failed) throw failed;
  const took = elapsed(start);
  say(`one message: acknowledged after ${(acked * 1000).toFixed(0)} ms, with all ${whole(ready)} after ${took.toFixed(2)} s: ${whole(ready / took)} deliveries a second`);
} catch (error) {
  console.error(`million: ${error.message}`);
  const told = node.log().split('\n').filter((line) => /level=(warn|error)/.test(line));
  console.error(told.slice(0, 40).join('\n'));
  process.exitCode = 1;
} finally {
  for (const load of running) load.kill('SIGKILL');
  await node.stop('SIGINT').catch((error) => console.error(error.message));
  await redis.stop();
  await stopAll();
}
