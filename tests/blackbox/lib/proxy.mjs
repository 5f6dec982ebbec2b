// A TCP proxy between a node and Redis that can hold one direction still, delay, throttle, refuse
// and cut.

import net from 'node:net';
import { startNode } from './servers.mjs';
import { sleep } from './waiting.mjs';

const HOST = '127.0.0.1';

// A text in which a server has another port, as Redis, Sentinels and a URL write ports. Both have
// five digits, so that lengths stay.
const WAYS = [
  (port) => `:${port}\r\n`,
  (port) => `$5\r\n${port}\r\n`,
  (port) => `${HOST}:${port}`,
  (port) => `${HOST} ${port}`,
];
const renamed = (text, [from, to]) =>
  WAYS.reduce((now, way) => now.replaceAll(way(from), way(to)), text);

// The bytes as they are: of each way, what goes on and what goes back to where they came from.
const asTheyAre = () => ({
  toRedis: (data) => ({ on: data }),
  toNode: (data) => ({ on: data }),
});

// For startProxy: the bytes as they are. hear(data, socket to Redis) is told of what goes to Redis.
export const readAlong = (hear) => (upstream) => ({
  ...asTheyAre(),
  toRedis(data) {
    hear(data, upstream);
    return { on: data };
  },
});

async function listen(target, begin) {
  const server = net.createServer((client) => begin(client, target));
  await new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(0, HOST, resolve);
  });
  return server.unref();
}

/*
 * Has: port, url, and of the links that stand now (later ones are untouched):
 *   stall({ link, direction })  forwards nothing any more that way; the connections stay open
 *   keep({ link })              keeps what goes to Redis, and the connection to it when the node
 *                               gives its own up; returns a function that delivers it all, ends the
 *                               connections and resolves when Redis has read them to their end
 *   hold({ link })              keeps what goes to the node; returns a function that delivers it,
 *                               and lets later bytes pass
 *   cut({ link })               resets them
 *   cutEach(between)            resets one after the other; awaits between() before each
 *   orphan({ link, hold, late }) for `hold` ms keeps what goes to Redis, then resets the node's
 *                               side; `late` ms later Redis gets what was kept, by the old socket
 *   cutInside(bytes)            resets each when so many more bytes have gone to the node
 *   silence(text)               stalls the next link on which a node sends this text, from there on;
 *                               returns a function that tells whether that has happened
 * link: 'commands', 'subscriber' (the one that sent SUBSCRIBE), 'wait' (of redis-wait), or 'all',
 * the default.
 * direction: 'toRedis', 'toNode' or 'both' (the default).
 * And: delay = ms for each way, rate = bytes a second each way (0: all there is), fuse = as
 * cutInside(), for later links (0: none), refusing = true (closes what connects), links(),
 * opened, close(). `redis` is anything with url and port; its port is read at each connect, so
 * that it may lead to another server later. If it has `servers`, as a Cluster has (for Sentinels:
 * with the Sentinels), there is a proxy of each, and whoever asks where the servers are is told
 * where these are (and this proxy has `servers`, too). If it has a `door`, that is where the proxy
 * leads. speak(socket to Redis) makes for each link what reads along and may say something else:
 * see managed.mjs.
 */
