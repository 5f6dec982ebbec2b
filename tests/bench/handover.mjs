#!/usr/bin/env node
// What it costs that a Socket.IO session's requests reach another node: the same round trips at the
// session's own node and at another one, in turns, on two nodes of build/sluice.
//
//     node tests/bench/handover.mjs        TRIPS=3000 of each kind; SESSIONS=16 side by side
//
// A round trip is an event and its ack: over polling one POST and the GET that it answers. CPU is of
// both nodes together.

import http from 'node:http';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
process.env.SLUICE_BIN ??= path.join(ROOT, 'build/sluice');
const { cluster } = await import('../blackbox/lib/harness.mjs');
const { begin } = await import('../blackbox/lib/handover.mjs');
const { metrics } = await import('../blackbox/lib/registry.mjs');
const { WebSocket } = await import('ws');

const trips = Number(process.env.TRIPS || 3000);
const side = Number(process.env.SESSIONS || 16);
const ROUNDS = 6;

const { nodes, stop } = await cluster({ nodes: 2, args: ['--drain', '0'] });
const [one] = nodes;
const agent = new http.Agent({ keepAlive: true, maxSockets: 4 * side });

function ask(node, url, body) {
  return new Promise((resolve, reject) => {
    const options = { method: body === undefined ? 'GET' : 'POST', agent };
    const request = http.request(node.url + url, options, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (data) => (text += data));
      answer.on('end', () => resolve(text));
    });
    request.on('error', reject).end(body);
  });
}

// Each resolves to a function that makes one round trip.
async function polled(node) {
  const { url } = await begin(one, nodes);
  return async () => {
    const waiting = ask(node, url);
    await ask(node, url, '421["heartbeat",""]');
    const got = await waiting;
    if (got !== '431[{}]' && got !== '2') throw new Error(got);
    if (got === '2') await ask(node, url, '3');
  };
}

async function socket(node) {
  const { url } = await begin(one, nodes);
  const ws = new WebSocket(node.url.replace('http', 'ws') + url.replace('polling', 'websocket'));
  await new Promise((resolve) => ws.once('open', resolve));
  const next = () => new Promise((resolve) => ws.once('message', (data) => resolve(data.toString())));
  const probed = next();
  ws.send('2probe');
  await probed;
  ws.send('5');
  return async () => {
    const come = next();
    ws.send('421["heartbeat",""]');
    const got = await come;
    if (got === '2') ws.send('3');
    else if (got !== '431[{}]') throw new Error(got);
  };
}

const cpu = async () => {
  const all = await Promise.all(nodes.map((node) => metrics(node)));
  return all.reduce((sum, now) => sum + now('process_cpu_seconds_total'), 0);
};

// `count` round trips by each of these; resolves to { ms: each, median, cpu: µs of each }.
async function measure(each, count) {
  const times = [];
  const before = await cpu();
  await Promise.all(
    each.map(async (trip) => {
      for (let i = 0; i < count; i++) {
        const began = performance.now();
        await trip();
        times.push(performance.now() - began);
      }
    }),
  );
  const used = (await cpu()) - before;
  return { times, cpu: used, count: times.length };
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

for (const [name, make] of [['polling', polled], ['websocket', socket]]) {
  for (const [kind, width] of [['one session', 1], [`${side} sessions`, side]]) {
    const totals = nodes.map(() => ({ times: [], cpu: 0, count: 0 }));
    const ways = await Promise.all(
      nodes.map((node) => Promise.all(Array.from({ length: width }, () => make(node)))),
    );
    for (const way of ways) await measure(way, 100 / width + 1);
    for (let round = 0; round < ROUNDS; round++) {
      for (const [i, way] of ways.entries()) {
        const got = await measure(way, Math.ceil(trips / ROUNDS / width));
        totals[i].times.push(...got.times);
        totals[i].cpu += got.cpu;
        totals[i].count += got.count;
      }
    }
    const [own, other] = totals.map((total) => ({
      ms: median(total.times),
      us: (1e6 * total.cpu) / total.count,
    }));
    console.log(
      `${name}, ${kind}: at its node ${own.ms.toFixed(3)} ms and ${own.us.toFixed(0)} µs of CPU, ` +
        `handed over ${other.ms.toFixed(3)} ms and ${other.us.toFixed(0)} µs: ` +
        `${(other.ms / own.ms).toFixed(2)} times, ${(other.us / own.us).toFixed(2)} times`,
    );
  }
}
agent.destroy();
await stop();
process.exit();
