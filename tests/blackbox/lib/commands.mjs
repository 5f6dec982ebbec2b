// Which words of a Redis command are keys, for the commands that tests send.

const ALL = new Set(['DEL', 'UNLINK', 'EXISTS', 'TOUCH', 'MGET']);
const NONE = new Set([
  ...['ACL', 'BGREWRITEAOF', 'BGSAVE', 'CLIENT', 'CLUSTER', 'COMMAND', 'CONFIG', 'DBSIZE', 'DEBUG'],
  ...['ECHO', 'FLUSHALL', 'INFO', 'KEYS', 'LASTSAVE', 'LATENCY', 'PING', 'PUBLISH', 'PUBSUB'],
  ...['ROLE', 'SAVE', 'SCAN', 'SCRIPT', 'SHUTDOWN', 'SLOWLOG', 'TIME', 'WAIT'],
]);

// Their places among the words.
export function keyPlaces(words) {
  const verb = String(words[0]).toUpperCase();
  if (NONE.has(verb)) return [];
  if (ALL.has(verb)) return words.slice(1).map((_, i) => i + 1);
  if (verb === 'EVAL' || verb === 'EVALSHA' || verb === 'FCALL') {
    return Array.from({ length: Number(words[2]) }, (_, i) => i + 3);
  }
  return words.length > 1 ? [1] : [];
}

export const keysOf = (words) => keyPlaces(words).map((place) => String(words[place]));
