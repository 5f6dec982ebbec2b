// The profiles `sentinel` and `cluster` of docker-compose.yml, without Docker: their scripts make
// Redis servers that find one another by name and keep their roles, and a node serves by the file
// that was made for it. The network is one of this test's own, in which each name has an address;
// when all containers are made again, the addresses change.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { connect, findProgram, ROOT, startNode, tempDir, test, until } from '../lib/harness.mjs';
import { started, startProcess } from '../lib/processes.mjs';
import { redisProgram } from '../lib/redis.mjs';

const SERVERS = ['redis', 'redis-2', 'redis-3', 'redis-4', 'redis-5', 'redis-6'];
const SENTINELS = ['sentinel-1', 'sentinel-2', 'sentinel-3'];
const HOSTS = process.env.SLUICE_TEST_HOSTS; // inside the network: what is /etc/hosts there
const LIMIT = { timeout: 60000 };

// Runs this file again in a network with the addresses 10.99.0.1 to .40.
function runInside(name) {
  const hosts = path.join(tempDir('hosts'), 'hosts');
  fs.writeFileSync(hosts, '');
  const script = `
    ip link set lo up && mount --bind '${hosts}' /etc/hosts || exit 77
    for n in $(seq 40); do ip address add 10.99.0.$n/16 dev lo || exit 77; done
    exec "$@"`;
  const self = [process.execPath, '--test', '--test-reporter=tap', `--test-name-pattern=^${name}$`];
  const args = ['-rmn', 'sh', '-c', script, 'sh', ...self, fileURLToPath(import.meta.url)];
  const env = { ...process.env, SLUICE_TEST_HOSTS: hosts };
  delete env.NODE_TEST_CONTEXT;
  return spawnSync('unshare', args, { env, encoding: 'utf8' });
}

const canUnshare = () =>
  findProgram('ip') && spawnSync('unshare', ['-rmn', 'true']).status === 0;

// Outside: runs the test's body in the network. Inside: is the body.
function inNetwork(name, body) {
  test(name, { timeout: 180000, single: 'it starts its own servers' }, async (t) => {
    if (HOSTS) return body(t);
    if (!canUnshare()) return t.skip('no network of its own: unshare and ip are missing, or rights');
    const { status, stdout, stderr } = runInside(name);
    if (status === 77) return t.skip(`no network of its own: ${stderr}`);
    assert.equal(status, 0, `${stdout}${stderr}`);
  });
}

const address = (name, round) => `10.99.0.${1 + ((SERVERS.concat(SENTINELS).indexOf(name) + 4 * round) % 9) + 10 * (round % 2)}`;

// What Docker does for a profile: volumes, names, and a process for each service.
class Compose {
  constructor(profile) {
    this.profile = profile;
    this.dir = tempDir('compose');
    this.round = 0;
    this.running = new Map();
    const dirs = ['secret', 'grafana', 'data', 'conf', 'bin'];
    for (const one of dirs) fs.mkdirSync(path.join(this.dir, one));
    for (const file of ['redis.conf', 'redis-replicas.conf', 'redis-cluster.conf', 'sentinel.conf']) {
      fs.copyFileSync(path.join(ROOT, 'deploy', file), path.join(this.dir, 'conf', file));
    }
    // The image has redis-server on its PATH; Debian's redis-tools have not.
    redisProgram(path.join(this.dir, 'bin'));
    this.names();
  }

  names() {
    const all = [...SERVERS, ...SENTINELS];
    const lines = all.map((name) => `${address(name, this.round)} ${name}`);
    fs.writeFileSync(HOSTS, `127.0.0.1 localhost\n${lines.join('\n')}\n`);
  }

  get env() {
    const at = (name) => path.join(this.dir, name);
    const places = { CONF: at('conf'), SECRET: at('secret'), DATA: at('data') };
    const PATH = `${at('bin')}:${process.env.PATH}`;
    return { PATH, PROFILES: this.profile, PEERS: SERVERS.join(' '), ...places };
  }

  // A service that ends: its output.
  once(script, args, env = {}) {
    const command = [path.join(ROOT, 'deploy/docker', script), ...args];
    const all = { ...this.env, ADDRESS: '127.0.0.1', IDENTITY: '', ...env };
    const { status, stdout, stderr } = spawnSync('sh', command, { env: all, encoding: 'utf8' });
    return { status, text: `${stdout}${stderr}` };
  }

  secrets(env) {
    return this.once('secrets', ['secret', 'grafana'].map((name) => path.join(this.dir, name)), env);
  }

  read(name) {
    return fs.readFileSync(path.join(this.dir, name), 'utf8');
  }

  start(script, name) {
    const log = path.join(this.dir, `${name}.log`);
    const command = [path.join(ROOT, 'deploy/docker', script), name];
    const bind = ['--bind', address(name, this.round)];
    const child = startProcess('sh', [...command, ...bind], { cwd: this.dir, env: this.env, log });
    const self = { signal: child.signal, log: child.output, kill: () => child.end('SIGKILL', 5000) };
    self.stop = async () => {
      started.delete(self);
      // It forgets a SIGTERM that comes while it writes its first file, as a new replica does.
      const again = setInterval(() => child.signal('SIGTERM'), 500);
      await child.end('SIGTERM', 60000).finally(() => clearInterval(again));
    };
    this.running.set(name, self);
    started.add(self);
  }

  cli(name, ...args) {
    const port = name.startsWith('sentinel') ? ['-p', '26379'] : [];
    const env = { PATH: process.env.PATH, REDISCLI_AUTH: this.read('secret/redis') };
    return spawnSync('redis-cli', ['-h', name, ...port, ...args], { env, encoding: 'utf8' }).stdout;
  }

