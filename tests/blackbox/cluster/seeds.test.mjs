// The servers of the URL are where a node begins; it learns the others from the first that answers.
import assert from 'node:assert/strict';
import { freePort, login, sleep, startNode, startRedis, test, until } from '../lib/harness.mjs';
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

// A server in cluster mode that is alone and has no slots.
const startLone = () =>
  startRedis({ config: { 'cluster-enabled': 'yes', 'cluster-config-file': 'lone.conf' } });

test('seeds that are no Redis of a Cluster, and one that belongs to none', async (t) => {
  const [it, single, lone] = await Promise.all([
    startCluster({ replicas: 0 }),
    startRedis({ requirepass: 'other' }),
    startLone(),
  ]);
  t.after(() => Promise.all([it, single, lone].map((one) => one.stop())));
  const own = it.servers.map(({ port }) => port);
  const node = await startNode({ redis: at(single.port, lone.port, own[1]) });
  t.after(() => node.stop());
  await works(node, 'ann');
  const told = (port, why) => new RegExp(`event=redis_scout .*addr=127\\.0\\.0\\.1:${port} why=".*${why}`);
  assert.match(node.log(), told(single.port, 'NOAUTH'));
  assert.match(node.log(), told(lone.port, 'no master that has slots'));
  // Neither may hold it while its own Cluster is away.
  await Promise.all(it.servers.map((server) => server.stop()));
  await node.untilNotReady({ timeout: 30000 });
  await Promise.all(it.servers.map((server) => server.restart()));
  await node.untilReady({ timeout: 30000 });
  await works(node, 'bob');
});

test('a seed of another Cluster does not get the node while its own is away', async (t) => {
  const [it, other] = await Promise.all([
    startCluster({ replicas: 0 }),
    startCluster({ replicas: 0, masters: 1 }),
  ]);
  t.after(() => Promise.all([it, other].map((one) => one.stop())));
  // The other one has made more decisions, so its epochs are higher.
  for (let i = 0; i < 5; i++) await other.cli('CLUSTER', 'BUMPEPOCH');
  const strange = other.servers[0].port;
  const node = await startNode({ redis: at(it.servers[0].port, strange, it.servers[2].port) });
  t.after(() => node.stop());
  await works(node, 'ann');
  await Promise.all(it.servers.map((server) => server.stop()));
  const why = new RegExp(`addr=127\\.0\\.0\\.1:${strange} why="it is a node of another Cluster"`);
  await until(() => why.test(node.log()), { what: 'the log tells of it', timeout: 30000 });
  assert.equal(await node.readyz(), 503);
  await Promise.all(it.servers.map((server) => server.restart()));
  await node.untilReady({ timeout: 30000 });
  await works(node, 'bob');
  assert.equal(await other.cli('DBSIZE'), '0');
});

test('who may not ask: /readyz names the permission, and it is asked rarely', async (t) => {
  const it = await startCluster({ replicas: 0 });
  t.after(() => it.stop());
  const set = (...rules) =>
    Promise.all(it.servers.map((one) => one.ask(['ACL', 'SETUSER', 'sluice', 'on', '>secret', ...rules])));
  const calls = async () => {
    const texts = await Promise.all(it.servers.map((one) => it.on(one, 'INFO', 'commandstats')));
    const refused = texts.join().matchAll(/cmdstat_(set|cluster\|nodes|eval|evalsha):.*?rejected_calls=(\d+)/g);
    return [...refused].reduce((sum, [, , count]) => sum + Number(count), 0);
  };
  await set('~*', '&*', '+@all', '-cluster|nodes');
  const node = await startNode({ redis: it.url.replace('://', '://sluice:secret@'), ready: false });
  t.after(() => node.stop());
  const told = async () => (await node.get('/readyz')).json().detail;
  for (const [rule, why] of [
    ['-cluster|nodes', /NOPERM.*'cluster\|nodes'/],
    ['-set', /partitions.*NOPERM.*'set'/],
    ['-eval', /term.*NOPERM.*'eval'/],
  ]) {
    await set('+@all', rule);
    await until(async () => why.test(await told()), { what: `${why} in /readyz`, timeout: 15000 });
    const [before, since] = [await calls(), Date.now()];
    await sleep(3000);
    const each = (await calls()) - before;
    // 16 partitions, and each of them asks.
    assert.ok(each <= 16 * (1 + (Date.now() - since) / 3000), `${each} refused calls after ${rule}`);
    assert.ok(node.log().split('\n').some((line) => /redis_(error|scout)/.test(line) && line.includes('NOPERM')));
  }
  await set('+@all');
  await node.untilReady({ timeout: 30000 });
  // One that is taken away later: what is known goes on.
  await set('-cluster|nodes');
  await until(() => /redis_error.*cluster\|nodes/.test(node.log()), { timeout: 15000 });
  await works(node, 'ann');
});
