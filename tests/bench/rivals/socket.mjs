// A WebSocket that costs its owner little: frames are cut by their lengths, nothing is parsed.

import net from 'node:net';

const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';

// Text under 64 KiB as one masked frame (with a mask of zeros).
function frame(text) {
  const body = Buffer.from(text);
  const length =
    body.length < 126
      ? [0x80 | body.length]
      : [0x80 | 126, body.length >> 8, body.length & 255];
  return Buffer.concat([Buffer.from([0x81, ...length, 0, 0, 0, 0]), body]);
}

// The payloads of the whole frames in `bytes`; what is left of it.
function cut(bytes, each) {
  let at = 0;
  while (bytes.length - at >= 2) {
    let length = bytes[at + 1] & 127;
    let head = 2;
    if (length >= 126) {
      head = length === 126 ? 4 : 10;
      if (bytes.length - at < head) break;
      length = length === 126 ? bytes.readUInt16BE(at + 2) : Number(bytes.readBigUInt64BE(at + 2));
    }
    if (bytes.length - at < head + length) break;
    each(bytes.subarray(at + head, at + head + length));
    at += head + length;
  }
  return bytes.subarray(at);
}

// Resolves to { say(text), end() } when the handshake is over; onFrame(payload, say) for each.
export function open(port, path, onFrame) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    const say = (text) => socket.write(frame(text));
    let bytes = Buffer.alloc(0);
    let isOpen = false;
    const upgrade = ['Host: x', 'Upgrade: websocket', 'Connection: Upgrade', KEY];
    socket.setNoDelay(true);
    socket.write([`GET ${path} HTTP/1.1`, ...upgrade, 'Sec-WebSocket-Version: 13', '', ''].join('\r\n'));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed')));
    socket.on('data', (data) => {
      bytes = bytes.length ? Buffer.concat([bytes, data]) : data;
      const end = isOpen ? -1 : bytes.indexOf('\r\n\r\n');
      if (!isOpen && end < 0) return;
      if (!isOpen) {
        if (!bytes.toString('latin1', 0, 16).includes(' 101')) reject(new Error(bytes.toString()));
        isOpen = true;
        bytes = bytes.subarray(end + 4);
        resolve({ say, end: () => socket.destroy() });
      }
      bytes = cut(bytes, (payload) => onFrame(payload, say));
    });
  });
}

// The bodies of the whole answers in `bytes`; what is left of it.
function cutAnswers(bytes, each) {
  for (;;) {
    const end = bytes.indexOf('\r\n\r\n');
    if (end < 0) return bytes;
    const head = bytes.toString('latin1', 0, end);
    const [, length] = head.match(/content-length: (\d+)/i);
    const whole = end + 4 + Number(length);
    if (bytes.length < whole) return bytes;
    if (!head.startsWith('HTTP/1.1 200')) throw new Error(bytes.toString());
    each(bytes.subarray(end + 4, whole));
    bytes = bytes.subarray(whole);
  }
}

// As open(), for an Engine.IO session that polls, all on one connection: the next request leaves
// when the last one is answered, a POST if something waits to be said.
export function poll(port, path, onPacket) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, '127.0.0.1');
    const waiting = [];
    let bytes = Buffer.alloc(0);
    let sid = '';
    let posted = false;
    const say = (text) => waiting.push(text);
    const next = () => {
      const body = waiting.splice(0).join('\x1e');
      const head = `${body ? 'POST' : 'GET'} ${path}${sid} HTTP/1.1\r\nHost: x\r\n`;
      posted = body !== '';
      socket.write(posted ? `${head}Content-Length: ${body.length}\r\n\r\n${body}` : `${head}\r\n`);
    };
    const take = (body) => {
      for (let at = 0; !posted && at < body.length; ) {
        const end = body.indexOf(0x1e, at);
        const packet = body.subarray(at, end < 0 ? body.length : end);
        if (!sid) {
          sid = `&sid=${JSON.parse(packet.subarray(1)).sid}`;
          resolve({ say, end: () => socket.destroy() });
        }
        onPacket(packet, say);
        at += packet.length + 1;
      }
      setImmediate(next); // what is said meanwhile goes first
    };
    socket.setNoDelay(true);
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('closed')));
    socket.on('data', (data) => {
      bytes = cutAnswers(bytes.length ? Buffer.concat([bytes, data]) : data, take);
    });
    next();
  });
}