  healthy(name) {
    return until(() => this.cli(name, 'ping') === 'PONG\n', { ...LIMIT, what: `${name} answers` });
  }

  async up(script, names) {
    for (const name of names) this.start(script, name);
    for (const name of names) await this.healthy(name);
  }

  async stop(...names) {
    // At once: a master waits for its replicas.
    await Promise.all(names.map((name) => this.running.get(name).stop()));
    for (const name of names) this.running.delete(name);
  }

  // All are stopped and made again, with other addresses.
  async downAndUp(services) {
    await this.stop(...this.running.keys());
    this.round++;
    this.names();
    for (const [script, names] of services) await this.up(script, names);
  }

  // Made as the containers are, of whose environment it reads this.
  node() {
    return startNode({ env: { SLUICE_CONFIG: path.join(this.dir, 'secret/sluice.conf') }, ready: false });
  }
}

// Messages to topics of many partitions come. Servers that have just come up may change their roles
// again, and a client that is told `unavailable` begins again.
const serves = (node, text) =>
  until(() => talk(node, text).then(() => true), { ...LIMIT, what: `topics on ${node.id}` });

async function talk(node, text) {
  const client = await connect(node);
  await client.emit('join', { id: 'ann' });
  for (let i = 0; i < 24; i++) {
    const channel = `topic:t${i}`;
    await client.emit('subscribe', { channel });
    await client.emit('publish', { channel, data: text });
    await client.next('message', { match: (frame) => frame.data === text && frame.channel === channel });
  }
  await client.close();
}

inNetwork('cluster: it is made once, and is one again when its containers are new', async () => {
  const compose = new Compose('monitoring,cluster');
  assert.deepEqual(compose.secrets(), { status: 0, text: '' });
  assert.match(compose.read('secret/sluice.conf'), /^redis-url = redis\+cluster:\/\/:\w+@redis,redis-2,\S+,redis-6\n$/);
  const node = await compose.node();
  await compose.up('redis', SERVERS);
  assert.equal(compose.once('cluster', SERVERS, { PROFILES: 'monitoring' }).status, 1, 'it says so');
  const made = compose.once('cluster', SERVERS);
  assert.equal(made.status, 0, made.text);
  const masters = () =>
    compose.cli('redis', 'cluster', 'nodes').split('\n').filter((line) => / (myself,)?master - .* connected \d/.test(line));
  assert.equal(masters().length, 3);
  const replicas = () => compose.cli('redis', 'cluster', 'nodes').match(/ slave /g)?.length;
  await until(() => replicas() === 3, LIMIT);
  await node.untilReady(LIMIT);
  await serves(node, 'before');
  const again = compose.once('cluster', SERVERS);
  assert.deepEqual(again, { status: 0, text: 'the Cluster is there\n' });

  await compose.downAndUp([['redis', SERVERS]]);
  await until(() => compose.once('cluster', SERVERS).status === 0, LIMIT);
  const well = (name) => /cluster_state:ok/.test(compose.cli(name, 'cluster', 'info'));
  await until(() => SERVERS.every(well), { ...LIMIT, what: 'all is well' });
  const there = masters().concat(compose.cli('redis', 'cluster', 'nodes'));
  for (const name of SERVERS) assert.match(there.join('\n'), new RegExp(address(name, 1)), name);
  // The node had other addresses; one that is started now has the names.
  const second = await compose.node();
  await second.untilReady(LIMIT);
  await serves(second, 'after');
  await node.untilReady(LIMIT);
  await second.stop();
  await node.stop();
  await compose.stop(...compose.running.keys());
});

inNetwork('sentinel: a failover holds when the containers are new', async () => {
  const compose = new Compose('sentinel');
  assert.deepEqual(compose.secrets(), { status: 0, text: '' });
  const node = await compose.node();
  const servers = ['redis', 'redis-2'];
  await compose.up('redis', servers);
  await compose.up('sentinel', SENTINELS);
  const master = (name) => compose.cli(name, 'sentinel', 'get-master-addr-by-name', 'mymaster').split('\n')[0];
  const quorum = (name) => /^OK 3 usable/.test(compose.cli(name, 'sentinel', 'ckquorum', 'mymaster'));
  await until(() => SENTINELS.every(quorum), { ...LIMIT, what: 'the Sentinels know each other' });
  assert.equal(master('sentinel-1'), 'redis');
  await node.untilReady(LIMIT);
  await serves(node, 'before');

  const knows = () => /name=redis-2|ip=redis-2|redis-2/.test(compose.cli('sentinel-1', 'sentinel', 'replicas', 'mymaster'));
  await until(knows, LIMIT);
  await until(() => compose.cli('sentinel-1', 'sentinel', 'failover', 'mymaster') === 'OK\n', LIMIT);
  await until(() => SENTINELS.every((name) => master(name) === 'redis-2'), LIMIT);
  const follows = () => /^slave\n/.test(compose.cli('redis', 'role'));
  await until(follows, LIMIT);

  const services = [['redis', servers], ['sentinel', SENTINELS]];
  await compose.downAndUp(services);
  assert.match(compose.cli('redis-2', 'role'), /^master\n/);
  assert.ok(follows(), 'the former master is a replica from its start on');
  await until(() => SENTINELS.every((name) => quorum(name) && master(name) === 'redis-2'), LIMIT);
  const second = await compose.node();
  await second.untilReady(LIMIT);
  await serves(second, 'after');
  await second.stop();
  await node.stop();
  await compose.stop(...compose.running.keys());
});
