// What strangers do to a gateway. Each attack is a function of { urls, identity, until, pace, tell }:
//   pace(n, fn)  calls fn n times a second until the end, so that an attack takes a share of the
//                machine that is known (the attacker and the nodes share it)
//   tell         counts for the table: tell.count(what)
// It resolves when its time is over; the process then ends, and with it all of its connections.

import crypto from 'node:crypto';
import net from 'node:net';
import { encode, handshake, OFFER, pack, PING, TEXT } from '../blackbox/lib/rawws.mjs';
import { forged, token } from '../blackbox/lib/token.mjs';

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let turn = 0;

// A connection to one of the nodes in turn: { socket, closed, status }. What comes is counted and
// thrown away, but for the first line.
function dial({ urls, tell }, { reads = true } = {}) {
  const { hostname, port } = new URL(urls[turn++ % urls.length]);
  const socket = net.connect(Number(port), hostname);
  const one = { socket, closed: false, status: 0, got: '' };
  socket.setNoDelay(true);
  socket.on('error', () => {});
  socket.on('connect', () => tell.count('connected'));
  socket.on('close', () => {
    one.closed = true;
    if (!one.ours) tell.count('ended by the node');
  });
  if (reads) {
    socket.on('data', (data) => {
      if (!one.status) {
        one.status = Number(data.toString('latin1', 9, 12)) || -1;
        if (one.status >= 400) tell.count(`HTTP ${one.status}`);
      }
      one.onData?.(data);
    });
  }
  one.drop = () => {
    one.ours = true;
    socket.destroy();
  };
  one.event = (event, data, ack) =>
    socket.write(encode(TEXT, JSON.stringify({ event, data, ...(ack !== undefined && { ack }) })));
  return one;
}

// A WebSocket, open: the same with frames sent by encode().
async function open(how, options = {}) {
  const one = dial(how, options);
  one.socket.write(handshake({ headers: options.headers }));
  for (let i = 0; i < 100 && !one.status && !one.closed && options.reads !== false; i++) await sleep(10);
  return one;
}

async function enter(how, id, options) {
  const one = await open(how, options);
  one.event('login', { userId: id, ...(how.identity && { token: token(id) }) }, 1);
  return one;
}

async function many(how, count, make) {
  const all = [];
  for (let i = 0; i < count && Date.now() < how.until; i += 25) {
    all.push(...(await Promise.all(Array.from({ length: Math.min(25, count - i) }, (_, k) => make(i + k)))));
  }
  return all;
}

const alive = (all) => all.filter((one) => !one.closed);
const rest = (how) => sleep(Math.max(0, how.until - Date.now()));

async function ask(url, { method = 'GET', body } = {}) {
  const answer = await fetch(url, { method, body, signal: AbortSignal.timeout(5000) });
  return { status: answer.status, text: await answer.text() };
}

