// Mistakes in the options of TLS stop the start, with the option and its place; and
// --health-check.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { startNode, test } from '../lib/harness.mjs';
import { authority } from '../lib/certificates.mjs';
import { runProgram } from '../lib/program.mjs';

const ca = authority();
const own = ca.issue();
const other = ca.issue();
const listen = ['--listen', '127.0.0.1:0'];

async function refused(args, pattern) {
  const { code, err } = await runProgram([...listen, ...args]);
  assert.equal(code, 1, err);
  assert.match(err, pattern);
}

test('certificate and key go together, and with a port', async () => {
  const [cert, key] = [own.certFile, own.keyFile];
  await refused(['--tls-cert', cert], /command line: tls-cert is "[^"]+": needs tls-key/);
  await refused(['--tls-key', key], /command line: tls-key is "[^"]+": needs tls-cert/);
  await refused(['--tls-client-ca', cert], /command line: tls-client-ca is .*needs tls-cert/);
  await refused(
    ['--tls-cert', cert, '--tls-key', other.keyFile],
    /command line: tls-key is "[^"]+": is not the key/,
  );
  const path = ['--listen', `unix:${cert}.sock`, '--tls-cert', cert, '--tls-key', key];
  const { code, err } = await runProgram(path);
  assert.equal(code, 1);
  assert.match(err, /command line: tls-cert is .*path/);
});

test('files must be there and hold what they should', async () => {
  const [cert, key] = [own.certFile, own.keyFile];
  await refused(['--tls-cert', '/nowhere.pem', '--tls-key', key], /tls-cert is .*No such file/);
  await refused(['--tls-cert', key, '--tls-key', key], /tls-cert is .*holds no certificate/);
  await refused(['--tls-cert', cert, '--tls-key', cert], /tls-key is .*holds no private key/);
  await refused([...own.args, '--tls-client-ca', key], /tls-client-ca is .*holds no certificate/);
  const locked = `${key}.locked`;
  execFileSync('openssl', ['pkey', '-in', key, '-aes256', '-passout', 'pass:x', '-out', locked]);
  await refused(['--tls-cert', cert, '--tls-key', locked], /tls-key is .*without a password/);
});

test('what is for rediss alone is refused without it', async () => {
  const [cert, key] = [own.certFile, own.keyFile];
  const url = ['--redis-url', 'rediss://127.0.0.1:1'];
  await refused(['--redis-ca', ca.caFile], /command line: redis-ca is .*rediss:/);
  await refused(['--redis-cert', cert, '--redis-key', key], /redis-cert is .*rediss:/);
  await refused([...url, '--redis-cert', cert], /redis-cert is .*needs redis-key/);
  await refused([...url, '--redis-key', key], /redis-key is .*needs redis-cert/);
  await refused([...url, '--redis-ca', '/nowhere.pem'], /redis-ca is .*No such file/);
  await refused(
    [...url, '--redis-cert', cert, '--redis-key', other.keyFile],
    /redis-key is .*is not the key/,
  );
});

test('a node with TLS is healthy for --health-check, and others are not', async (t) => {
  const node = await startNode({ tls: { ca: ca.ca }, args: own.args, ready: false });
  t.after(() => node.stop('SIGINT'));
  const check = (...args) =>
    runProgram(['--health-check', '--listen', `127.0.0.1:${node.port}`, ...args]);
  const well = await check(...own.args);
  assert.deepEqual([well.code, well.out], [0, 'healthy\n'], well.err);
  const plain = await check();
  assert.equal(plain.code, 1);
  assert.match(plain.err, /its answer is not 200/);
  const { tls, ...strict } = { tls: { ca: ca.ca, cert: own.cert, key: own.key } };
  const wary = await startNode({
    tls,
    ...strict,
    args: [...own.args, '--tls-client-ca', authority('Others').caFile],
    ready: false,
  });
  t.after(() => wary.stop('SIGINT'));
  const args = ['--health-check', '--listen', `127.0.0.1:${wary.port}`, ...own.args];
  assert.equal((await runProgram(args)).code, 0);
});
