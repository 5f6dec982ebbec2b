// A Redis Cluster of real servers on free ports, and what happens to one: servers that die or are
// cut off, failovers, slots that move.

import crypto from 'node:crypto';
import { startBus } from './bus.mjs';
import { keysOf } from './commands.mjs';
import * as partitions from './partitions.mjs';
import { redisVersion, startRedis } from './redis.mjs';
import { printed } from './resp.mjs';
import { freePort, until } from './waiting.mjs';

const { allTags, partitionOf, PARTITIONS, SLOTS, slotOf, tagOf, tagOfName } = partitions;
const LIMIT = { timeout: 30000 };

const DIRECTIVES = {
  'cluster-enabled': 'yes',
  'cluster-config-file': 'nodes.conf',
  'cluster-require-full-coverage': 'no',
  'cluster-replica-validity-factor': 0,
  'cluster-allow-replica-migration': 'no',
  'repl-diskless-sync': 'no',
  'repl-ping-replica-period': 1,
  'shutdown-timeout': 0, // a master does not wait for replicas that stop, too
};

/*
 * What each server is to be: [{ id, port, tlsPort, busPort, master (index), slots: [from, to] }],
 * masters first. Each `replicas` of the others follow one master.
 */
async function plan({ masters, replicas, redis }) {
  const ports = new Set();
  while (ports.size < 3 * masters * (1 + replicas)) ports.add(await freePort());
  const [all, share] = [[...ports], SLOTS / masters];
  return Array.from({ length: masters * (1 + replicas) }, (_, i) => ({
    id: crypto.randomBytes(20).toString('hex'),
    port: all[3 * i],
    busPort: all[3 * i + 1],
    tlsPort: all[3 * i + 2],
    master: i < masters ? null : (i - masters) % masters,
    slots: i < masters ? [Math.ceil(share * i), Math.ceil(share * (i + 1)) - 1] : null,
    // See nodesFile().
    before: replicas || redis?.aclUser ? null : crypto.randomBytes(20).toString('hex'),
  }));
}

/*
 * The file in which a server remembers the Cluster. With it, servers know each other when they
 * start, which takes less time than meetings and gossip. A master that starts takes no write for 2 s,
 * and one that takes over does at once. So, where nobody follows, each begins as the replica of one
 * that never was (`before`), and then takes over. (A user of few rights may not say so.)
 */
function nodesFile(servers, myself, announced, secure) {
  const line = (id, place, flags, of, epoch, link, slots) =>
    `${id} ${place} ${flags} ${of} 0 0 ${epoch} ${link}${slots ? ` ${slots.join('-')}` : ''}`;
  const lines = servers.flatMap(({ id, port: plainPort, tlsPort, master, slots, before }, i) => {
    const port = secure ? tlsPort : plainPort; // of which they tell each other
    const leads = master === null && !before;
    const flags = [...(i === myself ? ['myself'] : []), leads ? 'master' : 'slave'];
    const of = before ?? servers[master]?.id ?? '-';
    const epoch = (master ?? i) + 1;
    // Should servers since Redis 7.2 have to agree on it later, SPUBLISH may end one meanwhile.
    const head = before ?? servers[master ?? i].id;
    const shard = redisVersion() >= 702 ? `,,shard-id=${head}` : '';
    const link = i === myself ? 'connected' : 'disconnected';
    const place = `127.0.0.1:${port}@${announced[i]}${shard}`;
    const own = line(id, place, flags, of, epoch, link, before ? null : slots);
    const nobody = `127.0.0.1:${port}@1${shard}`;
    return before ? [own, line(before, nobody, 'master', '-', epoch, 'disconnected', slots)] : [own];
  });
  return [...lines, `vars currentEpoch ${servers.length} lastVoteEpoch 0`, ''].join('\n');
}

// Each takes over from the one that never was, and all forget those.
async function takeOver(servers, places) {
  const gone = places.map(({ before }) => before).filter(Boolean);
  if (!gone.length) return;
  await Promise.all(servers.map((one) => answer(one, 'CLUSTER', 'FAILOVER', 'TAKEOVER')));
  const forget = (one) => Promise.all(gone.map((id) => answer(one, 'CLUSTER', 'FORGET', id)));
  await Promise.all(servers.map(forget));
}

