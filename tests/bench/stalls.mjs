#!/usr/bin/env node
// `make stalls`: how long a sender stands still when something breaks. For each fault: two nodes of
// build/sluice, Redis with its file synced at every write, a TCP balancer in front, four
// subscribers and one publisher by the client library, on a node each in turn. The publisher asks
// for 100 messages a second for 12 seconds, and the fault begins when two have passed.
//
//     ONLY=killed,silent   the faults whose name has one of these words
//     SECONDS=12           of publishing
//     RUNS=1               of each fault; all of them are shown
//
// What is printed: `lost`, acknowledged messages that some subscriber did not get and was not told
// of; `doubled`, those that it got twice or out of order; `refused`, those whose promise was
// rejected (on a machine too busy to store 100 a second the outbox of 1,000 fills); `late`, the
// longest way from the ack to a subscriber; `stall`, the longest time without an ack while one was
// wanted. Times are in ms.

import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
process.env.SLUICE_BIN ??= path.join(ROOT, 'build/sluice');
const { sleep, startNode, startRedis } = await import('../blackbox/lib/harness.mjs');
const { startProxy } = await import('../blackbox/lib/proxy.mjs');
const { Sluice } = await import('../../gateway/web/sluice.js');
const { WebSocket } = await import('ws');

const SECONDS = Number(process.env.SECONDS || 12);
const RUNS = Number(process.env.RUNS || 1);
const EVERY = 10; // ms from one message to the next
const SETTLE = 15000; // ms that a message may take to come at last
const ONLY = process.env.ONLY?.split(',');

const times = async (count, every, act) => {
  for (let i = 0; i < count; i++) {
    await act(i);
    await sleep(every);
  }
};

const killedInTurn = async ({ nodes, start }) => {
  for (const at of [0, 1]) {
    const { port } = nodes[at];
    nodes[at].down = true; // the balancer finds nobody there
    await nodes[at].kill();
    nodes[at] = await start(at, port);
    await sleep(1500);
  }
};

// Each is begun when two seconds have passed. `quiet`: nobody speaks once it is over.
const FAULTS = [
  { name: 'none', run: () => {} },
  {
    name: 'subscriber links of Redis killed, 6 times',
    run: ({ redis }) => times(6, 1400, () => redis.cli('CLIENT', 'KILL', 'TYPE', 'pubsub')),
  },
  {
    name: 'all links to Redis reset, 4 times',
    run: ({ proxies }) => times(4, 2200, () => proxies.forEach((proxy) => cut(proxy))),
  },
  { name: "one node's links to Redis go silent", run: ({ proxies }) => proxies[0].stall() },
  {
    name: 'Redis stands still for 6 s',
    async run({ redis }) {
      redis.pause();
      await sleep(6000);
      redis.resume();
    },
  },
  {
    name: 'Redis killed, back after 1 s',
    async run({ redis }) {
      await redis.kill();
      await sleep(1000);
      await redis.restart();
    },
  },
  { name: 'nodes killed in turn', run: killedInTurn },
  {
    name: "clients' links reset, 4 times",
    run: ({ balancer }) => times(4, 2200, () => cut(balancer)),
  },
  { name: "clients' links go silent", run: ({ balancer }) => balancer.stall() },
  {
    name: 'one node cut from Redis for 3 s, then nobody speaks',
    quiet: true,
    async run({ proxies: [proxy] }) {
      proxy.refusing = true;
      cut(proxy);
      await sleep(3000);
      proxy.refusing = false;
    },
  },
  { name: 'Redis emptied', run: ({ redis }) => redis.cli('FLUSHALL') },
];

const cut = (proxy) => proxy.links().length && proxy.cut();

