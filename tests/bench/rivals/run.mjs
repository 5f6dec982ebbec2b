#!/usr/bin/env node
// `make rivals`: two nodes of Sluice, two processes of Socket.IO with its Redis adapter, and nginx with
// Nchan and two workers, one after the other on this machine: memory of an idle connection, and CPU of a
// delivery to 1,000 subscribers at a steady pace. Sluice by /ws and, with the packets that Socket.IO
// gets, by its Socket.IO door; both of these by HTTP polling, too, at a tenth of the pace. From the
// environment (or make's command line):
//
//     SECONDS=10   of each measured window
//     RATE=50      messages a second
//     CONNS=4000   idle connections
//     ONLY=sluice,sluice-socketio,socketio,nchan,sluice-polling,socketio-polling

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import * as rivals from './rivals.mjs';

const HERE = path.dirname(fileURLToPath(import.meta.url));
process.env.SLUICE_BIN ??= path.resolve(HERE, '../../../build/sluice'); // read by what follows
const harness = await import('../../blackbox/lib/harness.mjs');
const { findProgram, startProcess } = await import('../../blackbox/lib/processes.mjs');
const { freePort, sleep, startNode, startRedis, tempDir, until } = harness;
const SUBSCRIBERS = 1000;
const PUBLISHERS = 4;
const TEXT = 'x'.repeat(126);
const { SECONDS = 10, RATE = 50, CONNS = 4000, ONLY } = process.env;
const seconds = Number(SECONDS);

const read = (pid, file) => fs.readFileSync(`/proc/${pid}/${file}`, 'utf8');
const sum = (pids, of) => pids.reduce((total, pid) => total + of(pid), 0);
const microseconds = (pids) => sum(pids, (pid) => Number(read(pid, 'schedstat').split(' ')[0]) / 1000);
const bytes = (pids) => sum(pids, (pid) => Number(read(pid, 'status').match(/VmRSS:\s+(\d+)/)[1]) * 1024);

async function several(count, make) {
  const made = [];
  for (let i = 0; i < count; i += 50) {
    const some = Array.from({ length: Math.min(50, count - i) }, (_, k) => make(i + k));
    made.push(...(await Promise.all(some)));
  }
  return made;
}

function script(name, args, env = {}) {
  const log = path.join(tempDir(name), 'log');
  const child = startProcess(process.execPath, [path.join(HERE, name), ...args], {
    cwd: HERE,
    log,
    env: { ...process.env, NODE_ENV: 'production', ...env },
  });
  return until(() => child.output().match(/addr=127\.0\.0\.1:(\d+)/), { what: child.output() }).then(
    ([, port]) => ({ port: Number(port), pid: child.pid, stop: () => child.end('SIGKILL', 5000) }),
  );
}

