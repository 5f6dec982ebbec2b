// Commands to a Redis, on a connection that lasts as long as they do. In place of redis-cli where
// many are sent, or where the answers are to be put together.

import net from 'node:net';

const CRLF = '\r\n';

const encode = (words) => {
  const all = words.map((word) => (Buffer.isBuffer(word) ? word : Buffer.from(String(word))));
  const bulk = (word) => [Buffer.from(`$${word.length}${CRLF}`), word, Buffer.from(CRLF)];
  return Buffer.concat([Buffer.from(`*${words.length}${CRLF}`), ...all.flatMap(bulk)]);
};

// The reply that begins at this byte, as { value, end }, or null if not all of it is there.
function take(data, at) {
  const eol = data.indexOf(CRLF, at);
  if (eol < 0) return null;
  const text = data.toString('utf8', at + 1, eol);
  const [size, begin] = [Number(text), eol + 2];
  switch (String.fromCharCode(data[at])) {
    case '+':
      return { value: text, end: begin };
    case '-':
      return { value: new Error(text), end: begin };
    case ':':
      return { value: size, end: begin };
    case '$':
      if (size < 0) return { value: null, end: begin };
      if (data.length < begin + size + 2) return null;
      return { value: data.toString('utf8', begin, begin + size), end: begin + size + 2 };
    case '*':
      return size < 0 ? { value: null, end: begin } : takeArray(data, begin, size);
    default:
      throw new Error(`no reply of Redis: ${data.toString('latin1', at, eol)}`);
  }
}

function takeArray(data, begin, size) {
  const value = [];
  let end = begin;
  while (value.length < size) {
    const one = take(data, end);
    if (!one) return null;
    value.push(one.value);
    end = one.end;
  }
  return { value, end };
}

/*
 * Sends these commands (arrays of words) to the server and resolves to their replies: numbers,
 * text, null, arrays, and an Error for a refusal. `auth`: the words after AUTH. Rejects if the
 * connection ends before, or is silent for `timeout` ms.
 */
export function ask({ port, host = '127.0.0.1', auth, timeout = 10000 }, ...commands) {
  const all = auth ? [['AUTH', ...auth], ...commands] : commands;
  const replies = [];
  let [data, at] = [Buffer.alloc(0), 0];
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, host);
    const fail = (error) => {
      reject(error);
      socket.destroy();
    };
    socket.setTimeout(timeout, () => fail(new Error(`${port}: no reply within ${timeout} ms`)));
    socket.on('connect', () => socket.write(Buffer.concat(all.map(encode))));
    socket.on('error', fail);
    socket.on('close', () => reject(new Error(`${port}: closed before ${all[replies.length]}`)));
    socket.on('data', (more) => {
      data = Buffer.concat([data.subarray(at), more]);
      at = 0;
      try {
        for (let one; replies.length < all.length && (one = take(data, at)); at = one.end) {
          replies.push(one.value);
        }
      } catch (error) {
        fail(error);
      }
      if (replies.length < all.length) return;
      socket.end();
      if (auth && replies[0] instanceof Error) fail(replies[0]);
      else resolve(replies.slice(auth ? 1 : 0));
    });
  });
}

// A reply as redis-cli prints it for a program, less the last line's end.
export function printed(reply) {
  if (reply === null) return '';
  if (reply instanceof Error) return `${reply.message}\n`;
  return Array.isArray(reply) ? reply.map(printed).join('\n') : String(reply);
}
