// A Redis Cluster that looks to a test like the one Redis of redis.mjs, so that tests which were
// written for that run on a Cluster, too. What redis-cli would be told is told to the masters that
// have the keys, and their answers are put together.

import { startCluster } from './cluster.mjs';
import { keyPlaces } from './commands.mjs';
import { channelOnOne, onCluster, onOne, patternOnCluster, scriptOnCluster } from './names.mjs';
import { printed } from './resp.mjs';
import { until } from './waiting.mjs';

// ---- Answers put together

const sum = (all) => all.reduce((total, one) => total + one, 0);
const first = (all) => all.find((one) => one !== null && one !== '' && one !== 'none') ?? all[0];
const most = (all) => (typeof all[0] === 'number' ? Math.max(...all) : all[0]);
const union = (all) => [...new Set(all.flat())];
const any = (all) => (all.some((one) => one) ? 1 : 0);
const pairs = (flat) => flat.flatMap((one, i) => (i % 2 ? [] : [[one, flat[i + 1]]]));

// A field that several partitions have is told once, with the highest value.
function unionOfPairs(all) {
  const out = new Map();
  for (const [name, value] of all.flatMap(pairs)) {
    if (!out.has(name) || Number(out.get(name)) < Number(value)) out.set(name, value);
  }
  return [...out];
}

// INFO: numbers are added up.
function addUp(texts) {
  const read = (text) => new Map(text.split('\r\n').map((line) => line.split(/:(.*)/)));
  const fields = texts.map(read);
  const total = (name, value) =>
    /^\d+$/.test(value ?? '') ? sum(fields.map((one) => Number(one.get(name) ?? 0))) : value;
  return [...fields[0]]
    .map(([name, value]) => (value === undefined ? name : `${name}:${total(name, value)}`))
    .join('\r\n');
}

function byKind(all) {
  if (all.every(Array.isArray)) return all.flat();
  return all.every((one) => typeof one === 'number') ? sum(all) : first(all);
}

// Of a key that each partition has, by verb: the words to ask with, and the answer. Others are told
// to all partitions, with the highest answer.
const MERGED = {
  GET: { merge: (all) => all.filter((one) => one !== null).sort().at(-1) ?? null },
  TYPE: { merge: first },
  XRANGE: { merge: (all) => all.flat() },
  XLEN: { merge: sum },
  ZSCORE: { merge: first },
  HGET: { merge: first },
  HMGET: { merge: (all) => all[0].map((_, i) => first(all.map((one) => one[i]))) },
  EXISTS: { merge: any },
  TTL: { merge: (all) => (all.includes(-1) ? -1 : most(all)) },
  PTTL: { merge: (all) => (all.includes(-1) ? -1 : most(all)) },
  DEL: { merge: any },
  UNLINK: { merge: any },
  SISMEMBER: { merge: any },
  SMEMBERS: { merge: union },
  HKEYS: { merge: union },
  HVALS: { merge: (all) => all.flat() },
  HGETALL: { merge: (all) => unionOfPairs(all).flat() },
  SCARD: { ask: ([, key]) => ['SMEMBERS', key], merge: (all) => union(all).length },
  HLEN: { ask: ([, key]) => ['HKEYS', key], merge: (all) => union(all).length },
  ZCARD: { ask: ([, key]) => ['ZRANGE', key, 0, -1], merge: (all) => union(all).length },
  ZRANGE: {
    ask: ([, key]) => ['ZRANGE', key, 0, -1, 'WITHSCORES'],
    merge: (all, [, , from, to, ...how]) => {
      const sorted = unionOfPairs(all).sort(([, a], [, b]) => a - b);
      const some = sorted.slice(Number(from), Number(to) === -1 ? undefined : Number(to) + 1);
      return how.length ? some.flat() : some.map(([member]) => member);
    },
  },
};

// The member that a command is about.
const MEMBER = { ZADD: 3, ZSCORE: 2, ZREM: 2, SADD: 2, SREM: 2, SISMEMBER: 2 };

// Keys that one Redis does not have.
const OF_CLUSTERS = /:partitions$/;

// Commands to every master, by verb and by what follows it.
const EVERYWHERE = {
  DBSIZE: sum,
  KEYS: (all) => union(all.flat().map(onOne)).filter((key) => !OF_CLUSTERS.test(key)),
  INFO: addUp,
  'CLIENT KILL': byKind,
  'CLIENT LIST': (all) => all.join(''),
  'SLOWLOG GET': (all) => JSON.parse(onOne(JSON.stringify(all.flat()))),
};

// ---- The one

class AsOne {
  #cluster;
  #masters;

  constructor(cluster) {
    this.#cluster = cluster;
    this.url = cluster.url;
    this.servers = cluster.servers;
    this.#masters = cluster.servers;
  }

  // For what asks one server; a test that needs this one alone is not for a Cluster.
  get port() {
    return this.servers[0].port;
  }

  async cli(...args) {
    const json = args[0] === '--json';
    const words = (json ? args.slice(1) : args).map(String);
    const reply = await this.#reply(words);
    return json ? JSON.stringify(reply) : printed(reply);
  }

