// Commands to a Redis, on a connection that lasts as long as they do. In place of redis-cli where
// many are sent, or where the answers are to be put together.

import net from 'node:net';

const CRLF = '\r\n';

const encode = (words) => {
  const all = words.map((word) => (Buffer.isBuffer(word) ? word : Buffer.from(String(word))));
  const bulk = (word) => [Buffer.from(`$${word.length}${CRLF}`), word, Buffer.from(CRLF)];
  return Buffer.concat([Buffer.from(`*${words.length}${CRLF}`), ...all.flatMap(bulk)]);
};

// Reads replies from what comes, each byte once: a long reply comes in many pieces.
class Replies {
  all = [];
  #data = Buffer.alloc(0);
  #at = 0;
  #open = []; // arrays that are not complete: { size, value }, the innermost last

  take(more) {
    this.#data = Buffer.concat([this.#data.subarray(this.#at), more]);
    this.#at = 0;
    while (this.#takeOne());
  }

  // Takes a reply that is no array, or the head of an array. False: not all of it is there.
  #takeOne() {
    const [data, at] = [this.#data, this.#at];
    const eol = data.indexOf(CRLF, at);
    if (eol < 0) return false;
    const text = data.toString('utf8', at + 1, eol);
    const [size, begin] = [Number(text), eol + 2];
    this.#at = begin;
    switch (String.fromCharCode(data[at])) {
      case '+':
        return this.#add(text);
      case '-':
        return this.#add(new Error(text));
      case ':':
        return this.#add(size);
      case '$':
        if (size < 0) return this.#add(null);
        if (data.length < begin + size + 2) {
          this.#at = at;
          return false;
        }
        this.#at = begin + size + 2;
        return this.#add(data.toString('utf8', begin, begin + size));
      case '*':
        if (size < 0) return this.#add(null);
        this.#open.push({ size, value: [] });
        return this.#close();
      default:
        throw new Error(`no reply of Redis: ${data.toString('latin1', at, eol)}`);
    }
  }

  #add(value) {
    (this.#open.at(-1)?.value ?? this.all).push(value);
    return this.#close();
  }

  // Puts arrays that are complete to where they belong.
  #close() {
    const last = this.#open.at(-1);
    if (!last || last.value.length < last.size) return true;
    this.#open.pop();
    return this.#add(last.value);
  }
}

/*
 * Sends these commands (arrays of words) to the server and resolves to their replies: numbers,
 * text, null, arrays, and an Error for a refusal. `auth`: the words after AUTH. Rejects if the
 * connection ends before, or is silent for `timeout` ms.
 */
export function ask({ port, host = '127.0.0.1', auth, timeout = 10000 }, ...commands) {
  const all = auth ? [['AUTH', ...auth], ...commands] : commands;
  const replies = new Replies();
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, host);
    const fail = (error) => {
      reject(error);
      socket.destroy();
    };
    socket.setTimeout(timeout, () => fail(new Error(`${port}: no reply within ${timeout} ms`)));
    socket.on('connect', () => socket.write(Buffer.concat(all.map(encode))));
    socket.on('error', fail);
    socket.on('close', () => reject(new Error(`${port}: closed before ${all[replies.all.length]}`)));
    socket.on('data', (more) => {
      try {
        replies.take(more);
      } catch (error) {
        fail(error);
      }
      if (replies.all.length < all.length) return;
      socket.end();
      const [first, ...others] = replies.all;
      if (auth && first instanceof Error) fail(first);
      else resolve(auth ? others : replies.all);
    });
  });
}

// A reply as redis-cli prints it for a program, less the last line's end.
export function printed(reply) {
  if (reply === null) return '';
  if (reply instanceof Error) return `${reply.message}\n`;
  return Array.isArray(reply) ? reply.map(printed).join('\n') : String(reply);
}