// What a server says of itself: { id, master, replicaOf, epoch, slots: [[from, to]] }.
function ofItself(text) {
  const line = text.split('\n').find((one) => one.includes('myself'));
  const [id, , flags, of, , , epoch, , ...slots] = line.split(' ');
  const own = slots.filter((one) => !one.startsWith('[')); // others are on their way
  const ranges = own.map((one) => one.split('-').map(Number));
  return {
    id,
    master: flags.split(',').includes('master'),
    replicaOf: of === '-' ? null : of,
    epoch: Number(epoch),
    slots: ranges.map(([from, to = from]) => [from, to]),
  };
}

async function answer(server, ...words) {
  const [reply] = await server.ask(words);
  if (reply instanceof Error) throw new Error(`${words.join(' ')}: ${reply.message}`);
  return reply;
}

// Clients speak TLS or not, the servers among themselves do. The names in their certificates mean
// nothing to them.
const secured = ({ certFile, keyFile, caFile }, tlsPort) => ({
  'tls-port': tlsPort,
  'tls-cert-file': certFile,
  'tls-key-file': keyFile,
  'tls-ca-cert-file': caFile,
  'tls-auth-clients': 'no',
  'tls-cluster': 'yes',
  'tls-replication': 'yes',
});

async function startServers(options, places) {
  const { redis = {}, password, nodeTimeout, cuttable, tls } = options;
  const bus = cuttable ? await startBus(places.map(({ id }) => id)) : null;
  const announced = bus?.ports ?? places.map(({ busPort }) => busPort);
  bus?.to(places.map(({ busPort }) => busPort));
  const started = await Promise.allSettled(
    places.map(({ port, busPort, tlsPort }, i) =>
      startRedis({
        ...redis,
        ...(password && { requirepass: password }),
        port,
        files: { 'nodes.conf': nodesFile(places, i, announced, tls) },
        config: {
          ...DIRECTIVES,
          'cluster-node-timeout': nodeTimeout,
          'cluster-port': busPort,
          ...(bus && { 'cluster-announce-bus-port': announced[i] }),
          ...(password && { masterauth: password }),
          ...(tls && secured(tls, tlsPort)),
          ...redis.config,
        },
      }),
    ),
  );
  const failed = started.find(({ status }) => status === 'rejected');
  if (!failed) return { servers: started.map(({ value }) => value), bus };
  bus?.close();
  await Promise.all(started.map(({ value }) => value?.stop()));
  throw failed.reason;
}

async function onFreePorts(options) {
  for (let tries = 1; ; tries++) {
    const places = await plan(options);
    try {
      return { places, ...(await startServers(options, places)) };
    } catch (error) {
      if (tries === 5 || !/in use/i.test(error.message)) throw error;
    }
  }
}

/*
 * Starts it; resolves when every server says that all is well and replicas follow. Options:
 *   masters      default 3; replicas of each: default 1
 *   redis        options of startRedis for all
 *   password     of all, for clients and for replicas
 *   tls          { certFile, keyFile, caFile }: they speak TLS, too, and `url` says so. The tests
 *                themselves go by the ports without it
 *   nodeTimeout  ms after which a silent server is held for dead, default 2000
 *   cuttable     true: cut() works
 *   partitions   of the nodes, for key() and what is like it; default 16
 * Has: url, servers, and
 *   cli(...args)       a command at the master of its key, printed as redis-cli prints it. One
 *                      without a key goes to the first master
 *   on(server, ...)    the same at this server
 *   view()             what each server that is up says of itself:
 *                      [{ server, id, master, replicaOf, epoch, slots }]
 *   masters(), replicas(), masterOf(slot or key), replicaOf(master), idOf(server)
 *   log(channel)       its log: [{ id, frame }]
 *   key(name, part)    the key of a name, as key('room:lobby', 'log'); without part: its doorbell
 *   partition(name), tagOf(partition), slotOf(key), tags (of all partitions)
 *   failover(master)   a planned one to its replica, which it resolves to; with 'TAKEOVER' or
 *                      'FORCE' that kind, as for a master that is gone. It is ordered again when the
 *                      replica gave it up, as it does after 5 s
 *   tailLost(master)   from now on its replica gets nothing more. Resolves to a function: the master
 *                      dies, and the replica leads
 *   promoted(old)      resolves to the master that all know in the place of this one
 *   moveSlot(slot, to, { step }), see there
 *   cut(server)        cuts its bus: the others hold it for dead, while clients reach it. Returns a
 *                      function that ends this
 *   untilWell()        resolves when all servers that are up agree and serve
 *   stop()
 */
export async function startCluster(given = {}) {
  const options = { masters: 3, replicas: 1, nodeTimeout: 2000, ...given };
  const { places, servers, bus } = await onFreePorts(options);
  const cluster = new Cluster(options, places, servers, bus);
  await takeOver(servers, places);
  await cluster.untilWell();
  return cluster;
}

