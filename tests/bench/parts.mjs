// The parts of `make bench ONLY=…` that measure Sluice alone: two nodes of build/sluice with
// build/bench/load. From the environment (or make's command line):
//
//     SECONDS=10    of each measured window
//     RATE=50       publishes a second of the paced fan-out
//     PUBLISHERS=4  connections that publish
//     CONNS=10000   idle connections
//     ROOM=10000    members a room that they join
//     MESSAGES=480  of each case of the instructions (instructions.mjs)
//     PIDS=1        prints the pids, for perf

import os from 'node:os';
import { decimal, load, machine, say, setting, table, whole } from './lib.mjs';
import { startNode, startRedis } from '../blackbox/lib/servers.mjs';

const SUBSCRIBERS = 1000;
const WINDOW = 32;
const PAIRS = 200;
const seconds = setting('SECONDS', 10);
const rate = setting('RATE', 50);
const publishers = setting('PUBLISHERS', 4);
const conns = setting('CONNS', 10000);
const room = setting('ROOM', 10000);
export const PARTS = ['fanout', 'paced', 'pairs', 'idle', 'workers', 'instructions', 'deflate', 'fairness'];

// Who held the figure down.
function limit({ cores }, processes) {
  const full = cores.idle < 0.1 * os.cpus().length;
  if (cores.client > 0.9) return 'the client';
  if (cores.nodes > 0.9 * processes) return processes > 1 ? 'the nodes' : 'the server';
  if (cores.redis > 0.9) return 'Redis';
  return full ? 'the machine' : 'the window';
}

export async function parts(only) {
  const wanted = (name) => only.includes(name);
  const result = {};
  if (wanted('instructions')) {
    process.stderr.write('measuring instructions…\n');
    const { measureInstructions } = await import('./instructions.mjs');
    result.instructions = await measureInstructions();
  }
  if (only.every((name) => name === 'instructions')) return show(result);
  const redis = await startRedis({ appendfsync: 'everysec' });
  const version = (await redis.cli('INFO', 'server')).match(/redis_version:(\S+)/)[1];
  say(`${machine()};`);
  say(`Redis ${version}: deploy/redis.conf, but with appendfsync everysec; windows of ${seconds} s.`);

  const fan = { seconds, subs: SUBSCRIBERS, pubs: publishers, window: WINDOW };
  const measure = async (name, mode, settings, servers) => {
    if (!wanted(name)) return;
    process.stderr.write(`measuring ${name}…\n`);
    result[name] = await load(mode, settings, redis, servers);
  };

  if (['fanout', 'paced', 'pairs'].some(wanted)) {
    const nodes = [];
    for (const id of ['n1', 'n2']) nodes.push(await startNode({ redis, id }));
    if (process.env.PIDS) say(`pids: Redis ${redis.pid}, nodes ${nodes.map((node) => node.pid)}`);
    await measure('fanout', 'fanout', fan, nodes);
    await measure('paced', 'fanout', { ...fan, rate }, nodes);
    await measure('pairs', 'pairs', { seconds, pairs: PAIRS }, nodes);
    for (const node of nodes) await node.stop();
  }
  if (wanted('deflate')) result.deflate = await measureDeflate(fan, redis);
  if (wanted('idle')) {
    const node = await startNode({ redis, id: 'n3' }); // fresh: its memory is not yet used
    await measure('idle', 'idle', { conns, room }, [node]);
    await node.stop('SIGINT');
  }
  if (wanted('fairness')) result.fairness = await measureFairness(redis);
  if (wanted('workers')) result.workers = await measureWorkers(redis, fan);
  await redis.stop();
  show(result);
}

// Private messages between pairs, without and with a room of 10,000 on the same node that gets 100
// messages a second.
async function measureFairness(redis) {
  const node = await startNode({ redis, id: 'n6' });
  const pairs = () => load('pairs', { seconds, pairs: 5, first: 1000000 }, redis, [node]);
  process.stderr.write('measuring pairs beside a big room…\n');
  const alone = await pairs();
  const crowd = load('fanout', { seconds: seconds + 15, subs: room, pubs: 1, rate: 100 }, redis, [node]);
  await new Promise((resolve) => setTimeout(resolve, 10000)); // until it is there
  const beside = await pairs();
  const big = await crowd;
  await node.stop('SIGINT');
  return { alone, beside, big };
}

