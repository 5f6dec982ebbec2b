// A TCP client that speaks HTTP and RFC 6455 as badly as a test wants.

import crypto from 'node:crypto';
import net from 'node:net';
import zlib from 'node:zlib';
import { until } from './waiting.mjs';

export const TEXT = 1;
export const BINARY = 2;
export const CONTINUATION = 0;
export const CLOSE = 8;
export const PING = 9;
export const PONG = 10;

/*
 * A client's frame. Options: fin (true), rsv (0 to 7), mask (true), size: how the length is
 * written, 7, 16 or 64 bits (default: the shortest).
 */
export function encode(opcode, payload = '', { fin = true, rsv = 0, mask = true, size } = {}) {
  const body = Buffer.from(payload);
  const bits = size ?? (body.length < 126 ? 7 : body.length < 65536 ? 16 : 64);
  const head = Buffer.alloc(2 + (bits === 7 ? 0 : bits / 8));
  head[0] = (fin ? 0x80 : 0) | (rsv << 4) | opcode;
  head[1] = (mask ? 0x80 : 0) | (bits === 7 ? body.length : bits === 16 ? 126 : 127);
  if (bits === 16) head.writeUInt16BE(body.length, 2);
  if (bits === 64) head.writeBigUInt64BE(BigInt(body.length), 2);
  if (!mask) return Buffer.concat([head, body]);
  const key = crypto.randomBytes(4);
  return Buffer.concat([head, key, body.map((byte, i) => byte ^ key[i % 4])]);
}

// A close frame's payload.
export function closing(code, reason = '') {
  const head = Buffer.alloc(2);
  head.writeUInt16BE(code);
  return Buffer.concat([head, Buffer.from(reason)]);
}

/*
 * permessage-deflate (RFC 7692): the value of an offer, a message's payload compressed by itself, and
 * inflated again within a window of 2^bits bytes.
 */
export const OFFER = 'permessage-deflate';
const TAIL = Buffer.from([0, 0, 0xff, 0xff]);
export function pack(data, options) {
  const all = zlib.deflateRawSync(data, { finishFlush: zlib.constants.Z_SYNC_FLUSH, ...options });
  return all.subarray(0, all.length - 4);
}
export function unpack(payload, bits = 15) {
  const finishFlush = zlib.constants.Z_SYNC_FLUSH;
  return zlib.inflateRawSync(Buffer.concat([payload, TAIL]), { finishFlush, windowBits: bits });
}

// An event that needs no login, answered {"ack":<ack>,"data":{}}.
export const beat = (ack, data = '') => JSON.stringify({ event: 'heartbeat', data, ack });

class RawSocket {
  received = Buffer.alloc(0); // not yet taken
  ended = false; // the server sent FIN
  closed = false; // the connection is over, by FIN both ways or by a reset
  agreed = null; // the value of the answer's Sec-WebSocket-Extensions
  #socket;