class Cluster {
  #ids; // server → id
  #shards; // server → the place of the master that it began as, or with
  #bus;
  #tls;
  #cut = new Set();

  constructor({ password, redis, tls, partitions: count = PARTITIONS }, places, servers, bus) {
    this.servers = servers;
    this.partitions = count;
    this.tags = allTags(count);
    this.slotOf = slotOf;
    this.tagOf = tagOf;
    this.#bus = bus;
    this.#tls = Boolean(tls);
    this.#ids = new Map(servers.map((server, i) => [server, places[i].id]));
    this.#shards = new Map(servers.map((server, i) => [server, places[i].master ?? i]));
    const { aclUser } = redis ?? {};
    let user = password ? `:${password}@` : '';
    if (aclUser) user = `${aclUser.name}:${aclUser.password}@`;
    servers.forEach((server, i) => (server.tlsPort = places[i].tlsPort));
    const seeds = servers.map(({ port, tlsPort }) => `127.0.0.1:${tls ? tlsPort : port}`);
    this.url = `${tls ? 'rediss' : 'redis'}+cluster://${user}${seeds}`;
  }

  idOf(server) {
    return this.#ids.get(server);
  }

  async view() {
    const up = this.servers.filter((server) => server.up);
    return Promise.all(
      up.map(async (server) => ({ server, ...ofItself(await answer(server, 'CLUSTER', 'NODES')) })),
    );
  }

  // Those that have slots.
  async masters() {
    const view = await this.view();
    return view.filter(({ master, slots }) => master && slots.length).map(({ server }) => server);
  }

  async replicas() {
    return (await this.view()).filter(({ master }) => !master).map(({ server }) => server);
  }

  // The server that is up and says so with the highest epoch: one that was cut off still says it.
  async masterOf(what) {
    const slot = typeof what === 'number' ? what : slotOf(what);
    const has = ({ slots }) => slots.some(([from, to]) => from <= slot && slot <= to);
    const claims = (await this.view()).filter((one) => one.master && has(one));
    if (!claims.length) throw new Error(`no server that is up has slot ${slot}`);
    return claims.sort((a, b) => b.epoch - a.epoch)[0].server;
  }

  async replicaOf(master) {
    const of = this.idOf(master);
    return (await this.view()).find(({ replicaOf }) => replicaOf === of)?.server;
  }

  async on(server, ...words) {
    const [reply] = await server.ask(words);
    return printed(reply);
  }

  async cli(...words) {
    const [key] = keysOf(words);
    const [any] = key === undefined ? await this.masters() : [await this.masterOf(key)];
    return this.on(any, ...words);
  }

  // A channel's log, oldest first: [{ id, frame }].
  async log(channel) {
    const key = this.key(channel, 'log');
    const entries = await answer(await this.masterOf(key), 'XRANGE', key, '-', '+');
    return entries.map(([id, [, frame]]) => ({ id, frame: JSON.parse(frame) }));
  }

  partition(name) {
    return partitionOf(name, this.partitions);
  }

  key(name, part, prefix = 'sluice:') {
    return `${prefix}{${tagOfName(name, this.partitions)}}${name}${part ? `:${part}` : ''}`;
  }

