// What a message costs Redis, in instructions of redis-server: `make bench ONLY=instructions`. They
// are counted by valgrind's callgrind, so they do not depend on what else the machine does.
//
//     MESSAGES=480   of each case
//     PROFILE=DIR    keeps the profile of each case there, for callgrind_annotate
//
// A real node sends the scripts, and clients of it send the messages: one at a time, each awaited, or
// as many together as share a call then. What Redis does without messages is taken off. It writes no
// file (appendonly no).

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { findProgram, started, startProcess, tempDir } from '../blackbox/lib/processes.mjs';
import { login } from '../blackbox/lib/client.mjs';
import { onFreePort, redisProgram } from '../blackbox/lib/redis.mjs';
import { ask } from '../blackbox/lib/resp.mjs';
import { startNode } from '../blackbox/lib/servers.mjs';
import { sleep, until } from '../blackbox/lib/waiting.mjs';

const MESSAGES = Number(process.env.MESSAGES || 480);
const TOGETHER = 16;
const PAIRS = 32;
const BYTES = 128;
const IDLE_MS = 3000;
const LIMIT = { timeout: 60000 };

const isThere = (program) => Boolean(findProgram(program));

async function startCounted() {
  const dir = tempDir('callgrind');
  const log = path.join(dir, 'log');
  const launch = async (port) => {
    const child = startProcess(
      findProgram('valgrind'),
      ['--tool=callgrind', '--compress-strings=no', '--compress-pos=no', `--vgdb-prefix=${dir}/vgdb`, `--callgrind-out-file=${dir}/out`, redisProgram(dir)]
        .concat(['--port', String(port), '--bind', '127.0.0.1', '--dir', dir])
        .concat(['--save', '', '--appendonly', 'no', '--stream-node-max-bytes', '512']),
      { cwd: dir, log, env: process.env },
    );
    const redis = { port, pid: child.pid, url: `redis://127.0.0.1:${port}/0`, signal: child.signal };
    redis.ask = (...commands) => ask({ port, timeout: 20000 }, ...commands);
    redis.stop = () => {
      started.delete(redis);
      return child.end('SIGKILL', 5000); // else it writes one more profile
    };
    started.add(redis);
    await until(() => child.result || redis.ask(['PING']), { what: 'Redis answers in valgrind' });
    if (child.result) throw new Error(`Redis did not start in valgrind:\n${child.output()}`);
    return redis;
  };
  const redis = await onFreePort(launch);
  let parts = 0;
  // Instructions since the last look.
  redis.count = (name) => {
    execFileSync(findProgram('vgdb'), [`--vgdb-prefix=${dir}/vgdb`, `--pid=${redis.pid}`, 'dump'], { stdio: 'ignore' });
    const file = `${dir}/out.${++parts}`;
    const [, sum] = fs.readFileSync(file, 'utf8').match(/^(?:summary|totals): (\d+)/m);
    if (process.env.PROFILE && name) fs.copyFileSync(file, path.join(process.env.PROFILE, name.replace(/\W+/g, '-')));
    fs.rmSync(file);
    return Number(sum);
  };
  return redis;
}

// How many calls of scripts Redis had.
async function calls(redis) {
  const [text] = await redis.ask(['INFO', 'commandstats']);
  const of = (name) => Number(text.match(`cmdstat_${name}:calls=(\\d+)`)?.[1] ?? 0);
  return of('evalsha') + of('eval');
}

// The ids of a log lie in two buckets, as they do when it is older than five minutes.
const OLDER = `for _, key in ipairs(redis.call('KEYS', '*:ids:?')) do
  local bucket, turn = redis.call('HGET', key, ''), string.sub(key, -1) == '0' and '1' or '0'
  local other = string.sub(key, 1, -2) .. turn
  if redis.call('EXISTS', other) == 0 then
    redis.call('HSET', other, '', bucket - 1 .. string.rep(' ', 58), 'an-id', '1 1 1')
  end
end`;

// Sends count messages, `together` at a time: the node stands still until all of these are with it, so
// that they share a call. emit(i) sends the i-th.
async function send(node, count, together, emit) {
  for (let i = 0; i < count; i += together) {
    if (together > 1) node.suspend();
    const answers = Array.from({ length: together }, (_, k) => emit(i + k));
    await setImmediate();
    node.resume();
    await Promise.all(answers);
  }
}

/*
 * Resolves to { rows }, of { name, together, each: instructions of a message, inACall: messages of a
 * call }; or to { why }, if there is no valgrind.
 */
export async function measureInstructions() {
  if (!isThere('valgrind') || !isThere('vgdb')) return { why: 'valgrind is not here' };
  const redis = await startCounted();
  const node = await startNode({ redis, id: 'n1', env: { SLUICE_REDIS_TIMEOUT: '60s' } });
  const clients = [];
  for (let i = 0; i < PAIRS; i++) clients.push(await login(node, `s${i}`, LIMIT));
  let ids = 0;
  const text = (i) => String(i).padEnd(BYTES, '.');
  const id = () => ({ clientMessageId: `message-${++ids}` });
  const first = (event, make) => (i) => clients[0].emit(event, make(i), LIMIT);
  const emits = {
    topic: first('publish', (i) => ({ channel: 'topic:cost', data: text(i), ...id() })),
    'topic, without clientMessageId': first('publish', (i) => ({ channel: 'topic:cost', data: text(i) })),
    'private, one pair': first('private_message', (i) => ({ receiverId: 'bob', content: text(i), ...id() })),
    [`private, ${PAIRS} pairs`]: (i) =>
      clients[i % PAIRS].emit(
        'private_message',
        { receiverId: `r${i % PAIRS}`, content: text(i), ...id() },
        LIMIT,
      ),
  };

  // What Redis does in work() beyond what it does anyway.
  let idle = { sum: 0, scripts: 0 }; // in a millisecond
  const measure = async (work, name) => {
    const before = await calls(redis);
    redis.count();
    const from = performance.now();
    await work();
    const ms = performance.now() - from;
    const sum = redis.count(name) - idle.sum * ms;
    return { ms, sum, scripts: (await calls(redis)) - before - idle.scripts * ms };
  };

  for (const emit of Object.values(emits)) await send(node, PAIRS, 1, emit);
  await redis.ask(['EVAL', OLDER, 0]);
  await sleep(IDLE_MS); // what the logins began is over
  const quiet = await measure(() => sleep(IDLE_MS));
  idle = { sum: quiet.sum / quiet.ms, scripts: quiet.scripts / quiet.ms };
  const rows = [];
  for (const together of [1, TOGETHER]) {
    for (const [name, emit] of Object.entries(emits)) {
      const work = () => send(node, MESSAGES, together, emit);
      const { sum, scripts } = await measure(work, `${name} ${together}`);
      rows.push({ name, together, each: sum / MESSAGES, inACall: MESSAGES / scripts });
    }
  }
  for (const client of clients) client.terminate();
  await node.stop('SIGINT');
  await redis.stop();
  return { rows };
}