// The stage of one run; the balancer goes round, and leaves nodes out that are down.
async function stage() {
  const redis = await startRedis({ appendfsync: 'always' });
  const proxies = [await startProxy(redis), await startProxy(redis)];
  const args = ['--drain', '0'];
  const start = (at, port) =>
    startNode({ redis: proxies[at].url, id: `n${at + 1}`, args, port, shown: false });
  const nodes = [await start(0), await start(1)];
  let turn = 0;
  const balancer = await startProxy({
    url: 'redis://127.0.0.1:0/0',
    get port() {
      const up = nodes.filter(({ down }) => !down);
      return up.length ? up[turn++ % up.length].port : 1;
    },
  });
  const end = async () => {
    for (const proxy of [balancer, ...proxies]) proxy.close();
    for (const node of nodes) await node.kill();
    await redis.kill();
  };
  return { redis, proxies, nodes, balancer, start, end };
}

async function enter(balancer, userId) {
  const one = new Sluice(`ws://127.0.0.1:${balancer.port}/ws`, { userId }, { WebSocket });
  await one.ready();
  await one.emit('join', { room: 'r' });
  return one;
}

function listen(sluice) {
  const heard = { at: new Map(), doubled: 0, told: false, last: 0, sluice };
  sluice.on('lost', () => (heard.told = true));
  sluice.on('chatMessage', ({ message }) => {
    if (message <= heard.last) heard.doubled++;
    heard.last = Math.max(heard.last, message);
    if (!heard.at.has(message)) heard.at.set(message, performance.now());
  });
  return heard;
}

// Asks for a message every EVERY ms until isOver(); resolves when each is answered.
async function publish(sluice, isOver) {
  const said = { acked: new Map(), refused: 0, stall: 0 };
  const begun = performance.now();
  let last = begun;
  const done = () => {
    said.stall = Math.max(said.stall, performance.now() - last);
    last = performance.now();
  };
  const all = [];
  for (let i = 1; !isOver(performance.now() - begun); i++) {
    const answer = sluice.emit('sendMessage', { room: 'r', message: i });
    all.push(
      answer.then(
        () => said.acked.set(i, performance.now()) && done(),
        () => said.refused++,
      ),
    );
    const wait = begun + i * EVERY - performance.now();
    if (wait > 0) await sleep(wait);
  }
  await Promise.all(all);
  return said;
}

function judge(said, listeners) {
  const result = { lost: 0, doubled: 0, refused: said.refused, late: 0, stall: said.stall };
  for (const { at, doubled, told } of listeners) {
    result.doubled += doubled;
    for (const [message, acked] of said.acked) {
      if (at.has(message)) result.late = Math.max(result.late, at.get(message) - acked);
      else if (!told) result.lost++;
    }
    result.told ||= told;
  }
  return result;
}

async function measure({ run, quiet }) {
  const where = await stage();
  try {
    const publisher = await enter(where.balancer, 'publisher');
    const names = ['a', 'b', 'c', 'd'];
    const all = await Promise.all(names.map((name) => enter(where.balancer, name)));
    const listeners = all.map(listen);
    let over = false;
    const fault = sleep(2000).then(async () => {
      await run(where);
      over = true;
    });
    const limit = SECONDS * 1000;
    const said = await publish(publisher, (passed) => (quiet && over) || passed > limit);
    await fault;
    const has = () => listeners.every(({ at, told }) => told || at.size >= said.acked.size);
    for (let waited = 0; !has() && waited < SETTLE; waited += 100) await sleep(100);
    await sleep(200);
    for (const one of [publisher, ...all]) await one.close(0);
    return judge(said, listeners);
  } finally {
    await where.end();
  }
}

const row = (cells) => console.log(`  ${cells.map((cell, i) => pad(String(cell), i)).join('  ')}`);
const pad = (text, i) => (i ? text.padStart(8) : text.padEnd(52));

row(['fault', 'lost', 'doubled', 'refused', 'late', 'stall', '']);
for (const fault of FAULTS) {
  if (ONLY && !ONLY.some((word) => fault.name.toLowerCase().includes(word.toLowerCase()))) continue;
  for (let i = 0; i < RUNS; i++) {
    const { lost, doubled, refused, late, stall, told } = await measure(fault);
    const note = told ? 'told' : '';
    row([fault.name, lost, doubled, refused, Math.round(late), Math.round(stall), note]);
  }
}
process.exit(0);
