-- A node's lease and beacon. KEYS: the node. ARGV: incarnation, 'new', 'renew' or 'bye', beacon, the
-- incarnation that a new one follows or '', and what the node says of itself: for how long (ms), then
-- field, value... From a new one's first lease on, the writes of the former are refused; its users are
-- reaped when it is given back ('bye'), or when its lease has stood still.
-- Returns {0, time, incarnation, lease...} of all nodes, or {REAPED}, or the error STALE (append.lua);
-- to 'bye' {0, time, how many nodes are left}.
-- The ZREM makes the script one that has written: so a full Redis lets the ZADD pass.
local nodes, me, mode = P .. 'nodes', ARGV[3], ARGV[4]
local time, text, steps = look_at_clock()
if stale(time, text) then return STALE end
if mode == 'renew' and not alive(me) then return { REAPED } end
call('ZREM', nodes, me)
if mode == 'bye' then
  call('DEL', KEYS[1] .. ':stats')
  -- With users left, a lease of 0 asks the others to reap at once.
  if call('EXISTS', KEYS[1] .. ':users') == 1 then call('ZADD', nodes, 0, me) end
  return { 0, time, call('ZCOUNT', nodes, '(1', '+inf') }
end
if mode == 'new' and ARGV[6] ~= '' and alive(ARGV[6]) then call('ZADD', nodes, 1, ARGV[6]) end
call('ZADD', nodes, millis(time), me)
call('PEXPIRE', KEYS[1] .. ':users', USER_TTL)
set_clock(text ~= '' and string.sub(text, 1, 16) or time, time, steps, TERM)
call('PEXPIRE', CLOCK, YEAR)
call('PEXPIRE', TERM_KEY, YEAR)
-- Ids of messages that are too old to be repeated (log.lua).
local over = call('ZRANGEBYSCORE', P .. 'ids', '-inf', digits(math.floor((time - steps) / 300000000) - 2),
                  'LIMIT', 0, 1000)
if #over > 0 then
  for _, key in ipairs(over) do call('DEL', key) end
  call('ZREM', P .. 'ids', unpack(over))
end
call('PEXPIRE', P .. 'ids', YEAR)
call('PUBLISH', KEYS[1], ARGV[5])
if #ARGV > 7 then -- the lease stands whatever becomes of these
  redis.pcall('HSET', KEYS[1] .. ':stats', unpack(ARGV, 8))
  redis.pcall('PEXPIRE', KEYS[1] .. ':stats', ARGV[7])
end
local out = { 0, time }
for _, item in ipairs(call('ZRANGE', nodes, 0, -1, 'WITHSCORES')) do out[#out + 1] = item end
if mode == 'new' then -- the others need not wait for their next answer to know it
  for i = 3, #out, 2 do
    if out[i] ~= me then redis.pcall('PUBLISH', base_of('node:' .. out[i]), me) end
  end
end
return out
