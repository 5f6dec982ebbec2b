// A proxy before Redis that behaves as managed services do: it has no CONFIG, tells no run_id and no
// replid, and refuses scripts without keys and scripts that touch a key which is not in KEYS.

import crypto from 'node:crypto';
import { startProxy } from './proxy.mjs';

const CRLF = '\r\n';
const UNDECLARED = 'script tried accessing undeclared key';

// The keys of a command are none of its arguments, the first one, or all; of ZUNIONSTORE the first, and
// as many as the second says. Others are refused.
const NONE = 'PUBLISH SPUBLISH TIME INFO';
const FIRST = `GET SET SETRANGE TYPE PTTL PEXPIRE HSET HSETNX HGET HMGET HGETALL HVALS HLEN HDEL HEXISTS
  HINCRBY HRANDFIELD SADD SREM SCARD SMEMBERS SISMEMBER SPOP SRANDMEMBER ZADD ZREM ZCARD ZCOUNT ZSCORE
  ZRANGE ZREVRANGE ZRANGEBYSCORE ZREMRANGEBYSCORE ZREMRANGEBYRANK ZREVRANK ZSCAN XADD XLEN XRANGE
  XREVRANGE XTRIM XDEL ZUNIONSTORE`;
const ALL = 'DEL UNLINK EXISTS SUNIONSTORE';
const placesOf = (verbs, most) => verbs.split(/\s+/).map((verb) => `${verb}=${most}`);
const PLACES = [...placesOf(NONE, 0), ...placesOf(FIRST, 1), ...placesOf(ALL, 1000000)];

// Stands before each script, in its first line.
const GUARD = `
local redis = (function(real, KEYS)
  local given, call, pcall = {}, real.call, real.pcall
  for i = 1, #KEYS do given[KEYS[i]] = true end
  local places = {${PLACES}}
  local function look(verb, first, ...)
    local most = places[verb]
    if not most then error('the test does not know the keys of ' .. tostring(verb)) end
    if most > 0 and not given[first] then error('${UNDECLARED} ' .. verb .. ' ' .. tostring(first)) end
    local more = most > 1 and select('#', ...) or 0
    for i = verb == 'ZUNIONSTORE' and 2 or 1, verb == 'ZUNIONSTORE' and 1 + (...) or more do
      local key = (select(i, ...))
      if not given[key] then error('${UNDECLARED} ' .. verb .. ' ' .. tostring(key)) end
    end
  end
  local function told(verb, reply)
    if verb ~= 'INFO' or type(reply) ~= 'string' then return reply end
    return (string.gsub(string.gsub(reply, 'run_id:[^\\r]*\\r\\n', ''), 'master_replid2?:[^\\r]*\\r\\n', ''))
  end
  return setmetatable({
    call = function(...) look(...) return told((...), call(...)) end,
    pcall = function(...) look(...) return told((...), pcall(...)) end,
  }, { __index = real })
end)(redis, KEYS)
`.replaceAll(/\s*\n\s*/g, ' ');

const sha1 = (text) => crypto.createHash('sha1').update(text).digest('hex');

// The end of the RESP value that begins at this byte. Negative if not all of it is there: less how
// long the data must be at least.
function endOf(data, at) {
  const eol = data.indexOf(CRLF, at);
  if (eol < 0) return -data.length - 1;
  const kind = String.fromCharCode(data[at]);
  const size = Number(data.toString('latin1', at + 1, eol));
  let end = eol + 2;
  if (kind === '$' && size >= 0) {
    end += size + 2;
    return end <= data.length ? end : -end;
  }
  for (let i = 0; kind === '*' && i < size && end >= 0; i++) end = endOf(data, end);
  return end;
}

// Bytes that come in pieces, as whole RESP values.
class Values {
  #pieces = [];
  #size = 0;
  #least = 1; // so many bytes are needed for the next value

