#!/usr/bin/env node
// `make bench TOPOLOGY=cluster`: what a Redis Cluster costs and carries, beside one Redis. All
// processes share this machine, so messages a second say little where it has few cores: CPU a
// message by process is the figure. Every figure is from this run. From the environment (or make's
// command line):
//
//     SECONDS=10      of each measured window
//     RUNS=3          of each measurement, in turn; the median is told, with the least and the most
//     MASTERS=1,3,6   of the Clusters
//     CHANNELS=100000 that are subscribed to when the master fails over; 0: not measured
//     ONLY=topics,pairs,paced,rest,failover
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../..');
const LOAD = path.join(ROOT, 'build/bench/load');
process.env.SLUICE_BIN ??= path.join(ROOT, 'build/sluice');
const { startCluster } = await import('../blackbox/lib/cluster.mjs');
const { startNode, startRedis } = await import('../blackbox/lib/servers.mjs');
const { until } = await import('../blackbox/lib/waiting.mjs');
const { WebSocket } = await import('ws');

const seconds = Number(process.env.SECONDS || 10);
const runs = Number(process.env.RUNS || 3);
const masters = (process.env.MASTERS || '1,3,6').split(',').map(Number);
const channels = Number(process.env.CHANNELS || 100000);
const only = process.env.ONLY?.split(',');
const wanted = (name) => !only || only.includes(name);
const say = (text = '') => console.log(text);
const median = (all) => [...all].sort((a, b) => a - b)[Math.floor(all.length / 2)];
const spread = (all, digits) =>
  `${median(all).toFixed(digits)} (${Math.min(...all).toFixed(digits)} to ${Math.max(...all).toFixed(digits)})`;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// CPU of processes so far, in seconds: user and system, in ticks of 10 ms.
function cpu(pids) {
  return pids.reduce((sum, pid) => {
    const fields = fs.readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1].split(' ');
    return sum + (Number(fields[11]) + Number(fields[12])) / 100;
  }, 0);
}

async function during(world, what, ms) {
  const before = [cpu(world.nodes.map((n) => n.pid)), cpu(world.redis)];
  const at = Date.now();
  await sleep(ms);
  const took = (Date.now() - at) / 1000;
  const after = [cpu(world.nodes.map((n) => n.pid)), cpu(world.redis)];
  return { nodes: (after[0] - before[0]) / took, redis: (after[1] - before[1]) / took };
}

// The load runs a second longer than the window, on both sides.
async function load(world, mode, settings) {
  const pairs = Object.entries({ ...settings, seconds: seconds + 2, redis: world.redis[0] });
  const args = [mode, ...pairs.map(([name, value]) => `${name}=${value}`)];
  for (const { port, pid } of world.nodes) args.push(`127.0.0.1:${port}:${pid}`);
  const ended = new Promise((resolve, reject) => {
    execFile(LOAD, args, { timeout: (seconds + 120) * 1000 }, (error, out, text) => {
      if (error) reject(new Error(`${mode}: ${text.trim() || error.message}`));
      else resolve(JSON.parse(out));
    });
  });
  await sleep(3000);
  const [cores, told] = [await during(world, mode, (seconds - 1) * 1000), await ended];
  const rate = told.deliveries / told.seconds;
  return { rate, node: (cores.nodes / rate) * 1e6, redis: (cores.redis / rate) * 1e6 };
}

async function makeWorld(count) {
  const redis = count ? await startCluster({ masters: count, replicas: 0 }) : await startRedis({ appendfsync: 'everysec' });
  if (count) for (const one of redis.servers) await redis.on(one, 'CONFIG', 'SET', 'appendfsync', 'everysec');
  const nodes = [];
  for (const id of ['n1', 'n2']) nodes.push(await startNode({ redis, id }));
  return {
    name: count ? `Cluster, ${count} master${count > 1 ? 's' : ''}` : 'one Redis',
    nodes,
    redis: count ? redis.servers.map((one) => one.pid) : [redis.pid],
    async stop() {
      for (const node of nodes) await node.stop();
      await redis.stop();
    },
  };
}

const measurements = {
  topics: ['64 topics, a publisher and a subscriber each, full rate', (w) => load(w, 'fanout', { subs: 64, topics: 64, pubs: 64, window: 16 })],
  pairs: ['private messages, 200 pairs, full rate', (w) => load(w, 'pairs', { pairs: 200 })],
  paced: ['64 topics, 2,000 messages a second', (w) => load(w, 'fanout', { subs: 64, topics: 64, pubs: 64, rate: 2000 })],
  rest: ['at rest, two nodes', async (w) => {
    const { nodes, redis } = await during(w, 'rest', seconds * 1000);
    return { rate: 0, node: nodes * 100, redis: redis * 100 };
  }],
};

