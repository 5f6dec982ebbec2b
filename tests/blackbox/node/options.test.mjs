// The command line, the environment and the config file.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { cluster, freePort, startNode, startRedis, tempDir, test, until } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';

const SANITIZERS = /AddressSanitizer|LeakSanitizer|runtime error/;

// It must end by itself, non-zero, saying each of `words`.
async function refused(args, words, env = {}) {
  const result = await runProgram(['--listen', '127.0.0.1:0', ...args], { env });
  const what = `${args.join(' ')} ${JSON.stringify(env)}\n${result.all}`;
  assert.ok(!result.late, `should stop start-up: ${what}`);
  assert.ok(Number.isInteger(result.code) && result.code !== 0, what);
  for (const word of words) assert.ok(result.err.includes(word), `says ${word}: ${what}`);
  assert.ok(!SANITIZERS.test(result.all), what);
  return result;
}

function configFile(text) {
  const file = path.join(tempDir('config'), 'sluice.conf');
  fs.writeFileSync(file, text);
  return file;
}

test('--help lists every option with its default', async () => {
  const { code, out, all } = await runProgram(['--help']);
  assert.equal(code, 0, all);
  for (const flag of [
    'listen',
    'redis-url',
    'node-id',
    'channels',
    'max-message',
    'drain',
    'config',
    'version',
  ]) {
    assert.match(out, new RegExp(`^ +--${flag}\\b`, 'm'));
  }
  assert.match(out, /127\.0\.0\.1:8080/);
  assert.match(out, /redis:\/\/127\.0\.0\.1:6379\/0/);
  assert.match(out, /--max-message .*1048576/);
});

test('--version', async () => {
  const { code, out } = await runProgram(['--version']);
  assert.equal(code, 0);
  assert.match(out, /^sluice \d+\.\d+\.\d+\n$/);
});

test('flags that are wrong stop start-up and are named', async () => {
  await refused(['--no-such-option', '1'], ['--no-such-option']);
  await refused(['stray'], ['stray']);
  await refused(['-x'], ['-x']);
  await refused(['--max-message'], ['--max-message']);
  await refused(['--max-message', 'lots'], ['max-message', 'lots', '125', '67108864']);
  await refused(['--max-message', '124'], ['max-message', '124', '125', '67108864']);
  await refused(['--max-message', '65M'], ['max-message', '65M']);
  await refused(['--max-message', '-1'], ['max-message', '-1']);
  await refused(['--max-queue', '99999999999999999999'], ['max-queue']);
  await refused(['--drain', '5'], ['drain', 'ms, s, m, h or d']);
  await refused(['--drain', '5 s'], ['drain']);
  await refused(['--lease-timeout', '499ms'], ['lease-timeout', '500']);
  await refused(['--drain', '11m'], ['drain', '600000']);
  await refused(['--allow-anonymous=maybe'], ['allow-anonymous', 'maybe', 'true or false']);
  await refused(['--log-level', 'loud'], ['log-level', 'loud']);
  await refused(['--log-format', 'xml'], ['log-format', 'xml']);
  await refused(['--node-id', 'n'.repeat(65)], ['node-id']);
  await refused(['--node-id', 'a b'], ['node-id']);
  await refused(['--node-id', 'a{b}'], ['node-id']);
  await refused(['--prefix', 'a{b}'], ['prefix']);
  for (const list of ['10.0.0.0/33', '10.0.0/8', '::1/129', 'nobody', ',', '1.2.3.4/']) {
    await refused(['--trusted-proxies', list], ['trusted-proxies', list]);
  }
  await refused(['--drain', '1s', '--drain', '2s'], ['drain', 'twice']);
});

test('addresses and URLs that are wrong', async () => {
  const last = (...args) => runProgram(args);
  for (const listen of [
    'nonsense',
    '127.0.0.1',
    '127.0.0.1:99999',
    '127.0.0.1:x',
    ':',
    '127.0.0.1:',
  ]) {
    const result = await last('--listen', listen);
    assert.ok(!result.late && result.code > 0, `--listen ${listen}: ${result.all}`);
    assert.match(result.err, /listen/);
  }
  for (const where of ['nonsense', '127.0.0.1', '127.0.0.1:0', '0.0.0.0:80', '[::]:80', '1:x']) {
    await refused(['--advertise', where], ['advertise', where]);
    await refused([], ['SLUICE_ADVERTISE', where], { SLUICE_ADVERTISE: where });
  }
  for (const url of [
    'nonsense',
    'http://127.0.0.1/',
    'redis://',
    'redis://127.0.0.1:x/0',
    'redis://127.0.0.1/x',
    'redis://127.0.0.1:99999/0',
    'unix://',
  ]) {
    const words = ['redis'];
    await refused(['--redis-url', url], words);
  }
  const secret = await refused(['--redis-url', 'redis://:hush-hush@127.0.0.1:x/0'], ['redis-url']);
  assert.ok(!secret.all.includes('hush-hush'), 'a password is not shown');
});

