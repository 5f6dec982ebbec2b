// The servers of the URL are where a node begins; it learns the others from the first that answers.
import assert from 'node:assert/strict';
import { freePort, login, startNode, test, until } from '../lib/harness.mjs';
import { startCluster } from '../lib/cluster.mjs';

const at = (...ports) => `redis+cluster://${ports.map((port) => `127.0.0.1:${port}`).join(',')}`;

async function works(node, user) {
  const client = await login(node, user);
  for (let i = 0; i < 20; i++) {
    await client.emit('join', { room: `r${i}` });
    await client.emit('sendMessage', { room: `r${i}`, message: user });
  }
}

test('seeds that are away, and one that is silent', async (t) => {
  const it = await startCluster({ replicas: 1 });
  t.after(() => it.stop());
  const silent = (await it.replicas())[0];
  const live = (await it.masters())[1];
  silent.pause();
  t.after(() => silent.resume());
  const away = await freePort();
  for (const url of [at(away, live.port), at(silent.port, live.port), at(away, silent.port, live.port)]) {
    const node = await startNode({ redis: url });
    await works(node, 'ann');
    await node.stop();
  }
});

test('a replica as the only seed', async (t) => {
  const it = await startCluster({ replicas: 1 });
  t.after(() => it.stop());
  const node = await startNode({ redis: at((await it.replicas())[0].port) });
  t.after(() => node.stop());
  await works(node, 'ann');
});

test('no seed answers: the node is not ready, says of which, and begins when one is there', async (t) => {
  const it = await startCluster({ replicas: 0 });
  t.after(() => it.stop());
  await Promise.all(it.servers.map((server) => server.stop()));
  const node = await startNode({ redis: it.url, ready: false });
  t.after(() => node.stop());
  const told = async () => (await node.get('/readyz')).json();
  const why = /Cluster.*connection refused/;
  await until(async () => why.test((await told()).detail), { what: `${why} in /readyz` });
  for (const { port } of it.servers) {
    const tried = new RegExp(`127\\.0\\.0\\.1:${port}\\b.*connection refused`);
    await until(() => tried.test(node.log()), { what: `${tried} in the log` });
  }
  const { ready, reason } = await told();
  assert.deepEqual([ready, reason], [false, 'redis']);
  await Promise.all(it.servers.map((server) => server.restart()));
  await node.untilReady({ timeout: 30000 });
  await works(node, 'ann');
});

test('the only seed is lost later: the node goes on with the servers that it learnt', async (t) => {
  const it = await startCluster({ replicas: 1 });
  t.after(() => it.stop());
  const [seed] = await it.replicas();
  const node = await startNode({ redis: at(seed.port) });
  t.after(() => node.stop());
  await works(node, 'ann');
  await seed.kill();
  const master = await it.masterOf(it.key('room:r1'));
  const other = await it.replicaOf(master);
  const leads = other ? await it.failover(master) : null; // its own replica may be the seed
  await until(() => works(node, 'bob').then(() => true));
  if (leads) assert.notEqual(leads, master);
  assert.equal(await node.readyz(), 200);
});
