// Users, passwords and TLS on a Cluster, and the hosts that it tells its clients to use.
import assert from 'node:assert/strict';
import { after } from 'node:test';
import { authority } from '../lib/certificates.mjs';
import { startCluster } from '../lib/cluster.mjs';
import { range } from '../lib/frames.mjs';
import { inRoom, startNode, test, until } from '../lib/harness.mjs';
import { runProgram } from '../lib/program.mjs';

const PASSWORD = 'p@ss:w/rd%';
const ca = authority();
const trust = ['--redis-ca', ca.caFile];
const it = await startCluster({
  password: 'for-all',
  tls: { ...ca.issue(), caFile: ca.caFile },
  redis: { aclUser: { name: 'sluice', password: PASSWORD } },
});
after(() => it.stop());
const LOGIN = `sluice:${encodeURIComponent(PASSWORD)}`;
const url = it.url.replace(PASSWORD, encodeURIComponent(PASSWORD));

const start = (redis) => startNode({ redis, args: ['--drain', '0', ...trust] });

// A message crosses in rooms of all masters.
async function works(nodes, what) {
  const rooms = range(1, 8).map((i) => `${what}${i}`);
  const [ann, bob] = await inRoom(nodes, rooms[0], `ann-${what}`, `bob-${what}`);
  await Promise.all(
    rooms.map(async (room) => {
      await Promise.all([ann, bob].map((client) => client.emit('join', { room })));
      await ann.emit('sendMessage', { room, message: what });
      await bob.next('chatMessage', { match: ({ data }) => data.room === room });
    }),
  );
}

async function refused(redis, why, args = []) {
  const node = await startNode({ redis, args, ready: false });
  let told;
  const detail = async () => (told = (await node.get('/readyz')).json()).detail;
  await until(async () => why.test(await detail()), { what: `${why} in /readyz` });
  assert.deepEqual([told.ready, told.reason], [false, 'redis']);
  await node.stop();
  return node.log();
}

test('all servers are spoken to by TLS, as the user of the URL, before and after a failover', async () => {
  const nodes = await Promise.all([start(url), start(url)]);
  await works(nodes, 'first');
  const [first] = await it.masters();
  await it.failover(first);
  for (const node of nodes) await node.untilReady({ timeout: 30000 });
  await works(nodes, 'second');
  for (const server of it.servers) {
    const clients = (await it.on(server, 'CLIENT', 'LIST')).split('\n');
    for (const line of clients.filter((one) => one.includes('name=sluice-'))) {
      assert.match(line, new RegExp(` laddr=127\\.0\\.0\\.1:${server.tlsPort} .* user=sluice `));
    }
  }
  const { code, out } = await runProgram(['key', 'room:r', '--redis-url', url, ...trust]);
  assert.equal(code, 0, out);
  const { tlsPort } = await it.masterOf(it.key('room:r'));
  assert.match(out, new RegExp(`master +127\\.0\\.0\\.1:${tlsPort}\n`));
  for (const node of nodes) {
    await node.stop();
    assert.ok(!node.log().includes(PASSWORD) && !node.log().includes(LOGIN));
  }
});

test('a wrong password, no password, and a certificate that nobody trusts', async () => {
  const hosts = url.slice(url.lastIndexOf('@') + 1);
  const logs = await Promise.all([
    ...['sluice:wrong-secret', ':wrong-secret', 'nobody:wrong-secret'].map((login) =>
      refused(`rediss+cluster://${login}@${hosts}`, /refuses the password or user.*WRONGPASS/, trust),
    ),
    refused(`rediss+cluster://${hosts}`, /NOAUTH/, trust),
    refused(url, /TLS: the certificate was refused/),
    refused(url, /TLS: the certificate was refused/, ['--redis-ca', authority('Somebody else').caFile]),
  ]);
  for (const log of logs) assert.ok(!log.includes('wrong-secret') && !log.includes(LOGIN));
});

test('a port without TLS', async () => {
  const plain = it.servers.map(({ port }) => `127.0.0.1:${port}`);
  const why = /TLS: no answer to its handshake/;
  await refused(`rediss+cluster://${LOGIN}@${plain}`, why, [...trust, '--redis-timeout', '500ms']);
});

// Sets these on all servers, and waits until all know what each announces.
async function configure(names, { hostname = '', prefers = 'ip' }) {
  const { certFile, keyFile } = ca.issue({ names });
  const words = [
    ...['tls-cert-file', certFile, 'tls-key-file', keyFile],
    ...['cluster-announce-hostname', hostname, 'cluster-preferred-endpoint-type', prefers],
  ];
  for (const server of it.servers) assert.equal(await it.on(server, 'CONFIG', 'SET', ...words), 'OK');
  const knows = async (server) => {
    const lines = (await it.on(server, 'CLUSTER', 'NODES')).trim().split('\n');
    return lines.every((line) => line.includes(',localhost') === (hostname === 'localhost'));
  };
  const all = async () => (await Promise.all(it.servers.map(knows))).every(Boolean);
  await until(all, { what: 'all know the names of all', timeout: 30000 });
}

// What the certificates name, what the Cluster tells, and by what the node must go.
const IP = { host: '127.0.0.1', names: ['IP:127.0.0.1'] };
const NAME = { host: 'localhost', names: ['DNS:localhost'] };
const HOSTS = [
  { told: 'addresses', by: IP, config: {} },
  { told: 'that it has no names', by: IP, config: { prefers: 'hostname' } },
  { told: 'nothing: the host is the same', by: NAME, config: { prefers: 'unknown-endpoint' } },
  { told: 'names beside addresses', by: NAME, config: { hostname: 'localhost' } },
  { told: 'names', by: NAME, config: { hostname: 'localhost', prefers: 'hostname' } },
];

for (const [i, { told, by, config }] of HOSTS.entries()) {
  test(`the Cluster tells ${told}: certificates are for ${by.host}`, async () => {
    await configure(by.names, config);
    const [first] = it.servers;
    const node = await start(`rediss+cluster://${LOGIN}@${by.host}:${first.tlsPort}`);
    await works([node, node], `told${i}-`);
    // MOVED tells hosts, too. The links to a server that is known by one host already are used.
    const slot = it.slotOf(it.key(`room:told${i}-1`));
    const from = await it.masterOf(slot);
    const to = (await it.masters()).find((one) => one !== from);
    await it.moveSlot(slot, to);
    await works([node, node], `moved${i}-`);
    await node.stop();
    const lines = node.log().split('\n').filter((line) => line.includes('event=redis_slot'));
    assert.ok(lines.length > 0);
    for (const line of lines) {
      assert.match(line, new RegExp(` addr=${by.host}:${to.tlsPort} was=${by.host}:${from.tlsPort}$`));
    }
    assert.doesNotMatch(node.log(), /event=redis_lost/);
  });
}
