// make install, make uninstall: each file in its place, and a configuration stays what it is.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { ROOT, startNode, startRedis, tempDir, test } from '../lib/harness.mjs';

// Paths below `dir` with the permissions of each file, sorted.
function files(dir, below = '') {
  return fs
    .readdirSync(path.join(dir, below), { withFileTypes: true })
    .flatMap((entry) => {
      const name = path.join(below, entry.name);
      if (entry.isDirectory()) return files(dir, name);
      return `${name} ${(fs.statSync(path.join(dir, name)).mode & 0o7777).toString(8)}`;
    })
    .sort();
}

function make(...args) {
  const env = { ...process.env };
  for (const name of ['MAKEFLAGS', 'MFLAGS', 'MAKELEVEL', 'PREFIX', 'DESTDIR']) delete env[name];
  const { status, stdout, stderr } = spawnSync('make', args, { cwd: ROOT, env, encoding: 'utf8' });
  assert.equal(status, 0, stdout + stderr);
}

const INSTALLED = (prefix, units) =>
  [
    `${prefix}/bin/sluice 755`,
    `${prefix}/share/man/man1/sluice.1 644`,
    ...['sluice.conf.example', 'OPERATIONS.md', 'SECURITY.md', ...['faults', 'metrics', 'redis'].map((name) => `docs/${name}.md`)].map(
      (name) => `${prefix}/share/doc/sluice/${name} 644`,
    ),
    `${units}/sluice.service 644`,
  ].sort();
const read = (...where) => fs.readFileSync(path.join(...where), 'utf8');

test('below DESTDIR, as systemd, man and a node find it', async (t) => {
  const dir = tempDir('install');
  make('install', `DESTDIR=${dir}`);
  const conf = 'etc/sluice/sluice.conf';
  const installed = INSTALLED('usr/local', 'usr/local/lib/systemd/system');
  assert.deepEqual(files(dir), [`${conf} 600`, ...installed].sort());

  const binary = path.join(dir, 'usr/local/bin/sluice');
  const { stdout, status } = spawnSync(binary, ['--version'], { encoding: 'utf8' });
  assert.equal(status, 0);
  const [, version] = read(ROOT, 'Makefile').match(/^VERSION := (\S+)$/m);
  assert.equal(stdout, `sluice ${version}\n`);
  const man = read(dir, 'usr/local/share/man/man1/sluice.1');
  assert.equal(man, spawnSync(binary, ['--help=man'], { encoding: 'utf8' }).stdout);
  assert.equal(read(dir, 'usr/local/lib/systemd/system/sluice.service'), read(ROOT, 'deploy/sluice.service'));

  // The configuration is one that a node takes.
  const redis = await startRedis();
  t.after(() => redis.stop());
  const node = await startNode({ args: ['--config', path.join(dir, conf), '--redis-url', redis.url, '--workers', '1'] });
  assert.equal((await node.get('/readyz')).status, 200);
  await node.stop();

  // The second time it stays, and so it does when all else goes.
  fs.writeFileSync(path.join(dir, conf), 'drain = 1s\n');
  make('install', `DESTDIR=${dir}`);
  assert.equal(read(dir, conf), 'drain = 1s\n');
  make('uninstall', `DESTDIR=${dir}`);
  assert.deepEqual(files(dir), [`${conf} 600`]);
});

test('below another PREFIX, with units and the configuration elsewhere', () => {
  const dir = tempDir('install');
  const where = ['PREFIX=/opt/chat', 'SYSCONFDIR=/opt/chat/etc', 'UNITDIR=/etc/systemd/system', `DESTDIR=${dir}`];
  make('install', ...where);
  const conf = 'opt/chat/etc/sluice/sluice.conf 600';
  assert.deepEqual(files(dir), [...INSTALLED('opt/chat', 'etc/systemd/system'), conf].sort());
  const unit = read(dir, 'etc/systemd/system/sluice.service');
  assert.match(unit, /^ExecStart=\/opt\/chat\/bin\/sluice --config %t\/sluice\/sluice\.conf$/m);
  assert.match(unit, /^Documentation=man:sluice\(1\) file:\/opt\/chat\/share\/doc\/sluice\/OPERATIONS\.md$/m);
  assert.equal(unit.match(/ \/opt\/chat\/etc\/sluice -maxdepth/g).length, 2);
  assert.doesNotMatch(unit, /\/usr\/local|[^t]\/etc\/sluice/);
  make('uninstall', ...where);
  assert.deepEqual(files(dir), [conf]);
});