  constructor(socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (data) => (this.received = Buffer.concat([this.received, data])));
    socket.on('end', () => (this.ended = true));
    socket.on('error', () => {});
    socket.on('close', () => (this.closed = true));
  }

  // Resolves when the kernel has the bytes.
  write(bytes) {
    return new Promise((resolve) => this.#socket.write(bytes, () => resolve()));
  }

  send(opcode, payload, options) {
    return this.write(encode(opcode, payload, options));
  }

  // Sends FIN. Resolves when the kernel has it.
  end() {
    return new Promise((resolve) => this.#socket.end(() => resolve()));
  }

  destroy() {
    this.#socket.destroy();
  }

  reset() {
    this.#socket.resetAndDestroy();
  }

  // Stops reading, and reads again.
  pause() {
    this.#socket.pause();
  }

  resume() {
    this.#socket.resume();
  }

  // The next HTTP answer: { status, headers, body, json() }.
  async response({ timeout = 5000 } = {}) {
    const head = await until(() => this.received.indexOf('\r\n\r\n') + 1, {
      timeout,
      every: 2,
      what: `an HTTP answer, got ${JSON.stringify(this.received.toString())}`,
    });
    const [first, ...lines] = this.received.toString('latin1', 0, head - 1).split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => [line.split(':')[0].toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
    );
    const begin = head + 3;
    const end = begin + Number(headers['content-length'] ?? 0);
    await until(() => this.received.length >= end, { timeout, every: 2, what: 'the body' });
    const body = this.received.toString('utf8', begin, end);
    this.received = this.received.subarray(end);
    const json = () => JSON.parse(body);
    this.agreed = headers['sec-websocket-extensions'] ?? null;
    return { status: Number(first.split(' ')[1]), headers, body, json };
  }

  // The next frame from the server: { opcode, fin, payload, text }, and `packed`, the payload as it
  // came, if it was compressed.
  async frame({ timeout = 5000 } = {}) {
    const got = await until(() => this.#take() ?? (this.ended || this.closed ? 'end' : null), {
      timeout,
      every: 2,
      what: 'a frame',
    });
    if (got === 'end') throw new Error('the server ended the connection, no frame');
    return got;
  }

  // The next frame but pings, as parsed JSON.
  async json(options) {
    let frame;
    do frame = await this.frame(options);
    while (frame.opcode === PING);
    if (frame.opcode !== TEXT) throw new Error(`opcode ${frame.opcode}: ${frame.payload.toString('hex')}`);
    return JSON.parse(frame.text);
  }

  // Reads up to the server's close frame: { code, reason }; code null if it is empty.
  async close(options) {
    let frame;
    do frame = await this.frame(options);
    while (frame.opcode !== CLOSE);
    const { payload } = frame;
    if (payload.length === 0) return { code: null, reason: '' };
    return { code: payload.readUInt16BE(), reason: payload.toString('utf8', 2) };
  }

  // Resolves when the server has sent FIN, or the connection is over.
  over({ timeout = 5000 } = {}) {
    return until(() => this.ended || this.closed, { timeout, every: 5, what: 'the server ends it' });
  }

  #take() {
    const all = this.received;
    if (all.length < 2) return null;
    if (all[1] & 0x80) throw new Error('the server masks');
    let at = 2;
    let length = all[1] & 0x7f;
    if (length === 126) {
      if (all.length < 4) return null;
      length = all.readUInt16BE(2);
      at = 4;
    } else if (length === 127) {
      if (all.length < 10) return null;
      length = Number(all.readBigUInt64BE(2));
      at = 10;
    }
    if (all.length < at + length) return null;
    const payload = all.subarray(at, at + length);
    this.received = all.subarray(at + length);
    if (all[0] & (this.agreed ? 0x30 : 0x70)) throw new Error('the server sets reserved bits');
    const packed = all[0] & 0x40 ? payload : null;
    const bytes = packed ? unpack(packed) : payload;
    return { opcode: all[0] & 15, fin: all[0] >> 7 === 1, payload: bytes, packed, text: bytes.toString() };
  }
}

// Opens a TCP connection to a node.
export async function dial(node) {
  const socket = net.connect({ port: node.port, host: '127.0.0.1', allowHalfOpen: true });
  socket.unref();
  const raw = new RawSocket(socket);
  await new Promise((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return raw;
}

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
export const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='; // RFC 6455, section 1.3

/*
 * The text of a handshake. `headers` replace or add (undefined: leave out); method, path and
 * version of the first line.
 */
export function handshake({ method = 'GET', path = '/ws', version = 'HTTP/1.1', headers = {} } = {}) {
  const all = {
    Host: '127.0.0.1',
    Upgrade: 'websocket',
    Connection: 'Upgrade',
    'Sec-WebSocket-Key': KEY,
    'Sec-WebSocket-Version': '13',
    ...headers,
  };
  const lines = Object.entries(all)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} ${version}\r\n${lines.join('')}\r\n`;
}

// A raw WebSocket, open. options: of handshake(); the path is /ws by default.
export async function rawConnect(node, options) {
  const raw = await dial(node);
  await raw.write(handshake(options));
  const { status } = await raw.response();
  if (status !== 101) throw new Error(`handshake refused: ${status}`);
  return raw;
}
