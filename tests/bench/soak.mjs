#!/usr/bin/env node
// `make soak`: clients come, talk and go for an hour, and what two nodes and Redis hold must stay level:
// memory, descriptors, keys. From the environment (or make's command line):
//
//     MINUTES=60    how long; the first quarter is for warming up
//     VISITORS=200  clients at a time
//
// What Redis keeps of rooms and users ends after a minute or two here, so that it is level soon. Prints
// a line a minute. Fails if the last quarter holds over a tenth more than the second did.
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
process.env.SLUICE_BIN ??= path.join(ROOT, 'build/sluice');
const { sleep, startNode, startRedis, stopAll } = await import('../blackbox/lib/harness.mjs');
const { WebSocket } = await import('ws');
const { io } = await import('socket.io-client');

const minutes = Number(process.env.MINUTES || 60);
const visitors = Number(process.env.VISITORS || 200);
const USERS = 3000;
const ROOMS = 40;
const EVERY = 5000; // ms between two looks

const pick = (n) => Math.floor(Math.random() * n);
const redis = await startRedis();
const args = ['--room-retention', '60s', '--inbox-retention', '60s', '--user-retention', '90s',
  '--history-max', '500', '--socketio-recovery', '20s', '--drain', '0'];
const nodes = await Promise.all(['n1', 'n2'].map((id) => startNode({ redis, id, args, shown: false })));
const end = Date.now() + minutes * 60000;
const count = { visits: 0, sent: 0, got: 0, failed: 0 };

// What a client does, by its ways to send an event and to leave.
async function talk(emit, leave) {
  const user = `u${pick(USERS)}`, room = `r${pick(ROOMS)}`;
  await emit('login', { userId: user, csId: String(pick(ROOMS)) });
  await emit('join', { room });
  await emit('subscribe', { channel: `topic:t${pick(ROOMS)}` });
  for (let i = pick(12); i > 0 && Date.now() < end; i--) {
    const id = `${user}-${Date.now()}-${i}`, text = 'x'.repeat(pick(i === 1 ? 20000 : 300));
    const what = pick(5);
    if (what === 0) await emit('sendMessage', { room, message: text, clientMessageId: id });
    else if (what === 1) await emit('private_message', { receiverId: `u${pick(USERS)}`, content: text, clientMessageId: id });
    else if (what === 2) await emit('publish', { channel: `topic:t${pick(ROOMS)}`, data: text });
    else if (what === 3) await emit('history', { room });
    else await emit('heartbeat', {});
    count.sent++;
    await sleep(pick(400));
  }
  if (pick(3) === 0) await emit('leave', { room });
  leave();
}

function visitWs(node) {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`${node.url.replace('http', 'ws')}/ws`);
    const acks = new Map();
    let last = 0;
    const emit = (event, data) => new Promise((done, fail) => {
      acks.set(++last, { done, fail });
      socket.send(JSON.stringify({ event, data, ack: last }));
    });
    socket.on('message', (text) => {
      count.got++;
      if (!String(text).startsWith('{"ack"')) return;
      const { ack, error } = JSON.parse(text);
      const { done, fail } = acks.get(ack);
      acks.delete(ack);
      if (error && !['rate_limited', 'unavailable'].includes(error.code)) fail(new Error(error.code));
      else done();
    });
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed')));
    const leave = () => (pick(2) ? socket.close() : socket.terminate());
    socket.on('open', () => talk(emit, leave).then(resolve, reject));
  });
}

function visitSocketIo(node) {
  return new Promise((resolve, reject) => {
    const transports = pick(2) ? ['websocket'] : ['polling', 'websocket'];
    const socket = io(node.url, { forceNew: true, reconnection: false, transports });
    socket.onAny(() => count.got++);
    const emit = (event, data) => socket.timeout(20000).emitWithAck(event, data);
    socket.on('connect_error', reject);
    socket.on('connect', () => talk(emit, () => socket.disconnect()).then(resolve, reject));
  });
}

async function visitor() {
  while (Date.now() < end) {
    const visit = pick(4) === 0 ? visitSocketIo : visitWs;
    await visit(nodes[pick(2)]).catch((error) => {
      count.failed++;
      if (count.failed <= 5) console.error(`soak: a visit failed: ${error.message}`);
    });
    count.visits++;
  }
}

const rss = (pid) => Number(fs.readFileSync(`/proc/${pid}/status`, 'utf8').match(/VmRSS:\s+(\d+)/)[1]);
const files = (pid) => fs.readdirSync(`/proc/${pid}/fd`).length;
async function look() {
  const memory = await redis.cli('INFO', 'memory');
  return {
    'nodes, KiB': nodes.reduce((sum, { pid }) => sum + rss(pid), 0),
    descriptors: nodes.reduce((sum, { pid }) => sum + files(pid), 0),
    'Redis, KiB': Math.round(Number(memory.match(/used_memory:(\d+)/)[1]) / 1024),
    keys: Number(await redis.cli('DBSIZE')),
  };
}

const median = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];
const looks = [];
const began = Date.now();
const all = Array.from({ length: visitors }, visitor);
console.log(`${minutes} minutes, ${visitors} clients at a time, ${USERS} users, ${ROOMS} rooms`);
let told = 0;
while (Date.now() < end) {
  await sleep(EVERY);
  looks.push(await look());
  if (Date.now() - told < 60000) continue;
  told = Date.now();
  const now = Object.entries(looks.at(-1)).map(([what, n]) => `${what} ${n.toLocaleString('en')}`);
  console.log(`  ${Math.round((told - began) / 60000)} min  ${count.visits.toLocaleString('en')} visits  ${count.sent.toLocaleString('en')} sent  ${count.got.toLocaleString('en')} received  ${now.join('  ')}`);
}
await Promise.all(all);
const quarter = Math.floor(looks.length / 4);
let level = true;
for (const what of Object.keys(looks[0])) {
  const early = median(looks.slice(quarter, 2 * quarter).map((look) => look[what]));
  const late = median(looks.slice(3 * quarter).map((look) => look[what]));
  const good = late <= early * 1.1;
  level = level && good;
  console.log(`${what.padEnd(12)} ${early.toLocaleString('en')} in the second quarter, ${late.toLocaleString('en')} in the last${good ? '' : ': NOT LEVEL'}`);
}
console.log(`${count.visits} visits, ${count.failed} failed`);
for (const node of nodes) await node.stop('SIGINT');
await redis.stop();
await stopAll();
process.exit(level && count.failed * 1000 <= count.visits ? 0 : 1);
