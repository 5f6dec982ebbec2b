// The keys of one Redis, and what they are called on a Redis Cluster: sluice:{room:lobby}:log there
// is sluice:{T}room:lobby:log, and sluice:online is one key in each partition, sluice:{T}online.

import { allTags, tagOfName } from './partitions.mjs';

const NAMED = /^([^{}]*)\{([^{}]+)\}(.*)$/s;
// Keys that each partition has. Of some, a member tells the partition in which it must lie. A node
// has an incarnation in each; that in the first one is what it tells of itself.
const SHARED = [
  ...['clock', 'heard', 'ids', 'lingering', 'nodes', 'online', 'outbox', 'pending', 'presence'],
  ...['revoked', 'rooms', 'term', 'told', 'turning', 'events:[\\w.:-]+'],
  ...['tap', 'tap:meta', 'tap:hooks', 'tap:dead', 'noted', 'bye', 'byes'],
  ...['api', 'api:lease', 'api:refused', 'topics'],
];
const SHARED_KEY = new RegExp(`^([\\w-]+:)(${SHARED.join('|')})$`);
const OWNERS = {
  online: (member) => `user:${member}`,
  turning: (member) => `user:${member}`,
  lingering: (member) => `user:${member.split(' ').at(-1)}`,
  rooms: (member) => `room:${member}`,
};
// What can follow a name in a key.
const PARTS = [
  ...['conns', 'counted', 'here', 'ids:\\d+', 'left', 'log', 'members', 'meta', 'pending', 'profile'],
  ...['raw', 'read', 'revoked', 'rooms', 'stamp', 'stats', 'turning', 'unread', 'users', 'noted', 'topics'],
].join('|');
const TAGGED = /([\w-]*:)\{(\d+)\}((?:stamp:[^\s"\\]+ )?[^\s"\\]+)/g;
// What a room was told of a user lies with the room.
const tagFor = (name) => tagOfName(name.replace(/^stamp:(\S+) .*$/, 'room:$1'));

// What one key of one Redis is on a Cluster: all keys of it. `member`: the one that a command is
// about, if it has one.
export function onCluster(key, member) {
  const [, prefix, name, rest] = key.match(NAMED) ?? [];
  if (name?.startsWith('node:')) return allTags().map((tag) => `${prefix}{${tag}}${name}${rest}`);
  if (name) return [`${prefix}{${tagFor(name)}}${name}${rest}`];
  const [, before, word] = key.match(SHARED_KEY) ?? [];
  if (!word) return [key];
  if (word === 'nodes') return [`${before}{${allTags()[0]}}${word}`];
  const owner = member !== undefined && OWNERS[word];
  const tags = owner ? [tagOfName(owner(member))] : allTags();
  return tags.map((tag) => `${before}{${tag}}${word}`);
}

export const patternOnCluster = (pattern) => {
  const [, prefix, rest] = pattern.match(/^([^{]*)\{(.*)$/s) ?? [];
  if (prefix !== undefined) return `${prefix}{*}${rest.replace('}', '')}`;
  return pattern.replace(SHARED_KEY, '$1{*}$2');
};

// The same keys in a text, as one Redis has them.
export const onOne = (text) =>
  text.replace(TAGGED, (whole, prefix, tag, rest) => {
    if (!allTags().includes(tag)) return whole;
    if (SHARED.includes(rest)) return prefix + rest;
    const [, name, part] = rest.match(`^([^:]+:.+?)((?::(?:${PARTS}))?)$`) ?? [null, rest, ''];
    return `${prefix}{${name}}${part}`;
  });

// The same for channels, which have no parts.
export const channelOnOne = (channel) => {
  const [, prefix, tag, rest] = channel.match(/^([\w-]*:)\{(\d+)\}(.+)$/s) ?? [];
  if (!allTags().includes(tag)) return channel;
  return SHARED.includes(rest) ? prefix + rest : `${prefix}{${rest}}`;
};

/*
 * A script for one Redis, as one for a master of a Cluster: it does to the keys of that master what
 * it says, and takes those of others for keys that do not exist. It is called with all of its KEYS,
 * as one Redis has them, after the ARGV, and with their number at the end.
 */
export const scriptOnCluster = (script) => `
local native, tags, raw = redis, { ${allTags().join(', ')} }, ARGV
local KEYS, ARGV, count = {}, {}, tonumber(raw[#raw])
for i = 1, #raw - 1 do
  if i < #raw - count then ARGV[i] = raw[i] else KEYS[i - (#raw - count) + 1] = raw[i] end
end
local function crc16(text)
  local crc = 0
  for i = 1, #text do
    crc = bit.bxor(crc, bit.lshift(string.byte(text, i), 8))
    for _ = 1, 8 do
      local over = bit.band(crc, 0x8000) ~= 0
      crc = bit.band(bit.lshift(crc, 1), 0xffff)
      if over then crc = bit.bxor(crc, 0x1021) end
    end
  end
  return crc
end
local function key_of(key)
  local prefix, name, rest = string.match(key, '^([^{}]*){([^{}]+)}(.*)$')
  if not name or (string.match(name, '^%d+$') and string.match(rest, '^[^:]')) then return key end
  return prefix .. '{' .. tags[crc16(name) % #tags + 1] .. '}' .. name .. rest
end
local function call(verb, first, ...)
  verb = string.upper(verb)
  if first == nil then return native.call(verb) end
  if verb == 'KEYS' then
    return native.call(verb, (string.gsub(string.gsub(first, '}', ''), '{', '{*}', 1)))
  end
  local key = key_of(first)
  if verb == 'PUBLISH' and key ~= first then verb = 'SPUBLISH' end
  local reply = native.pcall(verb, key, ...)
  if type(reply) ~= 'table' or not reply.err then return reply end
  if string.find(reply.err, 'non local key', 1, true) then return false end
  error(reply.err)
end
local redis = setmetatable({ call = call }, { __index = native })
${script}`;
