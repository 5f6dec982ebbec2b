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