function showFairness({ alone, beside, big }) {
  const ms = (us) => `${decimal(us / 1000, 1)} ms`;
  say();
  say(`Five pairs on one node: p50 ${ms(alone.p50_us)}, p99 ${ms(alone.p99_us)}; beside ${whole(big.deliveries / big.seconds)} deliveries a second to a`);
  say(`topic of ${whole(room)}: p50 ${ms(beside.p50_us)}, p99 ${ms(beside.p99_us)}, ${decimal(beside.p99_us / alone.p99_us, 1)} times; the topic's p99 ${ms(big.p99_us)}.`);
}

// The same work by one process and by four that share the port, and how 10,000 connections are spread.
async function measureWorkers(redis, fan) {
  const out = [];
  for (const count of [1, 4]) {
    process.stderr.write(`measuring ${count} workers…\n`);
    const args = ['--workers', String(count)];
    const node = await startNode({ redis, id: `w${count}`, internal: true, args });
    const all = async () => (await node.internal.get('/healthz')).json().workers ?? [node];
    const servers = (await all()).map(({ pid }) => ({ port: node.port, pid }));
    const paced = await load('fanout', { ...fan, pubs: 1, rate: 40 }, redis, servers);
    const saturated = await load('fanout', { ...fan, pubs: 1, window: 16 }, redis, servers);
    const most = servers.map(() => 0);
    const watch = setInterval(async () => {
      const now = await all();
      if (now.some(({ connections = 0 }) => connections > Math.max(...most))) {
        now.forEach(({ connections }, i) => (most[i] = connections));
      }
    }, 50);
    if (count > 1) await load('idle', { conns, room }, redis, [{ port: node.port, pid: servers[0].pid }]);
    clearInterval(watch);
    await node.stop('SIGINT');
    out.push({ count, paced, saturated, most });
  }
  return out;
}

function showWorkers(workers) {
  const [one] = workers;
  const rows = [['workers', '40 a second: µs', 'times', 'saturated: µs', 'times', 'a second']];
  for (const { count, paced, saturated } of workers) {
    rows.push([
      String(count),
      decimal(paced.node_us, 2),
      decimal(paced.node_us / one.paced.node_us, 2),
      decimal(saturated.node_us, 2),
      decimal(saturated.node_us / one.saturated.node_us, 2),
      whole(saturated.deliveries / saturated.seconds),
    ]);
  }
  say();
  say(`Processes that share a port: CPU of them all a delivery, 1 publisher, ${SUBSCRIBERS} subscribers.`);
  table(rows);
  const { most } = workers.at(-1);
  const even = most.reduce((a, b) => a + b) / most.length;
  const off = Math.max(...most.map((each) => Math.abs(each / even - 1)));
  say(`  ${whole(conns)} connections: ${most.map(whole).join(', ')}, at most ${decimal(100 * off, 1)} % off an even share`);
}

/*
 * Fan-out of messages of three lengths to subscribers that agreed to compression, and beside each the
 * same on the same nodes to some that did not; and private messages, each of which has two receivers
 * at most.
 */
const PAYLOADS = [196, 920, 10136]; // with the frame of a topic: 300 B, 1 KiB, 10 KiB
async function measureDeflate(fan, redis) {
  const nodes = [];
  for (const id of ['n4', 'n5']) nodes.push(await startNode({ redis, id, args: ['--deflate'] }));
  const rows = [];
  for (const payload of PAYLOADS) {
    for (const [mode, settings] of [['fanout', { ...fan, rate }], ['pairs', { seconds, pairs: PAIRS }]]) {
      const pair = [];
      for (const deflate of [0, 1]) {
        process.stderr.write(`measuring ${mode} of ${payload} bytes, deflate ${deflate}…\n`);
        pair.push(await load(mode, { ...settings, payload, deflate }, redis, nodes));
      }
      rows.push([mode, payload, pair]);
    }
  }
  for (const node of nodes) await node.stop();
  return rows;
}