export const attacks = {
  async 'handshake flood'(how) {
    await how.pace(400, async () => {
      const one = dial(how);
      one.socket.write(handshake());
      await sleep(50);
      one.drop();
    });
  },

  async 'slow handshakes'(how) {
    const text = handshake();
    const all = await many(how, 1500, () => dial(how));
    for (let i = 0; Date.now() < how.until; i++) {
      for (const one of alive(all)) one.socket.write(text[i % text.length]);
      await sleep(1000);
    }
  },

  async 'slow bodies'(how) {
    const all = await many(how, 300, async (i) => {
      const url = how.urls[i % how.urls.length];
      const { text } = await ask(`${url}/socket.io/?EIO=4&transport=polling`).catch(() => ({ text: '' }));
      const sid = text.match(/"sid":"([^"]+)"/)?.[1];
      const one = dial(how);
      one.socket.write(
        `POST /socket.io/?EIO=4&transport=polling&sid=${sid} HTTP/1.1\r\nHost: a\r\nContent-Length: 16000\r\n\r\n`,
      );
      return one;
    });
    while (Date.now() < how.until) {
      for (const one of alive(all)) one.socket.write('4');
      await sleep(500);
    }
  },

  async 'frames a byte at a time'(how) {
    const all = await many(how, 100, () => open(how));
    const frame = encode(TEXT, JSON.stringify({ event: 'heartbeat', data: 'x'.repeat(200) }));
    let at = 0;
    await how.pace(50, () => {
      for (const one of alive(all)) one.socket.write(frame.subarray(at % frame.length, (at % frame.length) + 1));
      at++;
    });
  },

  async 'half-open connections'(how) {
    // They have logged in, and then neither read nor answer a ping.
    const all = await many(how, 1000, (i) => enter(how, `half-${i}`));
    for (const one of all) one.socket.pause();
    await rest(how);
  },

  async 'login storm'(how) {
    let i = 0;
    await how.pace(100, async () => {
      const one = await enter(how, `storm-${i++ % 500}`);
      one.event('join', { room: `storm-${i % 20}` });
      await sleep(100);
      one.drop();
    });
  },

  async 'wrong tokens'(how) {
    const wrong = [
      () => forged('good-1'),
      () => token('good-1', {}, { secret: 'another secret, also long enough, I hope' }),
      () => token('good-1', {}, { header: { alg: 'none' } }),
      () => token('good-1', {}, { ttl: -100 }),
      () => token('good-1', {}, { secret: 'another secret, also long enough, I hope', header: { kid: crypto.randomUUID() } }),
      () => `${'a'.repeat(4000)}.${'b'.repeat(4000)}.${'c'.repeat(4000)}`,
      () => token('good-1', { exp: undefined }),
      () => token('eve'),
    ];
    let i = 0;
    await how.pace(150, async () => {
      const one = await open(how);
      one.onData = (data) => {
        const text = data.toString();
        if (text.includes('"unauthorized"')) how.tell.count('unauthorized');
        if (text.includes('"connectionId"') && how.identity) how.tell.count('LET IN');
      };
      for (let k = 0; k < 5; k++) one.event('login', { userId: 'good-1', token: wrong[i++ % wrong.length]() }, k);
      await sleep(200);
      one.drop();
    });
  },

  async 'id squatting'(how) {
    let i = 0;
    await how.pace(100, async () => {
      const one = await open(how);
      one.onData = (data) => {
        const text = data.toString();
        if (/"(forbidden|unauthorized|too_many)"/.test(text)) how.tell.count('refused');
        if (text.includes('"connectionId"')) how.tell.count(how.identity ? 'LET IN' : 'let in');
      };
      one.event('login', { userId: `good-${i++ % 200}`, ...(how.identity && { token: token('eve') }) }, 1);
      await sleep(200);
      one.drop();
    });
  },

  async 'chunk hoards'(how) {
    // What is announced takes memory before it has come; then it comes, but for its last piece.
    const all = await many(how, 100, (i) => enter(how, `hoard-${i}`));
    const piece = 'x'.repeat(200000);
    for (let k = 0; k < 24 && Date.now() < how.until; k++) {
      const [id, index] = [`h${k % 8}`, Math.floor(k / 8)];
      const data = index === 0 ? 'x' : piece;
      for (const one of alive(all)) {
        if (one.socket.writableLength > 1 << 20) continue;
        one.event('message_chunk', { id, index, total: 4096, data, ...(index === 0 && { event: 'sendMessage', room: 'x' }) });
        await sleep(1);
      }
    }
    await rest(how);
  },

  async 'namespace hoards'(how) {
    const all = await many(how, 40, async () => {
      const one = dial(how);
      one.socket.write(handshake({ path: '/socket.io/?EIO=4&transport=websocket' }));
      await sleep(50);
      return one;
    });
    let k = 0;
    await how.pace(100, () => {
      for (const one of alive(all)) one.socket.write(encode(TEXT, `40/n${k},`));
      k++;
    });
  },

  async 'ping floods'(how) {
    const all = await many(how, 20, (i) => enter(how, `ping-${i}`));
    const pings = Buffer.concat(Array.from({ length: 20 }, () => encode(PING, 'x'.repeat(125))));
    await how.pace(100, () => {
      for (const one of alive(all)) if (one.socket.writableLength < 1 << 20) one.socket.write(pings);
    });
  },

  async 'hash flooding'(how) {
    const all = await many(how, 10, (i) => enter(how, `hash-${i}`));
    // Keys that meet in the buckets of weak hashes: they differ in few bits, or are equal.
    const keys = Array.from({ length: 4000 }, (_, i) => `"${i.toString(2).padStart(12, '0').replace(/0/g, 'Aa').replace(/1/g, 'BB')}":1`);
    const object = `{${keys.join(',')},${keys.join(',')}}`;
    let k = 0;
    await how.pace(20, () => {
      for (const one of alive(all)) {
        if (one.socket.writableLength > 1 << 20) continue;
        one.socket.write(encode(TEXT, `{"event":"typing","data":${object},"ack":1}`));
        one.socket.write(encode(TEXT, `{"event":"join","data":{"room":"${keys[k++ % keys.length].slice(1, 25)}"}}`));
      }
    });
  },

  // A kilobyte each, of which the node makes a mebibyte of JSON, and what is over max-message.
  async 'compressed bombs'(how) {
    const headers = { 'Sec-WebSocket-Extensions': OFFER };
    const bomb = (bytes) => encode(TEXT, pack(`{"event":"typing","data":[${'1,'.repeat(bytes / 2)}1]}`), { rsv: 4 });
    const [allowed, tooLong] = [bomb(1048000), bomb(50e6)];
    const all = await many(how, 20, (i) => enter(how, `bomb-${i}`, { headers }));
    let k = 0;
    await how.pace(50, async () => {
      for (const one of alive(all)) if (one.socket.writableLength < 1 << 16) one.socket.write(allowed);
      const other = await enter(how, `bomb-${k++ % 20}`, { headers });
      other.socket.write(tooLong);
    });
  },

  async 'sessions that never poll'(how) {
    let made = 0;
    await how.pace(1000, async (i) => {
      if (made >= 4000) return;
      made++;
      const one = dial(how);
      one.socket.write('GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
      one.ours = true;
      how.tell.count(i < 0 ? 'never' : 'sessions');
    });
  },

  async 'readers that never read'(how) {
    const all = await many(how, 200, async (i) => {
      const one = await enter(how, `deaf-${i}`);
      one.event('join', { room: `good-room-${i % 10}` });
      one.event('join', { room: 'loud' });
      return one;
    });
    for (const one of all.slice(1)) one.socket.pause();
    for (let k = 0; k < 300; k++) for (const one of all.slice(100)) one.event('history', { room: 'loud', limit: 100 }, k);
    await how.pace(20, () => all[0].event('sendMessage', { room: 'loud', message: 'y'.repeat(20000) }));
  },

  async 'floods of events'(how) {
    const all = await many(how, 20, async (i) => {
      const one = await enter(how, `flood-${i}`);
      one.event('join', { room: 'flood' });
      one.onData = (data) => data.includes('"rate_limited"') && how.tell.count('rate_limited');
      return one;
    });
    await how.pace(50, () => {
      for (const one of alive(all)) {
        if (one.socket.writableLength > 1 << 18) continue;
        for (let k = 0; k < 10; k++) one.event('sendMessage', { room: 'flood', message: k }, k);
        one.event('all_member', { room: 'flood' }, 'm');
        one.event('history', { room: 'flood', limit: 100 }, 'h');
        one.event('typing', { room: 'flood' });
        one.event('no-such-event', 1);
      }
    });
  },

  async 'hoards of private messages'(how) {
    const all = await many(how, 10, (i) => enter(how, `post-${i}`));
    let k = 0;
    await how.pace(20, () => {
      for (const one of alive(all)) {
        if (one.socket.writableLength > 1 << 20) continue;
        one.event('private_message', { receiverId: `nobody-${k++}`, content: 'z'.repeat(20000) }, k);
      }
    });
  },
};
