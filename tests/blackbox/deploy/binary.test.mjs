// The binary that is installed: what its headers say, and what the compiler put into its code.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { ROOT, test } from '../lib/harness.mjs';

const BINARY = path.join(ROOT, 'build/sluice');

function run(program, ...args) {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C' },
    maxBuffer: 64 << 20,
  });
  assert.equal(status, 0, `${program} ${args.join(' ')}: ${error ?? stderr}`);
  return stdout;
}

const flags = fs
  .readFileSync(path.join(ROOT, 'build/config.mk'), 'utf8')
  .match(/^HARDENED +:= (.*)$/m)[1]
  .trim()
  .split(/ +/);

test('its addresses are drawn at each start (PIE)', () => {
  assert.match(run('readelf', '-h', BINARY), /Type: +DYN /);
  assert.match(run('readelf', '-d', BINARY), /\(FLAGS_1\).*\bPIE\b/);
});

test('the table of functions of libraries is read only, and filled at the start', () => {
  assert.match(run('readelf', '-lW', BINARY), /^ +GNU_RELRO /m);
  assert.match(run('readelf', '-d', BINARY), /\bBIND_NOW\b|\(FLAGS_1\).*\bNOW\b/);
});

test('no memory is both written and executed', () => {
  const segments = run('readelf', '-lW', BINARY);
  assert.match(segments, /^ +GNU_STACK .* RW +0x/m);
  const writable = segments.match(/^ +(?:LOAD|GNU_STACK) .*$/gm).filter((line) => / RWE /.test(line));
  assert.deepEqual(writable, []);
});

test('the compiler checks the stack and the sizes of objects', () => {
  const symbols = run('readelf', '--dyn-syms', '-W', BINARY);
  assert.match(symbols, /\b__stack_chk_fail\b/);
  assert.match(symbols, /\b__\w+_chk\b(?<!__stack_chk)/);
  assert.ok(flags.some((flag) => /^-D_FORTIFY_SOURCE=[23]$/.test(flag)), flags.join(' '));
});

// The mark of the whole binary is there only if the C library's own objects have it, too, and
// Debian's do not. So it is looked for in an object of ours.
test('the code keeps to shadow stacks, where the compiler knows them', () => {
  if (!flags.includes('-fcf-protection=return')) return;
  assert.match(run('readelf', '-n', path.join(ROOT, 'build/release/gateway/main.o')), /\bSHSTK\b/);
});