  * take(piece) {
    this.#pieces.push(piece);
    this.#size += piece.length;
    if (this.#size < this.#least) return;
    let data = Buffer.concat(this.#pieces);
    for (let end; data.length && (end = endOf(data, 0)) >= 0; ) {
      const value = data.subarray(0, end);
      data = data.subarray(end);
      this.#keep(data, 1);
      yield value;
    }
    this.#keep(data, data.length ? -endOf(data, 0) : 1);
  }

  // What has come of values that nobody took yet.
  rest() {
    return Buffer.concat(this.#pieces);
  }

  #keep(data, least) {
    this.#pieces = [data];
    this.#size = data.length;
    this.#least = least;
  }
}

// The words of a command.
function wordsOf(data) {
  const words = [];
  for (let at = data.indexOf(CRLF) + 2; at < data.length; ) {
    const eol = data.indexOf(CRLF, at);
    const end = endOf(data, at);
    words.push(data.subarray(eol + 2, end - 2));
    at = end;
  }
  return words;
}

function commandOf(words) {
  const parts = [Buffer.from(`*${words.length}${CRLF}`)];
  for (const word of words.map((one) => Buffer.from(one))) {
    parts.push(Buffer.from(`$${word.length}${CRLF}`), word, Buffer.from(CRLF));
  }
  return Buffer.concat(parts);
}

function withoutIdentity(reply) {
  if (reply[0] !== '$'.charCodeAt(0)) return reply;
  const text = reply.toString('latin1', reply.indexOf(CRLF) + 2, reply.length - 2);
  const kept = text.replaceAll(/^(run_id|master_replid2?):.*\r\n/gm, '');
  return Buffer.from(`$${kept.length}${CRLF}${kept}${CRLF}`, 'latin1');
}

// Reads along on one link.
class Managed {
  #all;
  #asked = new Values();
  #told = new Values();
  #waiting = []; // of each command: how its reply is changed, or the reply itself
  #hears = false; // messages come between the replies

  constructor(all) {
    this.#all = all;
  }

  toRedis(data) {
    const on = [];
    for (const bytes of this.#asked.take(data)) on.push(this.#command(bytes));
    return { on: Buffer.concat(on), back: Buffer.concat(this.#ready()) };
  }

  toNode(data) {
    if (this.#hears) return { on: data };
    const on = [];
    for (const bytes of this.#told.take(data)) {
      if (this.#waiting[0] === 'hears') {
        this.#hears = true;
        on.push(bytes, this.#told.rest());
        break;
      }
      on.push(this.#waiting.shift()(bytes), ...this.#ready());
    }
    return { on: Buffer.concat(on) };
  }

  // Replies of the proxy's own that are next.
  #ready() {
    const out = [];
    while (Buffer.isBuffer(this.#waiting[0])) out.push(this.#waiting.shift());
    return out;
  }

  #refuse(text) {
    this.#all.refused.push(text);
    this.#waiting.push(Buffer.from(`-${text}${CRLF}`));
    return Buffer.alloc(0);
  }

  #command(bytes) {
    const words = wordsOf(bytes);
    const verb = words[0].toString().toUpperCase();
    const [, first, count] = words;
    if (verb === 'CONFIG') return this.#refuse(`ERR unknown command 'CONFIG'`);
    if (verb === 'FCALL' || verb === 'SCRIPT') return this.#refuse(`ERR unknown command '${verb}'`);
    if (verb === 'EVAL' || verb === 'EVALSHA') {
      this.#all.scripts++;
      if (Number(count) === 0) return this.#refuse(`ERR ${verb} without keys: ${first}`);
      return this.#script(verb, words);
    }
    if (/^[PS]?SUBSCRIBE$/.test(verb)) this.#waiting.push('hears');
    else this.#waiting.push(verb === 'INFO' ? withoutIdentity : (reply) => reply);
    return bytes;
  }

  #script(verb, [, script, ...rest]) {
    const { guarded } = this.#all;
    if (verb === 'EVAL') {
      const text = Buffer.concat([Buffer.from(GUARD), script]);
      guarded.set(sha1(script), sha1(text));
      this.#waiting.push((reply) => this.#judged(reply));
      return commandOf([verb, text, ...rest]);
    }
    const known = guarded.get(script.toString());
    if (!known) {
      this.#waiting.push(Buffer.from(`-NOSCRIPT No matching script.${CRLF}`));
      return Buffer.alloc(0);
    }
    this.#waiting.push((reply) => this.#judged(reply));
    return commandOf([verb, known, ...rest]);
  }

  #judged(reply) {
    const text = reply[0] === '-'.charCodeAt(0) ? reply.toString() : '';
    if (!text.includes(UNDECLARED)) return reply;
    this.#all.refused.push(text.slice(1).trim());
    return Buffer.from(`-ERR ${UNDECLARED}${CRLF}`);
  }
}

/*
 * A proxy of proxy.mjs that is such a service. Has, besides: refused, what it refused so far, and
 * scripts, how many it has run. redis: as startProxy wants it.
 */
export async function startManaged(redis) {
  const all = { refused: [], scripts: 0, guarded: new Map() };
  const proxy = await startProxy(redis, () => new Managed(all));
  return Object.defineProperties(proxy, {
    refused: { get: () => all.refused },
    scripts: { get: () => all.scripts },
  });
}