export async function startProxy(redis, speak = asTheyAre) {
  const rename = (data) => {
    if (!moves.length || !data.includes(HOST)) return data;
    return Buffer.from(moves.reduce(renamed, data.toString('latin1')), 'latin1');
  };
  let silencing = null;
  const links = new Set();
  const sockets = new Set(); // also those of links of which one half is gone
  const proxy = { delay: 0, rate: 0, fuse: 0, refusing: false, opened: 0 };

  const reset = ({ client, upstream }) => {
    client.resetAndDestroy();
    upstream.destroy();
  };

  const forward = (link, from, to, direction) => {
    let chain = Promise.resolve(); // keeps the order over delays
    let held = 0;
    const pass = (bytes) => {
      const { on, back } = link.speaks[direction](bytes);
      if (back?.length && !from.destroyed) from.write(back);
      const data = direction === 'toNode' ? rename(on) : on;
      if (!data.length || to.destroyed || link.stalled[direction]) return;
      if (link.held && direction === 'toNode') {
        link.held.push(data);
        return;
      }
      if (link.kept && direction === 'toRedis') {
        link.kept.push(data);
        return;
      }
      if (direction === 'toRedis' || data.length < link.left) {
        link.left -= direction === 'toNode' ? data.length : 0;
        to.write(data);
      } else if (link.left > 0) {
        to.write(data.subarray(0, link.left), () => reset(link));
        link.left = 0;
      }
    };
    from.on('data', (data) => {
      if (direction === 'toRedis' && data.includes('SUBSCRIBE')) link.kind = 'subscriber';
      if (direction === 'toRedis' && data.includes('-wait\r\n')) link.kind = 'wait';
      if (direction === 'toRedis' && silencing && data.includes(silencing)) {
        silencing = null;
        link.stalled = { toRedis: true, toNode: true };
      }
      if (!proxy.delay && !proxy.rate && !held) {
        pass(data);
        return;
      }
      const due = Date.now() + proxy.delay;
      held++;
      chain = chain.then(async () => {
        const slow = proxy.rate ? (1000 * data.length) / proxy.rate : 0;
        const wait = Math.max(slow, due - Date.now());
        if (wait > 0) await sleep(wait);
        held--;
        pass(data);
      });
    });
    // The link is half open: its end is not passed on either.
    from.on('close', () => {
      links.delete(link);
      const outlives = link.stalled[direction] || (link.kept && direction === 'toRedis');
      if (!outlives) to.destroy();
    });
    from.on('error', () => {});
  };

  const begin = (client, target) => {
    client.on('error', () => {});
    if (proxy.refusing) {
      client.destroy();
      return;
    }
    proxy.opened++;
    const upstream = net.connect(target.port, HOST);
    const link = { client, upstream, kind: 'commands', stalled: {}, left: proxy.fuse || Infinity };
    link.speaks = speak(upstream);
    links.add(link);
    for (const socket of [client, upstream]) {
      socket.setNoDelay(true);
      socket.unref();
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
    }
    forward(link, client, upstream, 'toRedis');
    forward(link, upstream, client, 'toNode');
  };
  const first = redis.door ?? redis;
  const targets = first.servers ?? [first];
  const doors = await Promise.all(targets.map((target) => listen(target, begin)));
  const ports = doors.map((server) => server.address().port);
  const moves = first.servers ? targets.map(({ port }, i) => [port, ports[i]]) : [];

  const chosen = (kind = 'all') => {
    const some = [...links].filter((link) => kind === 'all' || link.kind === kind);
    if (!some.length) throw new Error(`the proxy has no link that is ${kind}`);
    return some;
  };

  return Object.assign(proxy, {
    port: ports[0],
    servers: first.servers && ports.map((its) => ({ port: its })),
    url: first.servers
      ? moves.reduce(renamed, redis.url)
      : redis.url.replace(/:\d+\/(\d+)$/, `:${ports[0]}/$1`),
    links: () => [...links].map(({ kind }) => kind),
    stall({ link, direction = 'both' } = {}) {
      for (const one of chosen(link)) {
        if (direction !== 'toNode') one.stalled.toRedis = true;
        if (direction !== 'toRedis') one.stalled.toNode = true;
      }
    },
    silence(text) {
      silencing = text;
      return () => silencing === null;
    },
    keep({ link } = {}) {
      const kept = chosen(link);
      for (const one of kept) one.kept = [];
      return () =>
        Promise.all(
          kept.map(({ upstream, kept: pieces }) => {
            if (upstream.destroyed) return null;
            const closed = new Promise((resolve) => upstream.on('close', resolve));
            for (const piece of pieces) upstream.write(piece);
            upstream.end();
            upstream.ref();
            return closed;
          }),
        );
    },
    hold({ link } = {}) {
      const held = chosen(link);
      for (const one of held) one.held = [];
      return () => {
        for (const one of held) {
          for (const piece of one.held) one.client.write(piece);
          one.held = undefined;
        }
      };
    },
    cut({ link } = {}) {
      chosen(link).forEach(reset);
    },
    async cutEach(between) {
      for (const link of chosen()) {
        await between();
        reset(link);
      }
    },
    async orphan({ link, hold, late }) {
      const some = chosen(link);
      for (const one of some) one.kept = [];
      await sleep(hold);
      for (const { client } of some) client.resetAndDestroy();
      await sleep(late);
      for (const { upstream, kept } of some) upstream.end(Buffer.concat(kept));
    },
    cutInside(bytes) {
      for (const link of chosen()) link.left = bytes;
    },
    close() {
      for (const server of doors) server.close();
      for (const socket of sockets) socket.destroy();
    },
  });
}

// A node, with the options of startNode(), that reaches this Redis through a proxy: { proxy, node }.
export async function nodeBehindProxy(redis, options) {
  const proxy = await startProxy(redis);
  return { proxy, node: await startNode({ ...options, redis: proxy.url }) };
}
