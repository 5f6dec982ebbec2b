// The package of Debian: its files agree with the tree, and it holds what make install installs.
// scripts/try-deb shows what a bare Debian makes of it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { findProgram, ROOT, test } from '../lib/harness.mjs';

const read = (...where) => fs.readFileSync(path.join(ROOT, ...where), 'utf8');
const all = (text, pattern) => [...text.matchAll(pattern)].map((match) => match[1]);
const [version] = all(read('Makefile'), /^VERSION := (\S+)$/gm);
const tools = ['dh', 'dpkg-buildpackage', 'lintian'].every((name) => findProgram(name));

function run(program, ...args) {
  // Here it is about what the package holds, not how fast that is.
  const env = { ...process.env, LC_ALL: 'C.UTF-8', DEB_BUILD_OPTIONS: 'noopt noautodbgsym' };
  for (const name of ['MAKEFLAGS', 'MFLAGS', 'MAKELEVEL']) delete env[name];
  const { status, stdout, stderr } = spawnSync(program, args, { cwd: ROOT, env, encoding: 'utf8', maxBuffer: 64 << 20 });
  assert.equal(status, 0, `${program} ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

test('its version is that of the Makefile', () => {
  assert.deepEqual(all(read('deploy/debian/changelog'), /^sluice \((.*)\)/gm).slice(0, 1), [version]);
});

test('it is built with the libraries that make wants', () => {
  const [, set] = read('scripts/install-deps').match(/^set_build\(\) \{\n([^]*?)^\}/m);
  const wanted = all(set, / (lib[a-z0-9-]+-dev|zlib1g-dev)$/gm).filter((name) => name !== 'libc6-dev');
  assert.ok(wanted.length > 5, wanted.join());
  const [, list] = read('deploy/debian/control').match(/^Build-Depends:\n((?: .*\n)+)/m);
  const named = list.match(/[a-z][a-z0-9-]+/g);
  for (const name of [...wanted, 'pkg-config', 'node-llhttp', 'libllhttp-dev']) assert.ok(named.includes(name), name);
});

test('the examples that it takes are there', () => {
  for (const pattern of all(read('deploy/debian/sluice.examples'), /^(.+)$/gm)) {
    const [dir, name] = [path.dirname(pattern), path.basename(pattern)];
    const fits = new RegExp(`^${name.replaceAll('.', '\\.').replaceAll('*', '.*')}$`);
    assert.ok(fs.readdirSync(path.join(ROOT, dir)).some((file) => fits.test(file)), pattern);
  }
});

const built = { timeout: 500000, skip: !tools && 'there is no debhelper or no lintian' };
test('make deb makes it, and lintian finds no fault', built, () => {
  run('make', 'deb');
  const file = `build/sluice_${version}_${run('dpkg', '--print-architecture').trim()}.deb`;
  const names = all(run('dpkg-deb', '--contents', file), /^-\S+ root\/root .* \.\/(\S+)$/gm);
  for (const name of [
    'etc/sluice/sluice.conf',
    'lib/systemd/system/sluice.service',
    'usr/bin/sluice',
    'usr/share/doc/sluice/OPERATIONS.md',
    'usr/share/doc/sluice/examples/nginx/nginx.conf',
    'usr/share/doc/sluice/examples/redis.conf',
    'usr/share/man/man1/sluice.1.gz',
  ]) {
    assert.ok(names.includes(name), name);
  }
  assert.ok(run('dpkg-deb', '--ctrl-tarfile', file).includes('/etc/sluice/sluice.conf\n'), 'a conffile');
  const said = run('dpkg-deb', '--field', file, 'Depends', 'Version');
  assert.match(said, /^Depends: adduser, .*libhiredis/m);
  assert.match(said, new RegExp(`^Version: ${version.replaceAll('.', '\\.')}$`, 'm'));
});
