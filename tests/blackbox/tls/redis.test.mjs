// A node speaks to a Redis by rediss:// only if its certificate is the right one.
import assert from 'node:assert/strict';
import { login, only, sleep, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { authority, startSecureRedis, tlsProxy } from '../lib/certificates.mjs';

only('single', 'its Redis speaks TLS');

// A node at this URL that is not let in: checks its log and how often it asks.
async function refused(t, { url, args = [], why, proxy }) {
  const node = await startNode({ redis: url, args, ready: false });
  t.after(() => node.stop('SIGINT'));
  await until(() => why.test(node.log()), { what: String(why) });
  assert.equal(await node.readyz(), 503);
  await until(async () => why.test((await node.get('/readyz')).body), { what: `${why} at /readyz` });
  if (!proxy) return;
  // As with a wrong password it asks ever more rarely.
  await sleep(3000);
  const before = proxy.opened;
  await sleep(2000);
  assert.ok(proxy.opened - before <= 8, `${proxy.opened - before} attempts in 2 s`);
}

async function setUp(t, issue) {
  const ca = authority();
  const redis = await startRedis();
  const own = ca.issue(issue);
  const proxy = await tlsProxy(redis, { cert: own.cert, key: own.key });
  t.after(async () => {
    proxy.close();
    await redis.stop();
  });
  return { ca, proxy, trust: ['--redis-ca', ca.caFile], url: `rediss://localhost:${proxy.port}` };
}

test('the right one is taken by name and by address, SNI is sent for names', async (t) => {
  const ca = authority();
  const redis = await startRedis();
  const own = ca.issue();
  const asked = [];
  const SNICallback = (name, done) => {
    asked.push(name);
    done(null);
  };
  const proxy = await tlsProxy(redis, { cert: own.cert, key: own.key, SNICallback });
  t.after(async () => {
    proxy.close();
    await redis.stop();
  });
  const args = ['--redis-ca', ca.caFile];
  for (const host of ['localhost', '127.0.0.1']) {
    const node = await startNode({ redis: `rediss://${host}:${proxy.port}`, args });
    const ann = await login(node, 'ann');
    await ann.close();
    await node.stop('SIGINT');
  }
  assert.ok(asked.length > 0);
  assert.ok(asked.every((name) => name === 'localhost'), String(asked));
});

test('an expired certificate is refused', async (t) => {
  const { proxy, trust, url } = await setUp(t, { days: -2 });
  await refused(t, { url, args: trust, why: /TLS: [^"]*has expired/, proxy });
});

test('a certificate for another host is refused', async (t) => {
  const { trust, url, proxy } = await setUp(t, { names: ['DNS:redis.example', 'IP:192.0.2.1'] });
  await refused(t, { url, args: trust, why: /TLS: [^"]*ostname mismatch/ });
  const numeric = `rediss://127.0.0.1:${proxy.port}`;
  await refused(t, { url: numeric, args: trust, why: /TLS: [^"]*IP address mismatch/ });
});

test('an authority that nobody trusts is refused, and so is none', async (t) => {
  const { url } = await setUp(t);
  const other = ['--redis-ca', authority('Somebody else').caFile];
  await refused(t, { url, args: other, why: /TLS: the certificate was refused/ });
  await refused(t, { url, why: /TLS: the certificate was refused/ });
});

test('a Redis that wants a certificate gets it', async (t) => {
  const ca = authority();
  const own = ca.issue({ subject: 'a node' });
  const redis = await startSecureRedis(ca.issue(), { clientCa: ca.caFile });
  t.after(() => redis.stop());
  const args = ['--redis-ca', ca.caFile];
  await refused(t, { url: redis.tlsUrl, args, why: /TLS: [^"]*certificate required/ });
  const shows = [...args, '--redis-cert', own.certFile, '--redis-key', own.keyFile];
  const node = await startNode({ redis: redis.tlsUrl, args: shows });
  const ann = await login(node, 'ann');
  assert.ok(ann.isOpen);
  await ann.close();
  await node.stop('SIGINT');
});

test('a plain Redis is no Redis by rediss, and a stalled handshake ends', async (t) => {
  const redis = await startRedis();
  t.after(() => redis.stop());
  const url = `rediss://127.0.0.1:${redis.port}`;
  await refused(t, { url, args: ['--redis-timeout', '500ms'], why: /TLS: no answer to its handshake/ });
});

test('a link under TLS heals like a plain one', async (t) => {
  const ca = authority();
  const redis = await startSecureRedis(ca.issue());
  const node = await startNode({ redis: redis.tlsUrl, args: ['--redis-ca', ca.caFile] });
  t.after(async () => {
    await node.stop('SIGINT');
    await redis.stop();
  });
  const ann = await login(node, 'ann');
  const bob = await login(node, 'bob');
  for (let i = 0; i < 3; i++) {
    await redis.cli('CLIENT', 'KILL', 'TYPE', i % 2 ? 'normal' : 'pubsub');
    const send = () => ann.emit('private_message', { receiverId: 'bob', content: `m${i}`, messageId: `m${i}` });
    await until(send);
    assert.equal((await bob.next('new_private_message')).data.content, `m${i}`);
  }
  // What is longer than a record, in one command and in one answer.
  const content = '0123456789'.repeat(60000);
  await ann.emit('private_message', { receiverId: 'bob', content }, { timeout: 20000 });
  assert.equal((await bob.next('new_private_message', { timeout: 20000 })).data.content, content);
});
