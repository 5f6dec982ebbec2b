// Functions to read Redis with redis-cli, and to publish there by hand.

import { until } from './waiting.mjs';

let fences = 0;

const lines = (text) => (text === '' ? [] : text.split('\n'));

export async function keys(redis, pattern = '*') {
  return lines(await redis.cli('KEYS', pattern)).sort();
}

export async function hash(redis, key) {
  const all = lines(await redis.cli('HGETALL', key));
  const out = {};
  for (let i = 0; i + 1 < all.length; i += 2) out[all[i]] = all[i + 1];
  return out;
}

// The connections of a user that are online: [{ id, incarnation, since, address, door }].
export async function connections(redis, user) {
  return Object.entries(await hash(redis, `sluice:{user:${user}}:conns`)).map(([id, text]) => {
    const [incarnation, since, address, door] = text.split(' ');
    return { id, incarnation, since, address, door };
  });
}

// A sorted set: member → score.
export async function scores(redis, key) {
  const all = lines(await redis.cli('ZRANGE', key, 0, -1, 'WITHSCORES'));
  const out = {};
  for (let i = 0; i + 1 < all.length; i += 2) out[all[i]] = Number(all[i + 1]);
  return out;
}

export async function members(redis, key) {
  return lines(await redis.cli('SMEMBERS', key)).sort();
}

// A stream: [{ id, frame }], oldest first.
export async function log(redis, channel) {
  const script = `local out = {}
    for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
      out[#out + 1] = entry[1]
      out[#out + 1] = entry[2][2]
    end
    return out`;
  const all = lines(await redis.cli('EVAL', script, 1, `sluice:{${channel}}:log`));
  const out = [];
  for (let i = 0; i + 1 < all.length; i += 2) {
    out.push({ id: all[i], frame: JSON.parse(all[i + 1]) });
  }
  return out;
}

export function publish(redis, channel, text) {
  return redis.cli('PUBLISH', channel, text);
}

// As publish, for bytes that are no UTF-8.
export function publishBytes(redis, channel, bytes) {
  const escaped = [...bytes].map((byte) => `\\${String(byte).padStart(3, '0')}`).join('');
  return redis.cli('EVAL', `return redis.call('PUBLISH', KEYS[1], '${escaped}')`, 1, channel);
}

/*
 * Resolves when these clients, logged in, have got whatever presence and hand-published text went
 * through Redis before: a node has one subscriber link, and that keeps the order. (Rosters, which
 * a node reads when it hears of a change, may still follow.)
 */
export async function fence(redis, clients) {
  const token = `fence-${++fences}`;
  // On a Cluster a node has a link to each master, and nothing keeps the order of two of them.
  await redis.settled?.(clients);
  await publish(redis, 'sluice:{all}', token);
  await Promise.all(
    clients.map((client) => client.next('message', { match: (frame) => frame.data === token })),
  );
}

// How many frames of this event (with this data) the client ever got.
export function count(client, event, data) {
  return client.frames.filter(
    (frame) => frame.event === event && (data === undefined || frame.data === data),
  ).length;
}

// /metrics at one moment, as a function: the sum of a family's samples that have these labels.
export async function metrics(node) {
  const { body } = await node.get('/metrics');
  const samples = body
    .split('\n')
    .map((line) => line.match(/^(\w+)(?:\{(.*)\})? (\S+)$/))
    .filter(Boolean)
    .map(([, name, set, value]) => ({ name, set: (set ?? '').split(','), value: Number(value) }));
  return (name, labels = {}) => {
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    const found = samples.filter(
      (sample) => sample.name === name && wanted.every((label) => sample.set.includes(label)),
    );
    if (found.length === 0) throw new Error(`no ${name} ${wanted} in /metrics`);
    return found.reduce((sum, sample) => sum + sample.value, 0);
  };
}

const GAUGES = ['connections', 'users', 'channels', 'subscriptions', 'queue_bytes'];

const gaugesOf = (all) =>
  all.flatMap((value) => GAUGES.map((name) => value(`sluice_${name}`))).join();

// The state that these nodes hold at one moment, as text that can be compared.
export async function gauges(nodes) {
  return gaugesOf(await Promise.all(nodes.map(metrics)));
}

// The same, of a moment when no HTTP connection is left but the one that asks. (Those of requests
// before, such as whether the nodes are ready, may still be ending.)
export async function restingGauges(nodes) {
  let all;
  await until(async () => {
    all = await Promise.all(nodes.map(metrics));
    return all.every((value) => value('sluice_connections', { door: 'http' }) <= 1);
  });
  return gaugesOf(all);
}

export async function metric(node, name, labels) {
  return (await metrics(node))(name, labels);
}

// The changes of a node's metrics by `act`, as a function of family and labels.
export async function metricChanges(node, act) {
  const before = await metrics(node);
  await act();
  const after = await metrics(node);
  return (name, labels) => after(name, labels) - before(name, labels);
}
