// Redis servers that are reached by other ports than they listen on, as through NAT: nodes go to
// what is announced, and nowhere else.
import assert from 'node:assert/strict';
import { login, only, startNode, test, until } from '../lib/harness.mjs';
import { startCluster } from '../lib/cluster.mjs';
import { readAlong, startProxy } from '../lib/proxy.mjs';
import { startRedis } from '../lib/redis.mjs';
import { MASTER, masterPort, startSentinel } from '../lib/sentinels.mjs';

only('single', 'it starts its own servers');

const NAMED = 'SETNAME\r\n';

// A way in to the server, by another port. Has, besides what a proxy has, ports: those from which
// links of nodes came to the server by this way.
async function wayTo(server) {
  const ports = new Set();
  const hear = (data, upstream) => data.includes(NAMED) && ports.add(upstream.localPort);
  return Object.assign(await startProxy(server, readAlong(hear)), { ports });
}

// The ports from which links of nodes came to the server.
async function linksTo(server) {
  const lines = (await server.cli('CLIENT', 'LIST')).split('\n');
  const ours = lines.filter((line) => / name=sluice-/.test(line));
  return ours.map((line) => Number(/ addr=127\.0\.0\.1:(\d+) /.exec(line)[1]));
}

// At least so many of the servers have links of nodes, and all of those came by the ways.
async function allCameBy(ways, least) {
  let linked = 0;
  for (const [server, way] of ways) {
    const links = await linksTo(server);
    linked += links.length > 0;
    for (const port of links) assert.ok(way.ports.has(port), `${port} came by another way`);
  }
  assert.ok(linked >= least, `${linked} servers are used`);
}

async function works(node, text) {
  const ann = await login(node, 'ann');
  for (let i = 0; i < 20; i++) {
    await ann.emit('join', { room: `r${i}` });
    await ann.emit('sendMessage', { room: `r${i}`, message: text });
    await ann.next('chatMessage', { match: ({ data }) => data.message === text });
  }
  await ann.close();
}

const waysTo = async (t, servers) => {
  const ways = new Map();
  for (const server of servers) ways.set(server, await wayTo(server));
  t.after(() => ways.forEach((way) => way.close()));
  return ways;
};

test('a Cluster that announces other ports: a failover, and a slot that moves', async (t) => {
  const it = await startCluster();
  t.after(() => it.stop());
  const ways = await waysTo(t, it.servers);
  for (const [server, { port }] of ways) {
    assert.equal(await it.on(server, 'CONFIG', 'SET', 'cluster-announce-port', port), 'OK');
  }
  const told = async (server) => {
    const text = await it.on(server, 'CLUSTER', 'NODES');
    return [...ways.values()].every(({ port }) => text.includes(`127.0.0.1:${port}@`));
  };
  const all = async () => (await Promise.all(it.servers.map(told))).every(Boolean);
  await until(all, { timeout: 30000, what: 'all know what all announce' });

  const [{ port }] = ways.values();
  const node = await startNode({ redis: `redis+cluster://127.0.0.1:${port}` });
  t.after(() => node.stop());
  await works(node, 'one');
  await allCameBy(ways, 3);

  const old = await it.masterOf(it.key('room:r1'));
  const leads = await it.failover(old);
  await until(() => works(node, 'two').then(() => true), { timeout: 30000 });
  assert.ok((await linksTo(leads)).length > 0);

  const slot = it.slotOf(it.key('room:r2'));
  const from = await it.masterOf(slot);
  const to = (await it.masters()).find((one) => one !== from);
  await it.moveSlot(slot, to); // MOVED names the port that is announced
  await until(() => works(node, 'three').then(() => true), { timeout: 30000 });
  await allCameBy(ways, 3);
});

test('Sentinels that name other ports: a failover', async (t) => {
  const servers = [await startRedis(), await startRedis()];
  t.after(() => Promise.all(servers.map((one) => one.stop())));
  const ways = await waysTo(t, servers);
  const [master, replica] = servers;
  for (const one of servers) {
    await one.cli('CONFIG', 'SET', 'replica-announce-port', ways.get(one).port);
    await one.cli('CONFIG', 'SET', 'repl-diskless-sync', 'no');
  }
  await replica.cli('REPLICAOF', '127.0.0.1', ways.get(master).port);
  const sentinel = await startSentinel(ways.get(master).port, { quorum: 1 });
  t.after(() => sentinel.stop());
  const follows = async () =>
    (await sentinel.cli('SENTINEL', 'REPLICAS', MASTER)).includes('master-link-status\nok');
  await until(follows, { timeout: 30000 });

  const node = await startNode({ redis: `redis+sentinel://127.0.0.1:${sentinel.port}/${MASTER}` });
  t.after(() => node.stop());
  await works(node, 'one');
  await allCameBy(ways, 1);
  await until(async () => (await sentinel.cli('SENTINEL', 'FAILOVER', MASTER)) === 'OK');
  const there = async () => (await masterPort(sentinel)) === ways.get(replica).port;
  await until(there, { timeout: 30000, what: 'the replica is promoted' });
  await until(() => works(node, 'two').then(() => true), { timeout: 30000 });
  assert.ok((await linksTo(replica)).length > 0);
  await allCameBy(ways, 1);
});