// Each starts its processes: { ports, pids(), stop() }.
const starts = {
  async sluice(redis) {
    const nodes = [await startNode({ redis, id: 'n1' }), await startNode({ redis, id: 'n2' })];
    const stop = async () => {
      for (const node of nodes) await node.stop('SIGINT');
    };
    return { ports: nodes.map(({ port }) => port), pids: () => nodes.map(({ pid }) => pid), stop };
  },
  async socketio(redis) {
    if (!fs.existsSync(path.join(HERE, 'node_modules/socket.io')))
      execFileSync('npm', ['ci', '--no-audit', '--no-fund'], { cwd: HERE, stdio: 'inherit' });
    const servers = [await script('socketio.mjs', [redis.port]), await script('socketio.mjs', [redis.port])];
    const stop = () => Promise.all(servers.map((server) => server.stop()));
    return { ports: servers.map(({ port }) => port), pids: () => servers.map(({ pid }) => pid), stop };
  },
  async nchan() {
    const dir = tempDir('nchan');
    fs.chmodSync(dir, 0o711);
    execFileSync('apt-get', ['download', 'libnginx-mod-nchan'], { cwd: dir, stdio: 'ignore' });
    const [deb] = fs.readdirSync(dir).filter((name) => name.endsWith('.deb'));
    execFileSync('dpkg-deb', ['-x', deb, '.'], { cwd: dir });
    const port = await freePort();
    const conf = path.join(dir, 'nginx.conf');
    const temp = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
    fs.writeFileSync(
      conf,
      [
        `load_module ${dir}/usr/lib/nginx/modules/ngx_nchan_module.so;`,
        'pid nginx.pid; worker_processes 2; worker_rlimit_nofile 20000;',
        'events { worker_connections 16000; }',
        'http { access_log off;',
        ...temp.map((name) => `${name}_temp_path ${name};`),
        `server { listen 127.0.0.1:${port};`,
        'location ~ ^/sub/(.+)$ { nchan_subscriber websocket; nchan_channel_id $1; }',
        'location /pub { nchan_publisher; nchan_channel_id t; } } }',
      ].join('\n'),
    );
    const child = startProcess(
      findProgram('nginx'),
      ['-e', 'stderr', '-p', dir, '-c', conf, '-g', 'daemon off;'],
      { cwd: dir, log: path.join(dir, 'log') },
    );
    const workers = () => read(child.pid, `task/${child.pid}/children`).trim().split(/\s+/).filter(Boolean);
    await until(() => workers().length === 2, { what: child.output() });
    await sleep(500); // they listen, but have not all begun to accept
    return { ports: [port], pids: () => workers().map(Number), stop: () => child.end('SIGTERM', 5000) };
  },
};

// What is started, what its clients do, and at which part of RATE.
const rows = {
  sluice: [starts.sluice, rivals.sluice, 1],
  'sluice-socketio': [starts.sluice, rivals.socketio, 1],
  socketio: [starts.socketio, rivals.socketio, 1],
  nchan: [starts.nchan, rivals.nchan, 1],
  'sluice-polling': [starts.sluice, rivals.polling, 0.1],
  'socketio-polling': [starts.socketio, rivals.polling, 0.1],
};

async function measure([start, drive, pace], redis) {
  const server = await start(redis);
  let count = 0;
  const rival = drive(server.ports, () => count++);
  const before = bytes(server.pids());
  const idle = await several(Number(CONNS), rival.idle);
  await sleep(1000);
  const each = (bytes(server.pids()) - before) / idle.length;
  for (const one of idle) one.end();
  await sleep(1000);

  const subscribers = await several(SUBSCRIBERS, rival.subscribe);
  const publishers = await several(PUBLISHERS, rival.publisher);
  let next = 0;
  const say = () => publishers[next++ % PUBLISHERS].publish(TEXT, () => {});
  const timer = setInterval(say, 1000 / (RATE * pace));
  await sleep(1000);
  const from = { count, us: microseconds(server.pids()), at: performance.now() };
  await sleep(seconds * 1000);
  const us = microseconds(server.pids()) - from.us;
  const got = count - from.count;
  const rate = got / ((performance.now() - from.at) / 1000);
  clearInterval(timer);
  for (const one of [...subscribers, ...publishers]) one.end();
  await server.stop();
  return { each, us: us / got, rate };
}

const redis = await startRedis({ appendfsync: 'everysec' });
console.log(`${os.cpus().length} cores, ${os.cpus()[0].model.trim()}, load ${os.loadavg()[0].toFixed(1)} before`);
console.log(`${CONNS} idle connections; ${SUBSCRIBERS} subscribers, ${RATE} messages of 128 bytes a second for ${seconds} s\n`);
console.log('                  bytes an idle connection   server µs a delivery   deliveries a second');
for (const name of ONLY ? ONLY.split(',') : Object.keys(rows)) {
  if (!rows[name]) throw new Error(`there is no "${name}": ${Object.keys(rows)}`);
  const { each, us, rate } = await measure(rows[name], redis);
  const cells = [Math.round(each).toLocaleString('en').padStart(24), us.toFixed(1).padStart(22)];
  console.log(`  ${name.padEnd(16)}${cells.join(' ')} ${Math.round(rate).toLocaleString('en').padStart(21)}`);
}
await redis.stop();
process.exit(0);
