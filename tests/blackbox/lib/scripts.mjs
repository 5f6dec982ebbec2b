// How much a script does in Redis, as the number of commands that it calls. That is the same on a
// busy machine and on an idle one, unlike its time.

import { spawn } from 'node:child_process';
import { findProgram } from './processes.mjs';
import { until } from './waiting.mjs';

/*
 * Watches what Redis runs. Resolves to { most(), calls(name), stop() }: the most commands of one
 * script so far, and how many commands of that name ran in all, once all that was done before the
 * call has been seen.
 */
export async function watchScripts(redis) {
  if (redis.servers) return watchAll(redis.servers);
  const cli = findProgram('redis-cli', 'valkey-cli');
  const child = spawn(cli, ['-p', String(redis.port), 'MONITOR'], { stdio: ['ignore', 'pipe', 'ignore'] });
  let [rest, begun, fences, longest] = ['', false, 0, { calls: 0, keys: '' }];
  let now = { calls: 0, keys: '' };
  const seen = new Set();
  const names = {};
  child.unref();
  child.stdout.unref();
  const line = (text) => {
    begun = true;
    const [, by, name, more] = text.match(/^\S+ \[\d+ ([^\]]*)\] "([^"]*)"(.*)$/) ?? [];
    if (!name) return;
    names[name.toLowerCase()] = (names[name.toLowerCase()] ?? 0) + 1;
    if (by !== 'lua') {
      now = { calls: 0, keys: more.slice(0, 300) };
      if (name.toLowerCase() === 'echo') seen.add(more.trim());
    } else if (++now.calls > longest.calls) {
      longest = now;
    }
  };
  child.stdout.on('data', (data) => {
    const lines = (rest + data).split('\n');
    rest = lines.pop();
    lines.forEach(line);
  });
  await until(() => begun, { what: 'MONITOR has begun' });
  const fence = async () => {
    const token = `"fence-${++fences}"`;
    await redis.cli('ECHO', token.slice(1, -1));
    await until(() => seen.has(token), { what: 'MONITOR is level' });
  };
  return {
    async most() {
      await fence();
      return { ...longest };
    },
    async calls(name) {
      await fence();
      return names[name] ?? 0;
    },
    stop: () => child.kill(),
  };
}

async function watchAll(servers) {
  const all = await Promise.all(servers.map(watchScripts));
  return {
    async most() {
      const each = await Promise.all(all.map((one) => one.most()));
      return each.sort((a, b) => b.calls - a.calls)[0];
    },
    async calls(name) {
      const each = await Promise.all(all.map((one) => one.calls(name)));
      return each.reduce((sum, n) => sum + n, 0);
    },
    stop: () => all.forEach((one) => one.stop()),
  };
}
