// The tests' own library: a Cluster that looks like one Redis answers as one Redis does.
import assert from 'node:assert/strict';
import { startAsOne } from '../lib/as-one.mjs';
import { test } from '../lib/harness.mjs';
import { range } from '../lib/frames.mjs';
import { startRedis } from '../lib/redis.mjs';

const BY_HAND = `for i = 1, 20 do
  redis.call('SET', 'sluice:{room:r' .. i .. '}:meta', i)
  redis.call('ZADD', 'sluice:{room:here}:here', i, 'm' .. i)
end`;
const COUNT = `local n = 0
for i = 1, 40 do if redis.call('GET', 'sluice:{room:r' .. i .. '}:meta') then n = n + 1 end end
return n`;
const NAMES = `local out = {}
for i, key in ipairs(redis.call('KEYS', '*r1*')) do out[i] = cjson.encode({ key, redis.call('TTL', key) }) end
return out`;

const COMMANDS = [
  ['SET', 'sluice:{room:a}:meta', 'x'],
  ...range(1, 30).map((i) => ['ZADD', 'sluice:online', 100 - i, `user-${i}`]),
  ['ZADD', 'sluice:nodes', 7, 'n1.x'],
  ['SET', 'sluice:clock', '0000123'],
  ['EXISTS', 'sluice:{room:a}:meta', 'sluice:{room:b}:meta', 'sluice:online', 'sluice:rooms'],
  ['ZSCORE', 'sluice:online', 'user-7'],
  ['ZSCORE', 'sluice:online', 'nobody'],
  ['ZRANGE', 'sluice:online', 0, -1, 'WITHSCORES'],
  ['ZRANGE', 'sluice:online', 0, 0],
  ['ZRANGE', 'sluice:nodes', 0, -1, 'WITHSCORES'],
  ['ZCARD', 'sluice:online'],
  ['ZCARD', 'sluice:nodes'],
  ['ZREM', 'sluice:online', 'user-7'],
  ['TYPE', 'sluice:online'],
  ['TYPE', 'sluice:rooms'],
  ['TTL', 'sluice:online'],
  ['TTL', 'sluice:rooms'],
  ['GET', 'sluice:clock'],
  ['SADD', 'sluice:{node:n1.x}:users', 'ann', 'bob'],
  ['SMEMBERS', 'sluice:{node:n1.x}:users'],
  ['HSET', 'sluice:{user:x}:profile', 'a', 1, 'b', 'two words'],
  ['HGETALL', 'sluice:{user:x}:profile'],
  ['HMGET', 'sluice:{user:x}:profile', 'b', 'c', 'a'],
  ['XADD', 'other:{topic:t}:log', '1-0', 'frame', '{"a":"é"}'],
  ['--json', 'XRANGE', 'other:{topic:t}:log', '-', '+'],
  ['EVAL', "return redis.call('HGET', KEYS[1] .. ':profile', ARGV[1])", 1, 'sluice:{user:x}', 'b'],
  ['EVAL', "return { KEYS[1], ARGV[1], #KEYS, #ARGV }", 2, 'sluice:{user:x}', 'sluice:{user:x}:b', 'c'],
  ['EVAL', BY_HAND, 0],
  ['ZCARD', 'sluice:{room:here}:here'],
  ['EVAL', COUNT, 0],
  ['EVAL', NAMES, 0],
  ['KEYS', '*'],
  ['KEYS', 'sluice:{room:*'],
  ['KEYS', '*{room:r1}:*'],
  ['KEYS', 'sluice:{node:*}:users'],
  ['KEYS', 'sluice:online'],
  ['PUBLISH', 'sluice:{room:a}', 'x'],
  ['PUBLISH', 'events', 'x'],
  ['PUBSUB', 'NUMSUB', 'events', 'sluice:{room:a}'],
  ['PUBSUB', 'CHANNELS'],
  ['DEL', 'sluice:online', 'sluice:{room:a}:meta', 'sluice:{room:z}:meta'],
  ['EXISTS', 'sluice:online'],
  ['NONSENSE', 'a'],
  ['GET', 'sluice:{user:x}:profile'],
  ['FLUSHALL'],
  ['KEYS', '*'],
];

test('every command is answered as by one Redis', async (t) => {
  const all = await Promise.all([startAsOne(), startRedis()]);
  t.after(() => Promise.all(all.map((one) => one.stop())));
  // The order of keys and of a set's members is Redis's affair.
  const isList = ([verb, script]) => ['KEYS', 'SMEMBERS'].includes(verb) || script === NAMES;
  const [one, redis] = all;
  // An option has it run the true redis-cli.
  const byCli = (words) => redis.cli(...(words[0] === '--json' ? [] : ['--raw']), ...words);
  for (const command of COMMANDS) {
    const [told, wanted] = await Promise.all([one.cli(...command), byCli(command)]);
    const form = (text) => (isList(command) ? text.split('\n').sort().join('\n') : text);
    assert.equal(form(told), form(wanted), command.join(' '));
  }
});
