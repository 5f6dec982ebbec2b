// Nobody reads the log, or it is gone: the node goes on, and says how many lines were lost.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { freePort, login, request, startRedis, tempDir, test, until } from '../lib/harness.mjs';
import { metrics } from '../lib/registry.mjs';
import { BINARY } from '../lib/servers.mjs';

const redis = await startRedis();
const LOST = 'sluice_log_lines_lost_total';

// A node whose streams are `stdio`: { node, child, end() }. The port is known beforehand, since the
// log may not tell it.
async function start(t, stdio, { command = BINARY, args = [] } = {}) {
  const port = await freePort();
  const all = [...args, '--listen', `127.0.0.1:${port}`, '--redis-url', redis.url];
  all.push('--node-id', `p${port}`, '--log-level', 'debug');
  const child = spawn(command, all, { stdio, cwd: tempDir('pipe') });
  const exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve([code, signal])));
  t.after(() => child.kill('SIGKILL'));
  const url = `http://127.0.0.1:${port}`;
  const node = { url, port, get: (where, options) => request(url + where, options) };
  const ready = () => node.get('/readyz').then(({ status }) => status === 200, () => false);
  await until(ready, { what: 'the node is ready' });
  const end = async () => {
    child.kill('SIGTERM');
    assert.deepEqual(await exited, [0, null]);
  };
  return { node, child, end };
}

// Makes it log until lines are lost.
async function flood(node) {
  for (let lost = 0, round = 0; !lost; round++) {
    assert.ok(round < 200, 'no line is lost');
    const some = Array.from({ length: 20 }, (_, i) => login(node, `u${round}-${i}`));
    for (const client of await Promise.all(some)) await client.close();
    lost = (await metrics(node))(LOST);
  }
}

test('a pipe that nobody reads: the node serves; the reader that comes gets it all told', async (t) => {
  const { node, child, end } = await start(t, ['ignore', 'pipe', 'inherit']);
  await flood(node);
  const ann = await login(node, 'ann');
  await ann.emit('join', { room: 'r' });
  let text = '';
  child.stdout.on('data', (data) => (text += data));
  // Nothing else has to happen for the line to come.
  await until(() => /event=log_lines_lost .*\n/.test(text), { what: 'lines are told as lost' });
  const [first] = text.split('\n');
  assert.match(first, new RegExp(` event=listening .*addr=127\\.0\\.0\\.1:${node.port} `));
  for (const line of text.trimEnd().split('\n')) assert.match(line, /^time=\S+ level=/, 'whole');
  await ann.close();
  await end();
  const told = [...text.matchAll(/event=log_lines_lost node=\S+ lines=(\d+)\n/g)];
  assert.ok(told.length > 0 && Number(told[0][1]) > 0);
});

test('a reader that goes away, and a disk that is full', async (t) => {
  const piped = await start(t, ['ignore', 'pipe', 'inherit']);
  piped.child.stdout.destroy();
  const full = fs.openSync('/dev/full', 'w');
  const filed = await start(t, ['ignore', full, 'inherit']);
  fs.closeSync(full);
  for (const { node, end } of [piped, filed]) {
    await (await login(node, 'ann')).close();
    await until(async () => (await metrics(node))(LOST) > 0, { what: 'lines are counted' });
    await end();
  }
});

test('standard streams that are closed: no line goes into something else', async (t) => {
  const script = path.join(tempDir('closed'), 'run');
  fs.writeFileSync(script, '#!/bin/sh\nexec "$0.bin" "$@" <&- >&- 2>&-\n', { mode: 0o755 });
  fs.symlinkSync(BINARY, `${script}.bin`);
  const { node, end } = await start(t, ['ignore', 'ignore', 'ignore'], { command: script });
  const ann = await login(node, 'ann');
  for (let i = 0; i < 20; i++) await ann.emit('join', { room: `r${i}` });
  await ann.close();
  await end();
});