function showDeflate(results) {
  const rows = [['', 'text', 'bytes', 'with', 'ratio', 'server µs', 'with', 'ratio']];
  for (const [mode, payload, [off, on]] of results) {
    rows.push([
      mode === 'pairs' ? 'private message' : `1 to ${whole(SUBSCRIBERS)}`,
      whole(payload),
      ...[off.bytes, on.bytes].map(whole),
      decimal(on.bytes / off.bytes, 2),
      ...[off.node_us, on.node_us].map((us) => decimal(us, 2)),
      decimal(on.node_us / off.node_us, 2),
    ]);
  }
  say();
  say('Without and with compression: bytes from a node, and its CPU, for each delivery. (The acks of');
  say('private messages are counted in.)');
  table(rows);
}

function showInstructions({ rows, why }) {
  say();
  if (why) return say(`What a message costs Redis was not measured: ${why}.`);
  say('What a message costs Redis, in instructions of redis-server (callgrind), payload 128 bytes. Alone:');
  say('each awaited. Together: those that one turn of the node has; the last column is messages a call.');
  say('No file is written.');
  say();
  const [alone, together] = [rows.filter((row) => row.together === 1), rows.filter((row) => row.together > 1)];
  table([
    ['', 'alone', 'together', 'a call'],
    ...alone.map(({ name, each }, i) => [name, whole(each), whole(together[i].each), decimal(together[i].inACall, 1)]),
  ]);
}

function show({ fanout, paced, pairs, idle, workers, deflate, fairness, instructions }) {
  const rows = [['', 'a second', 'server µs', 'Redis µs', 'frames', 'p50', 'p99', 'held by']];
  const cores = [['', 'servers', 'Redis', 'client', 'others', 'idle', 'client µs']];
  const row = (title, m, { processes = 2, each = 'deliveries', held, latency } = {}) => {
    if (!m) return;
    const ms = (us) => (latency ? `${decimal(us / 1000, 1)} ms` : '');
    rows.push([
      title,
      whole(m[each] / m.seconds),
      decimal(m.node_us, 2),
      decimal(m.redis_us, 1),
      decimal(m.frames_a_read, 1),
      ms(m.p50_us),
      ms(m.p99_us),
      held ?? limit(m, processes),
    ]);
    const shares = ['nodes', 'redis', 'client', 'others', 'idle'].map((who) => decimal(m.cores[who], 2));
    cores.push([title, ...shares, decimal(m.client_us, 2)]);
  };
  row('fan-out, saturated', fanout, { latency: true });
  row(`fan-out, ${rate} a second`, paced, { latency: true, held: 'its pace' });
  row('private messages', pairs);

  if (rows.length > 1) {
    say();
    say(`Fan-out: ${SUBSCRIBERS} subscribers, ${publishers} publishers, 128 bytes, deliveries; saturated is ${WINDOW} outstanding`);
    say(`a publisher, until acknowledged and delivered. Private messages: ${PAIRS} pairs across the nodes,`);
    say('both send, each when its last one is acknowledged and there. Server µs of CPU a delivery, Redis');
    say('µs of CPU a message sent.');
    say();
    table(rows);
    say();
    say('CPU, in cores. Where others took much, or the client held it, the figures a second say little.');
    table(cores);
  }
  if (deflate) showDeflate(deflate);
  if (instructions) showInstructions(instructions);
  if (fairness) showFairness(fairness);
  if (workers) showWorkers(workers);
  if (idle) {
    say();
    say(`Memory of ${whole(idle.conns)} idle connections to one node (RSS ${whole(idle.before_kib)} KiB before), bytes each:`);
    say(`  open ${whole(idle.open_bytes)}, logged in and in a room of ${whole(Math.min(room, idle.conns))} ${whole(idle.joined_bytes)}, at the peak ${whole(idle.peak_bytes)}`);
    say(`  (${whole(idle.opened_a_second)} opened and ${whole(idle.joined_a_second)} joined a second, with ${whole(idle.frames)} presence frames)`);
  }
}