  #reply(words) {
    const verb = (words[0] = words[0].toUpperCase());
    if (verb === 'PUBLISH') return this.#publish(words);
    if (verb === 'PUBSUB') return this.#pubsub(words);
    if (verb === 'EVAL') return this.#eval(words);
    const places = keyPlaces(words);
    if (!places.length) return this.#everywhere(words);
    if (places.length === 1) return this.#keyed(words);
    return Promise.all(places.map((at) => this.#keyed([verb, words[at]]))).then(byKind);
  }

  // Asks each master what there is for it, in one go; replies are in the order of the commands.
  async #ask(commands) {
    const owners = await Promise.all(commands.map(({ key }) => this.#masterOf(key)));
    const replies = [];
    await Promise.all(
      [...new Set(owners)].map(async (server) => {
        const mine = commands.map((_, i) => i).filter((i) => owners[i] === server);
        const some = await server.ask(...mine.map((i) => commands[i].words));
        mine.forEach((i, n) => (replies[i] = some[n]));
      }),
    );
    return replies;
  }

  // No slot moves and nobody fails over while a Cluster is taken for one Redis.
  #masterOf(key) {
    const share = 16384 / this.#masters.length;
    return this.#masters[Math.floor(this.#cluster.slotOf(key) / share)];
  }

  async #keyed(words) {
    const [verb, key] = words;
    const keys = onCluster(key, words[MEMBER[verb]]);
    const { ask = (same) => same, merge = most } = (keys.length > 1 && MERGED[verb]) || {};
    const commands = keys.map((one) => ({ key: one, words: ask([verb, one, ...words.slice(2)]) }));
    const replies = await this.#ask(commands);
    if (keys.length === 1) return replies[0];
    return replies.find((one) => one instanceof Error) ?? merge(replies, words);
  }

  async #everywhere(words) {
    const [verb, what = ''] = words;
    if (verb === 'KEYS') words[1] = patternOnCluster(what);
    const replies = (await Promise.all(this.#masters.map((one) => one.ask(words)))).flat();
    const failed = replies.find((one) => one instanceof Error);
    if (failed) return failed;
    const merge = EVERYWHERE[verb] ?? EVERYWHERE[`${verb} ${what.toUpperCase()}`] ?? first;
    return merge(replies);
  }

  // Bells are rung in their slots; what is no bell goes to all masters by the bus. A node listens to
  // one partition's bell of its own, so all of them are rung.
  async #publish([, channel, text]) {
    const channels = onCluster(channel);
    if (channels[0] === channel) return (await this.#masters[0].ask(['PUBLISH', channel, text]))[0];
    const bells = channel.includes('{') ? channels : channels.slice(0, 1);
    return sum(await this.#ask(bells.map((key) => ({ key, words: ['SPUBLISH', key, text] }))));
  }

  async #pubsub([verb, what, ...channels]) {
    const ask = async (...words) =>
      (await Promise.all(this.#masters.map((one) => one.ask(words)))).flat();
    if (what === 'CHANNELS') {
      const all = [...(await ask(verb, 'CHANNELS')), ...(await ask(verb, 'SHARDCHANNELS'))];
      return union(all).map(channelOnOne);
    }
    const count = async (channel) => {
      const keys = onCluster(channel);
      const counts = await ask(verb, keys[0] === channel ? 'NUMSUB' : 'SHARDNUMSUB', keys[0]);
      return [channel, sum(counts.map((one) => Number(one[1])))];
    };
    return (await Promise.all(channels.map(count))).flat();
  }

  // At the masters of its keys, or at all.
  async #eval([, script, count, ...rest]) {
    const keys = rest.slice(0, Number(count));
    const owners = keys.flatMap((key) => onCluster(key)).map((key) => this.#masterOf(key));
    const at = keys.length ? new Set(owners) : this.#masters;
    const args = [...rest.slice(keys.length), ...keys, keys.length];
    const words = ['EVAL', scriptOnCluster(script), 0, ...args];
    const replies = (await Promise.all([...at].map((one) => one.ask(words)))).flat();
    const back = (reply) => {
      if (Array.isArray(reply)) return reply.map(back);
      return typeof reply === 'string' ? onOne(reply) : reply;
    };
    return replies.find((one) => one instanceof Error) ?? back(byKind(replies));
  }

  // Resolves when these clients have got what went through the Cluster before: it has left the
  // masters, and so has come to the nodes before they answer a second time.
  async settled(clients) {
    const sent = async (one) => {
      const list = (await one.ask(['CLIENT', 'LIST', 'TYPE', 'PUBSUB']))[0];
      return !/ (obl|oll)=[1-9]/.test(list);
    };
    await until(async () => (await Promise.all(this.#masters.map(sent))).every(Boolean));
    for (const client of clients) for (let i = 0; i < 2; i++) await client.none('no such event');
  }

  #all(act) {
    return Promise.all(this.servers.map(act));
  }

  stop() {
    return this.#all((server) => server.stop());
  }

  kill() {
    return this.#all((server) => server.kill());
  }

  async restart() {
    await this.#all((server) => server.restart());
    await this.#cluster.untilWell();
  }

  forget() {
    for (const server of this.servers) server.forget();
  }

  pause() {
    return this.signal('SIGSTOP');
  }

  resume() {
    return this.signal('SIGCONT');
  }

  signal(what) {
    return this.servers.map((server) => server.signal(what)).every(Boolean);
  }

  log() {
    return this.servers.map((server) => server.log()).join('');
  }
}

// Options of startRedis; those of one server's own (port, unixsocket) do not hold.
export async function startAsOne({ requirepass, port, unixsocket, ...redis } = {}) {
  if (port || unixsocket) throw new Error('a Cluster has no port of its own: mark the test');
  const options = { replicas: 0, password: requirepass, redis };
  // Nobody is to be held for dead by servers that a busy machine keeps waiting.
  return new AsOne(await startCluster({ ...options, nodeTimeout: 60000 }));
}