test('an environment variable that is wrong is named', async () => {
  await refused([], ['SLUICE_MAX_MESSAGE', 'lots'], { SLUICE_MAX_MESSAGE: 'lots' });
  await refused([], ['SLUICE_ALLOW_ANONYMOUS', 'perhaps'], { SLUICE_ALLOW_ANONYMOUS: 'perhaps' });
});

test('a config file that is wrong is named with its line', async () => {
  const bad = (text) => configFile(`# a comment\n\nnode-id = a\n${text}\n`);
  for (const [text, ...words] of [
    ['max-message = lots', 'max-message', 'lots'],
    ['no-such-option = 1', 'no-such-option'],
    ['just words', '='],
    ['= 5', 'sluice'],
  ]) {
    const file = bad(text);
    const result = await refused(['--config', file], [file, ...words]);
    assert.match(result.err, new RegExp(`${path.basename(file)}(:| line )4\\b`));
  }
  await refused(['--config', '/nowhere/at/all'], ['/nowhere/at/all']);
  await refused(['--config', tempDir('config')], ['config']);
  await refused([], ['/nowhere/env'], { SLUICE_CONFIG: '/nowhere/env' });
});

// The values show in the log and in /healthz: node-id and log-format.
test('a flag goes before the environment, that before the file, that before the default', async () => {
  const redis = await startRedis();
  const file = configFile('node-id = from-file\n  max-message=1000  \nlog-format = json\n');
  const listen = ['--listen', '127.0.0.1:0', '--redis-url', redis.url];
  const start = (args, env) => startNode({ redis, ...args, env });

  const flagged = await start(
    { id: 'from-flag', args: ['--config', file] },
    { SLUICE_NODE_ID: 'from-env' },
  );
  assert.equal((await flagged.health()).node, 'from-flag');
  assert.equal(
    JSON.parse(flagged.log().split('\n')[0]).node,
    'from-flag',
    'log-format of the file',
  );
  await flagged.stop();

  // Without a flag: run by hand, the harness always gives --node-id.
  const say = async (args, env) => {
    const result = await runProgram([...listen, ...args], { env, serves: /\n/ });
    return result.out;
  };
  assert.match(
    await say([], { SLUICE_CONFIG: file, SLUICE_NODE_ID: 'from-env' }),
    /"node":"from-env"/,
  );
  assert.match(await say(['--config', file], {}), /"node":"from-file"/);
  const logfmt = await say(['--config', file], { SLUICE_LOG_FORMAT: 'logfmt' });
  assert.match(logfmt, /node=from-file/);
  await redis.stop();
});

test('port 0 takes a free port: the first log line and /healthz name it', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 2 });
  t.after(stop);
  const ports = new Set();
  for (const node of nodes) {
    const [first] = node.log().split('\n');
    const [, port] = first.match(/addr="?127\.0\.0\.1:(\d+)/);
    assert.equal((await node.health()).address, `127.0.0.1:${port}`);
    ports.add(port);
  }
  assert.equal(ports.size, 2);
});

test('an address that is in use', async (t) => {
  const { redis, nodes, stop } = await cluster({ nodes: 1 });
  t.after(stop);
  const args = ['--listen', `127.0.0.1:${nodes[0].port}`, '--redis-url', redis.url];
  const result = await runProgram(args);
  assert.ok(!result.late && result.code > 0, result.all);
  assert.match(result.err, /in use/i);
  assert.ok(result.err.includes(String(nodes[0].port)), `names the address: ${result.err}`);
  assert.ok(!SANITIZERS.test(result.all), result.all);
  assert.equal(await nodes[0].readyz(), 200);
});

test('an address beyond loopback wants --allow-anonymous', async () => {
  const redis = await startRedis();
  const port = await freePort();
  const args = ['--redis-url', redis.url, '--listen'];
  for (const address of [`0.0.0.0:${port}`, `[::]:${port}`]) {
    const result = await runProgram([...args, address]);
    if (/not supported|not available/i.test(result.err)) continue; // no IPv6 here
    assert.ok(!result.late && result.code > 0, `${address}: ${result.all}`);
    assert.match(result.err, /allow-anonymous/);
  }
  const open = await runProgram([...args, `0.0.0.0:${port}`, '--allow-anonymous'], {
    serves: /\n/,
  });
  assert.ok(open.late, `serves: ${open.all}`);
  assert.match(open.out, /addr="?0\.0\.0\.0:/);
  await redis.stop();
});

test('without authentication the log says so', async (t) => {
  const { nodes, stop } = await cluster({ nodes: 2 });
  t.after(stop);
  for (const node of nodes) {
    await until(() => /authentication|anonymous/i.test(node.log()), { what: node.log() });
  }
});
