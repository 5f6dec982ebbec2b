// SIGHUP reads the certificates again, and closes nobody.
import assert from 'node:assert/strict';
import fs from 'node:fs';
import { login, startNode, startRedis, test, until } from '../lib/harness.mjs';
import { authority, metricOf, secureDial } from '../lib/certificates.mjs';

async function setUp(t) {
  const ca = authority();
  const [first, second] = ['first', 'second'].map((subject) => ca.issue({ subject }));
  const redis = await startRedis();
  const node = await startNode({ redis, tls: { ca: ca.ca }, args: first.args });
  t.after(async () => {
    await node.stop('SIGINT');
    await redis.stop();
  });
  const put = ({ cert, key }) => {
    fs.writeFileSync(first.certFile, cert);
    fs.writeFileSync(first.keyFile, key);
  };
  const reload = async (event) => {
    const count = () => node.log().split(event).length;
    const before = count();
    node.signal('SIGHUP');
    await until(() => count() > before, { what: event });
  };
  return { node, ca, first, second, put, reload };
}

async function shownBy(node, options) {
  const socket = await secureDial(node, options);
  const { CN } = socket.getPeerCertificate().subject;
  socket.destroy();
  return CN;
}

test('new connections see the new certificate, those that stand go on under load', async (t) => {
  const { node, second, put, reload } = await setUp(t);
  const ann = await login(node, 'ann');
  const bob = await login(node, 'bob');
  let sent = 0;
  let going = true;
  const load = (async () => {
    while (going) {
      await ann.emit('private_message', { receiverId: 'bob', content: `m${sent++}` });
    }
  })();
  await until(() => sent > 20);
  assert.equal(await shownBy(node), 'first');
  put(second);
  await reload('event=reloaded');
  assert.equal(await shownBy(node), 'second');
  const then = sent;
  await until(() => sent > then + 20);
  going = false;
  await load;
  for (let i = 0; i < sent; i++) {
    assert.equal((await bob.next('new_private_message')).data.content, `m${i}`);
  }
  assert.ok(ann.isOpen && bob.isOpen);
});

test('with a bad file the old certificate stays, and an error is logged', async (t) => {
  const { node, first, second, put, reload } = await setUp(t);
  fs.writeFileSync(first.certFile, second.cert); // without its key
  await reload('event=reload_failed');
  assert.match(node.log(), /level=error event=reload_failed [^\n]*tls-key/);
  assert.equal(await shownBy(node), 'first');
  fs.writeFileSync(first.certFile, 'nonsense');
  await reload('event=reload_failed');
  fs.rmSync(first.certFile);
  await reload('event=reload_failed');
  assert.match(node.log(), /tls-cert[^\n]*No such file/);
  assert.equal(await shownBy(node), 'first');
  put(second);
  await reload('event=reloaded');
  assert.equal(await shownBy(node), 'second');
});

test('the day of expiry is a metric, and a certificate that is over is told', async (t) => {
  const { node, ca, put, reload } = await setUp(t);
  const name = 'sluice_tls_certificate_expires_seconds';
  const days = ((await metricOf(node, name)) - Date.now() / 1000) / 86400;
  assert.ok(days > 29 && days < 31, `${days} days`);
  put(ca.issue({ days: -3 }));
  await reload('event=reloaded');
  assert.match(node.log(), /level=warn event=tls_certificate_expired/);
  await assert.rejects(secureDial(node), /expired/);
});

test('clients need a certificate from then on, if the reload asks for one', async (t) => {
  const ca = authority();
  const own = ca.issue();
  const client = ca.issue({ subject: 'client' });
  const config = `${own.certFile}.conf`;
  const lines = (more = '') => `tls-cert = ${own.certFile}\ntls-key = ${own.keyFile}\n${more}`;
  fs.writeFileSync(config, lines());
  const tls = { ca: ca.ca, cert: client.cert, key: client.key };
  const node = await startNode({ tls, args: ['--config', config], ready: false });
  t.after(() => node.stop('SIGINT'));
  const bare = { tls: { ca: ca.ca } };
  assert.equal((await node.get('/healthz', bare)).status, 200);
  fs.writeFileSync(config, lines(`tls-client-ca = ${ca.caFile}\n`));
  node.signal('SIGHUP');
  await until(() => node.log().includes('event=reloaded'));
  await assert.rejects(node.get('/healthz', bare));
  assert.equal((await node.get('/healthz')).status, 200);
});
