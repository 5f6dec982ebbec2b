// The options about back ends: what stops start-up, and with which words.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { startNode, startRedis, tempDir, test, until } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';

const SECRET = 's'.repeat(32);

async function refused(args, ...words) {
  const result = await runProgram(['--listen', '127.0.0.1:0', ...args]);
  assert.ok(!result.late, `should stop start-up: ${args.join(' ')}\n${result.all}`);
  assert.notEqual(result.code, 0, result.all);
  for (const word of words) assert.ok(result.err.includes(word), `says ${word}: ${result.err}`);
}

test('URLs that are not allowed', async () => {
  for (const flag of ['connect-hook', 'disconnect-hook']) {
    await refused([`--${flag}`, 'http://backend.example/'], flag, 'hook-plain');
    await refused([`--${flag}`, 'ftp://backend.example/'], flag, 'https://');
    await refused([`--${flag}`, 'https://a:b@backend.example/'], flag, 'no user');
    await refused([`--${flag}`, 'backend'], flag);
    await refused([`--${flag}`, 'https://backend.example/a b'], flag, 'visible ASCII');
  }
  for (const flag of ['subscribe-hook', 'publish-hook']) {
    await refused([`--${flag}`, 'room:vip-*'], flag, 'PATTERN URL');
    await refused([`--${flag}`, 'room:* http://backend.example/'], flag, 'hook-plain');
    await refused([`--${flag}`, 'vip https://backend.example/'], flag, 'whole names');
    await refused([`--${flag}`, 'room:* https://backend.example/ more'], flag, 'more behind');
  }
  await refused(['--subscribe-hook', 'user:* https://backend.example/'], 'whole names');
});

test('secrets, headers and certificates that are not allowed', async () => {
  await refused(['--hook-secret', SECRET, '--hook-secret', 'short-of-it'], 'hook-secret', '32');
  for (const name of ['Host', 'content-length', 'Proxy-Authorization', 'sluice-event-id', 'te'])
    await refused(['--hook-headers', `cookie,${name}`], 'hook-headers', name);
  await refused(['--hook-headers', 'a b'], 'hook-headers', 'commas');
  await refused(['--hook-headers', 'a,,b'], 'hook-headers', 'commas');
  await refused(['--hook-ca', '/nowhere/ca.pem'], 'hook-ca', 'cannot be read');
  await refused(['--hook-failure', 'ajar'], 'hook-failure', 'closed|open');
});

test('any page with cookies is not allowed', async () => {
  const hook = ['--connect-hook', 'https://backend.example/'];
  await refused([...hook, '--allowed-origins', '*'], 'hook-headers', 'allowed-origins');
  await refused([...hook, '--cors-origins', '*'], 'hook-headers', 'allowed-origins');
  await refused([...hook, '--allowed-origins', 'https://a.example,null'], 'hook-headers');
});

test('what is allowed, and a reload with what is not', async (t) => {
  const redis = await startRedis();
  const file = path.join(tempDir('hooks'), 'sluice.conf');
  const lines = [
    'disconnect-hook = http://127.0.0.2:1/',
    'subscribe-hook = room:vip-* https://backend.example/enter   # a comment',
    'subscribe-hook = * https://backend.example/enter',
    'publish-hook = all http://[::1]:1/say',
    `hook-secret = ${SECRET}`,
    `hook-secret = ${SECRET}-two`,
    'hook-headers = cookie, x-device',
    'hook-timeout = 1s',
  ];
  fs.writeFileSync(file, lines.join('\n'));
  const node = await startNode({ redis, args: ['--config', file] });
  t.after(async () => {
    await node.stop();
    await redis.stop();
  });
  fs.writeFileSync(file, [...lines, 'publish-hook = room:* http://elsewhere.example/'].join('\n'));
  process.kill(node.pid, 'SIGHUP');
  await until(() => /event=reload_failed.*hook-plain/.test(node.log()), { what: 'reload_failed' });
  fs.writeFileSync(file, [...lines, 'hook-plain = true', 'publish-hook = room:* http://elsewhere.example/'].join('\n'));
  process.kill(node.pid, 'SIGHUP');
  await until(() => /event=reloaded/.test(node.log()), { what: 'reloaded' });
});
