// rediss+sentinel: TLS to the Sentinels and to the Redis that they name, with the same files.
import assert from 'node:assert/strict';
import { authority } from '../lib/certificates.mjs';
import { freePort, login, only, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { MASTER, startSentinel } from '../lib/sentinels.mjs';

only('single', 'it is about Sentinels');

async function setUp(t, names) {
  const ca = authority();
  const { certFile, keyFile } = ca.issue({ names });
  const own = ca.issue({ subject: 'a node' });
  const tlsPort = await freePort();
  const config = {
    'tls-port': tlsPort, 'tls-cert-file': certFile, 'tls-key-file': keyFile,
    'tls-ca-cert-file': ca.caFile, 'tls-auth-clients': 'yes',
  };
  const redis = await startRedis({ config });
  const sentinelTls = await freePort();
  const lines = Object.entries({ ...config, 'tls-port': sentinelTls, 'tls-replication': 'yes' }).map((one) => one.join(' '));
  const sentinel = await startSentinel(tlsPort, { quorum: 1, config: lines });
  t.after(async () => {
    await sentinel.stop();
    await redis.stop();
  });
  const args = ['--redis-ca', ca.caFile, '--redis-cert', own.certFile, '--redis-key', own.keyFile];
  return { ca, redis, sentinel, args, tlsPort, url: `rediss+sentinel://127.0.0.1:${sentinelTls}/${MASTER}` };
}

test('both are spoken to by TLS, and both want the certificate of the node', async (t) => {
  const { ca, redis, sentinel, args, url } = await setUp(t);
  const node = await startNode({ redis: url, args });
  t.after(() => node.stop());
  const ann = await login(node, 'ann');
  assert.ok(ann.isOpen);
  // Nobody came by the plain ports, besides ourselves.
  const clients = await redis.cli('CLIENT', 'LIST');
  const theirs = clients.split('\n').filter((line) => /name=sluice-/.test(line));
  assert.equal(theirs.length, 2);
  assert.match(await sentinel.cli('CLIENT', 'LIST'), /name=sluice-n\d+-sentinel/);
  const bare = await startNode({ redis: url, args: ['--redis-ca', ca.caFile], ready: false });
  t.after(() => bare.stop());
  const detail = async (one) => (await one.get('/readyz')).json().detail;
  await until(async () => /TLS: .*certificate required/.test(await detail(bare)));
  const plain = await startNode({ redis: url.replace('rediss', 'redis'), ready: false });
  t.after(() => plain.stop());
  await until(async () => /no Sentinel names the master/.test(await detail(plain)));
});

test('the certificate must be for the address that a Sentinel names', async (t) => {
  const { args, url, tlsPort } = await setUp(t, ['DNS:localhost']);
  const node = await startNode({ redis: url.replace('127.0.0.1', 'localhost'), args, ready: false });
  t.after(() => node.stop());
  const wanted = new RegExp(`127.0.0.1:${tlsPort}, which the Sentinels name as the master: TLS: .*IP address mismatch`);
  await until(async () => wanted.test((await node.get('/readyz')).json().detail));
});