  async untilWell() {
    await until(() => this.#isWell(), { ...LIMIT, what: 'the Cluster is well' });
  }

  // All name the masters that say so themselves, and replicas follow.
  async #isWell() {
    const view = await this.view();
    const whole = view.filter(({ master }) => master).flatMap(({ slots }) => slots);
    if (whole.reduce((sum, [from, to]) => sum + to - from + 1, 0) !== SLOTS) return false;
    const owners = view.filter(({ master, slots }) => master && slots.length);
    const line = (id) => (range) => `${range.join('-')} ${id}`;
    const wanted = owners.flatMap(({ id, slots }) => slots.map(line(id)));
    const texts = await Promise.all(view.map((one) => this.#knows(one)));
    return texts.every((text) => text === wanted.sort().join());
  }

  async #knows({ server, master }) {
    const [info, slots, role] = await server.ask(
      ['CLUSTER', 'INFO'], ['CLUSTER', 'SLOTS'], ['ROLE'],
    );
    if (!info.includes('cluster_state:ok')) return 'its state is not ok';
    if (!master && role[3] !== 'connected') return 'it does not follow';
    return slots.map(([from, to, [, , id]]) => `${from}-${to} ${id}`).sort().join();
  }

  // The servers that stand for the same slots: a master and its replicas, whoever leads.
  #shardOf(server) {
    return this.servers.filter((one) => this.#shards.get(one) === this.#shards.get(server));
  }

  async promoted(old, limit = LIMIT) {
    const others = this.#shardOf(old).filter((one) => one !== old);
    const named = async () => {
      const view = (await this.view()).filter(({ server }) => !this.#cut.has(server));
      const leads = ({ server, master, slots }) =>
        others.includes(server) && master && slots.length > 0;
      const next = view.find(leads);
      if (!next) return null;
      const [slot] = next.slots[0];
      const seen = await Promise.all(view.map(({ server }) => this.#ownerAt(server, slot)));
      return seen.every((id) => id === next.id) && next.server;
    };
    return until(named, { ...limit, what: 'all name the same new master' });
  }

  // The id of the master that this server names for the slot.
  async #ownerAt(server, slot) {
    const slots = await answer(server, 'CLUSTER', 'SLOTS');
    return slots.find(([from, to]) => from <= slot && slot <= to)?.[2][2];
  }

  async tailLost(master) {
    const replica = await this.replicaOf(master);
    await this.on(master, 'WAIT', 1, 5000);
    replica.pause();
    await this.on(master, 'CLIENT', 'KILL', 'TYPE', 'replica');
    return async () => {
      await master.kill();
      replica.resume();
      await this.promoted(master);
    };
  }

  async failover(master, how) {
    const replica = this.#shardOf(master).find((one) => one !== master && one.up);
    const ordered = async () => {
      if ((await answer(replica, 'ROLE'))[0] === 'slave') {
        await answer(replica, 'CLUSTER', 'FAILOVER', ...(how ? [how] : []));
      } else if (how) {
        // It leads by votes of an earlier election, in an epoch that the others know to be over.
        await answer(replica, 'CLUSTER', 'BUMPEPOCH');
      }
      return this.promoted(master, { timeout: 8000 });
    };
    return until(ordered, { timeout: 60000, what: 'the replica leads' });
  }

  /*
   * Moves a slot to the master `to`, a few keys at a time, in the order in which redis-cli does it.
   * Awaits step(name, { from, to, left }) after each step: 'importing', 'migrating', 'moved' (some
   * keys; as often as there are some), 'taken' (the new master has the slot, and the old one does
   * not know), 'given'. Resolves to how many keys were moved.
   */
  async moveSlot(slot, to, { step = () => {}, bite = 5 } = {}) {
    const from = await this.masterOf(slot);
    const setSlot = (server, ...words) => answer(server, 'CLUSTER', 'SETSLOT', slot, ...words);
    const count = () => answer(from, 'CLUSTER', 'COUNTKEYSINSLOT', slot);
    const tell = async (name) => step(name, { from, to, left: await count() });
    await setSlot(to, 'IMPORTING', this.idOf(from));
    await tell('importing');
    await setSlot(from, 'MIGRATING', this.idOf(to));
    await tell('migrating');
    let moved = 0;
    for (;;) {
      const keys = await answer(from, 'CLUSTER', 'GETKEYSINSLOT', slot, bite);
      if (!keys.length) break;
      const auth = to.auth ? ['AUTH2', to.auth.at(-2) ?? 'default', to.auth.at(-1)] : [];
      const port = this.#tls ? to.tlsPort : to.port;
      await answer(from, 'MIGRATE', '127.0.0.1', port, '', 0, 5000, ...auth, 'KEYS', ...keys);
      moved += keys.length;
      await tell('moved');
    }
    await setSlot(to, 'NODE', this.idOf(to));
    await tell('taken');
    await setSlot(from, 'NODE', this.idOf(to));
    await tell('given');
    const knows = async (server) => (await this.#ownerAt(server, slot)) === this.idOf(to);
    const up = () => this.servers.filter((server) => server.up);
    const all = async () => (await Promise.all(up().map(knows))).every(Boolean);
    await until(all, { ...LIMIT, what: `all know of slot ${slot}` });
    return moved;
  }

  cut(server) {
    if (!this.#bus) throw new Error('startCluster was not asked for servers that can be cut');
    this.#cut.add(server);
    this.#bus.cut(this.idOf(server));
    return () => {
      this.#cut.delete(server);
      this.#bus.mend(this.idOf(server));
    };
  }

  async stop() {
    await Promise.all(this.servers.map((server) => server.kill()));
    this.#bus?.close();
  }
}
