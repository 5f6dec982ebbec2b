// The pages of help and the man page: made of one table, they have all that there is.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { findProgram, ROOT, tempDir, test } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';

const all = (text, pattern) => [...text.matchAll(pattern)].map((match) => match[1]);
const table = fs.readFileSync(path.join(ROOT, 'gateway/options.h'), 'utf8');
const flags = all(table, /^ {4}X\(\w+, "([a-z-]+)"/gm);
const live = all(table, /^ {4}X\(\w+, "([a-z-]+)", LIVE\(/gm);
const page = async (...args) => {
  const { code, out, err } = await runProgram(args);
  assert.deepEqual([code, err], [0, ''], args.join(' '));
  assert.ok(out.endsWith('\n'));
  return out;
};
const help = await page('--help');
const commands = all(help.match(/^Commands .*\n((?: +\w.*\n)+)/m)[1], /^ +(\w+) +\S/gm);
const man = await page('--help=man');
const mandoc = findProgram('mandoc');

test('--help has each command and each option, in lines that fit', async () => {
  assert.ok(flags.length > 50 && commands.length >= 3, `${flags.length} ${commands}`);
  assert.deepEqual(commands, [...commands].sort());
  const own = ['config', 'health-check', 'help', 'version'];
  assert.deepEqual(all(help, /^ {2}--([a-z-]+) /gm), [...flags, ...own]);
  const parts = help.split(/^ {2}--/m).slice(1);
  const marked = parts.filter((part) => part.includes('(live)')).map((part) => part.split(' ')[0]);
  assert.deepEqual(marked, live);
  for (const line of help.split('\n')) {
    assert.ok(line.length <= 100 && line === line.trimEnd(), line);
  }
  assert.equal(await page('-h'), help);
  assert.equal(await page('--bad', '--help'), help, 'help goes before mistakes');
});

test('each command has a page with its arguments and exit codes', async () => {
  for (const name of commands) {
    const text = await page(name, '--help');
    assert.match(text, new RegExp(`^Usage: sluice ${name} \\S.*\n\n[A-Z]`), name);
    assert.match(text, /^ {2}--help +this text$/m, name);
    assert.deepEqual(all(text, /^ {2}(\d) {2}\S.*$/gm), ['0', '1', '2'], name);
    assert.ok(text.split('\n').every((line) => line.length <= 100), name);
    assert.equal(await page(name, 'x', '--nonsense', '-h'), text);
    // And it is a command: it does not take a node's arguments for its own.
    const { code, err } = await runProgram([name, '--no-such-option']);
    assert.equal(code, 2, name);
    assert.match(err, /^sluice: .+\n$/, name);
  }
});

test('help that cannot be written is a failure', () => {
  for (const args of [['--help'], ['token', '--help'], ['--help=man']]) {
    const full = fs.openSync('/dev/full', 'w');
    const { status } = spawnSync(path.join(ROOT, 'build/sluice'), args, { stdio: ['ignore', full, 'pipe'] });
    fs.closeSync(full);
    assert.equal(status, 1, args.join(' '));
  }
});

test('the man page has each command, each option and each default', () => {
  const plain = man.replace(/\\&|\\:/g, '').replace(/\\-/g, '-').replace(/\\f[BIR]/g, '');
  for (const name of commands) {
    assert.ok(plain.includes(`\n.B sluice ${name}\n`) && plain.includes(`\n.SS sluice ${name}\n`), name);
  }
  assert.deepEqual(all(plain.match(/\.SH OPTIONS\n([^]*?)\.SH/)[1], /^\.TP\n--([a-z-]+)/gm), all(help, /^ {2}--([a-z-]+) /gm));
  for (const value of all(help, /\[([^\]\n]+)\]$/gm)) assert.ok(plain.includes(`[${value}]`), value);
});

test('mandoc finds no fault in it', { skip: !mandoc && 'there is no mandoc' }, () => {
  const file = path.join(tempDir('man'), 'sluice.1');
  fs.writeFileSync(file, man);
  const { stdout, stderr } = spawnSync(mandoc, ['-Tlint', '-Wstyle', file], { encoding: 'utf8' });
  const faults = (stdout + stderr).split('\n').filter((line) => line && !line.includes('missing date'));
  assert.deepEqual(faults, []);
});

test('man shows it', { skip: !findProgram('groff') && 'there is no groff' }, () => {
  const { stdout, stderr, status } = spawnSync(findProgram('groff'), ['-man', '-Tascii', '-ww', '-P-cbou'], {
    input: man,
    encoding: 'utf8',
  });
  assert.deepEqual([status, stderr], [0, '']);
  const words = stdout.replace(/\s+/g, ' ');
  assert.match(words, /OPTIONS --listen ADDRESS HOST:PORT .* --max-queue BYTES .* \[4M\]/);
  assert.match(words, /a line `redis-url = \.\.\.` of the file/);
});
