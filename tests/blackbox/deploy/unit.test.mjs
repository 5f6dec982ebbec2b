// The unit of systemd: what it takes away from a node, and that its commands really start one.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { findProgram, ROOT, startNode, startRedis, tempDir, test } from '../lib/harness.mjs';

const file = path.join(ROOT, 'deploy/sluice.service');
const lines = fs
  .readFileSync(file, 'utf8')
  .split('\n')
  .filter((line) => /^\w+=/.test(line))
  .map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]);
const all = (name) => lines.filter(([key]) => key === name).map(([, value]) => value);

test('memory, tasks and descriptors are bounded, and no other process dies for a node', () => {
  for (const name of ['MemoryHigh', 'MemoryMax', 'TasksMax', 'LimitNOFILE', 'LimitCORE']) {
    assert.match(all(name).join(), /^\d+%?$/, name);
  }
  assert.deepEqual(all('OOMScoreAdjust'), []);
  assert.ok(parseInt(all('MemoryHigh'), 10) < parseInt(all('MemoryMax'), 10));
  assert.ok(parseInt(all('MemoryHigh'), 10) > 60, 'memory-limit comes first');
});

test('it may do nothing but serve', () => {
  const wanted = { DynamicUser: 'yes', NoNewPrivileges: 'yes', CapabilityBoundingSet: '' };
  for (const [name, value] of Object.entries({
    ...wanted,
    ProtectSystem: 'strict',
    ProtectHome: 'yes',
    PrivateDevices: 'yes',
    MemoryDenyWriteExecute: 'yes',
    RestrictNamespaces: 'yes',
    SystemCallArchitectures: 'native',
    RestrictAddressFamilies: 'AF_INET AF_INET6 AF_UNIX',
  })) {
    assert.deepEqual(all(name), [value], name);
  }
  const calls = all('SystemCallFilter').join(' ').split(' ');
  for (const call of ['fork', 'ptrace', 'mount', 'setuid', '@process', '@system-service']) {
    assert.ok(!calls.includes(call), call);
  }
});

test('systemd takes it, and rates it well', () => {
  const program = findProgram('systemd-analyze');
  if (!program) return; // a machine without systemd
  const unit = path.join(tempDir('unit'), 'sluice.service');
  const text = fs.readFileSync(file, 'utf8').replace('=/usr/local/bin/sluice', `=${process.execPath}`);
  fs.writeFileSync(unit, text);
  const verified = spawnSync(program, ['verify', '--man=no', unit], { encoding: 'utf8' });
  assert.equal(verified.stderr.split('\n').filter((line) => line.includes(unit)).join('\n'), '');
  const rated = spawnSync(program, ['security', '--offline=true', '--threshold=20', unit], {
    encoding: 'utf8',
  });
  if (/unrecognized option/.test(rated.stderr)) return; // before systemd 250
  assert.equal(rated.status, 0, rated.stdout + rated.stderr);
});

test('the copies that it makes are those that the node reads', async (t) => {
  const [etc, run] = [tempDir('etc'), tempDir('run')];
  const redis = await startRedis();
  t.after(() => redis.stop());
  fs.writeFileSync(path.join(etc, 'sluice.conf'), `redis-url = ${redis.url}\ndrain = 0\n`);
  fs.writeFileSync(path.join(etc, 'tls.key'), 'a key');
  fs.mkdirSync(path.join(etc, 'tls')); // what is in a folder is not the node's
  const [, command] = all('ExecStartPre')[0].match(/^\+\/bin\/sh -c '(.*)'$/);
  assert.equal(all('ExecReload')[0], all('ExecStartPre')[0]);
  const shell = command
    .replaceAll('%t/sluice', run)
    .replaceAll('/etc/sluice', etc)
    .replaceAll('$$', '$')
    .replaceAll('%%', '%');
  for (let times = 0; times < 2; times++) {
    const { status, stderr } = spawnSync('/bin/sh', ['-c', shell], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  }
  assert.deepEqual(fs.readdirSync(run).sort(), ['sluice.conf', 'tls.key']);
  assert.equal(fs.statSync(path.join(run, 'tls.key')).mode & 0o777, 0o400);
  const [, args] = all('ExecStart')[0].match(/^\/usr\/local\/bin\/sluice (.*)$/);
  const node = await startNode({ args: args.replace('%t/sluice', run).split(' ') });
  assert.equal((await node.get('/readyz')).status, 200);
  await node.stop();
});