async function compare(name) {
  const [title, measure] = measurements[name];
  const all = new Map();
  for (let run = 0; run < runs; run++) {
    for (const count of [0, ...masters]) {
      process.stderr.write(`measuring ${name}, run ${run + 1}, ${count || 'one Redis'}…\n`);
      const world = await makeWorld(count);
      await sleep(1000);
      const result = await measure(world);
      await world.stop();
      all.set(world.name, [...(all.get(world.name) ?? []), result]);
    }
  }
  const rest = name === 'rest';
  say(`\n${title}${rest ? ': percent of a core' : ''}`);
  for (const [world, results] of all) {
    const of = (field) => results.map((one) => one[field]);
    const rate = rest ? '' : `${Math.round(median(of('rate'))).toLocaleString('en').padStart(8)} a second,  `;
    const unit = rest ? '%' : 'µs';
    say(`  ${world.padEnd(20)} ${rate}nodes ${spread(of('node'), 2)} ${unit},  Redis ${spread(of('redis'), 2)} ${unit}`);
  }
}

/* --- a failover with many channels --- */

async function subscribeAll(node, count, each = 900) {
  const sockets = [];
  for (let first = 0; first < count; first += each) {
    const socket = new WebSocket(`ws://127.0.0.1:${node.port}/ws`);
    await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject));
    let waiting = 0;
    const answered = new Promise((resolve, reject) => {
      socket.on('message', (text) => {
        const { ack, error } = JSON.parse(text);
        if (ack !== undefined && error) reject(new Error(error.message));
        if (ack !== undefined && --waiting === 0) resolve();
      });
    });
    const ask = (event, data) => socket.send(JSON.stringify({ event, data, ack: ++waiting }));
    ask('login', { userId: `u${first}` });
    for (let i = first; i < Math.min(first + each, count); i++) ask('subscribe', { channel: `topic:t${i}` });
    await answered;
    sockets.push(socket);
  }
  return sockets;
}

// The node's metrics: { name: value }.
async function metricsOf(node) {
  const { body } = await node.get('/metrics');
  const lines = body.split('\n').filter((line) => line && !line.startsWith('#'));
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ') + 1))]));
}

// The bound of the longest turn of the loop between two readings, in ms.
function longestTurn(before, after) {
  const buckets = Object.keys(after).filter((name) => name.startsWith('sluice_loop_turn_seconds_bucket'));
  const counts = buckets.map((name) => [name.match(/le="(.+)"/)[1], after[name] - before[name]]);
  return Number(counts.find(([, n]) => n === counts.at(-1)[1])[0]) * 1000;
}

// All channels of one node are subscribed to again and level with their logs: what it tells itself,
// since a question to Redis about each channel would cost more than what is measured.
async function failover(count) {
  const cluster = await startCluster({ masters: count, replicas: 1 });
  for (const one of cluster.servers) await cluster.on(one, 'CONFIG', 'SET', 'appendfsync', 'everysec');
  const [master] = await cluster.masters();
  const replica = await cluster.replicaOf(master);
  const node = await startNode({ redis: cluster, id: 'n1', args: ['--rate-limit', '0'] });
  process.stderr.write(`subscribing to ${channels} channels…\n`);
  const sockets = await subscribeAll(node, channels);
  await sleep(2000);
  const before = await metricsOf(node);
  const used = [cpu([node.pid]), cpu([replica.pid])];
  const began = Date.now();
  await cluster.on(replica, 'CLUSTER', 'FAILOVER');
  await until(async () => (await cluster.on(replica, 'ROLE')).startsWith('master'), { timeout: 30000, every: 2 });
  const promoted = Date.now();
  let [moved, after] = [0, before];
  const level = async () => {
    after = await metricsOf(node);
    moved = Math.max(moved, after.sluice_channels_behind);
    return moved > 0 && after.sluice_channels_behind === 0;
  };
  await until(level, { timeout: 120000, every: 20, what: 'all channels are level with their logs' });
  const levelled = Date.now();
  const [nodes, redis] = [cpu([node.pid]) - used[0], cpu([replica.pid]) - used[1]];
  say(`\nA planned failover of one of ${count} masters, ${channels.toLocaleString('en')} channels on one node`);
  say(`  promoted after ${promoted - began} ms; ${moved.toLocaleString('en')} channels or more had moved, and were level again ${levelled - promoted} ms later`);
  say(`  CPU: node ${nodes.toFixed(2)} s, new master ${redis.toFixed(2)} s; no turn of the loop over ${longestTurn(before, after)} ms`);
  for (const socket of sockets) socket.terminate();
  await node.stop('SIGINT');
  await cluster.stop();
}

say(`${os.cpus().length} cores, ${os.cpus()[0].model.trim()}, load ${os.loadavg()[0].toFixed(2)} before; windows of ${seconds} s, ${runs} runs; appendfsync everysec.`);
for (const name of Object.keys(measurements)) if (wanted(name)) await compare(name);
if (wanted('failover') && channels > 0) for (const count of [1, 3]) await failover(count);
process.exit(0);
