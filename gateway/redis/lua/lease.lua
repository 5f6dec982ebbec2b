-- Renews a node's lease and rings its beacon. KEYS: the node. ARGV: incarnation; 'new', 'renew' or
-- 'bye'; beacon; the incarnation that a new one follows, or ''; then the node's own figures: for
-- how long (ms) they live, and field, value...
-- With partitions the beacon has a time after it: all that was appended so far is not later, and rang
-- before it; all that is appended from now on is later.
-- From the first lease of a new incarnation on, the writes of the former one are refused. Its users
-- are reaped when its lease is given back ('bye') or has stood still.
-- Returns {0, time, incarnation, lease...} of all nodes, or {REAPED}, or the error STALE
-- (append.lua). To 'bye' it returns {0, time, how many nodes are left}.
-- A Redis that is full refuses the ZADD unless the script has written before; so the ZREM comes
-- first.
local nodes, me, mode = P .. 'nodes', ARGV[3], ARGV[4]
local time, text, steps = look_at_clock()
if stale(time, text) then return STALE end
if mode == 'renew' and not alive(me) then return { REAPED } end
call('ZREM', nodes, me)
if mode == 'bye' then
  call('DEL', KEYS[1] .. ':stats')
  -- If users are left, a lease of 0 asks the other nodes to reap at once.
  if call('EXISTS', KEYS[1] .. ':users') == 1 then call('ZADD', nodes, 0, me) end
  --? topics if call('EXISTS', KEYS[1] .. ':topics') == 1 then call('ZADD', nodes, 0, me) end
  return { 0, time, call('ZCOUNT', nodes, '(1', '+inf') }
end
if mode == 'new' and ARGV[6] ~= '' and alive(ARGV[6]) then call('ZADD', nodes, 1, ARGV[6]) end
call('ZADD', nodes, millis(time), me)
call('PEXPIRE', KEYS[1] .. ':users', USER_TTL)
--? topics call('PEXPIRE', KEYS[1] .. ':topics', USER_TTL)
--? topics call('PEXPIRE', P .. 'topics', USER_TTL)
local last = text ~= '' and string.sub(text, 1, 16) or time
if APART and last < time then last = time end -- what is appended from now on is later
set_clock(last, time, steps, TERM)
call('PEXPIRE', CLOCK, YEAR)
call('PEXPIRE', TERM_KEY, YEAR)
call('PEXPIRE', P .. 'ids', YEAR)
call(PUBLISH, KEYS[1], APART and ARGV[5] .. ' ' .. last or ARGV[5])
if #ARGV > 7 then -- the lease is good even if these writes fail
  redis.pcall('HSET', KEYS[1] .. ':stats', unpack(ARGV, 8))
  redis.pcall('PEXPIRE', KEYS[1] .. ':stats', ARGV[7])
end
local out = { 0, time }
for _, item in ipairs(call('ZRANGE', nodes, 0, -1, 'WITHSCORES')) do out[#out + 1] = item end
if mode == 'new' then -- so the other nodes know it before their next answer
  for i = 3, #out, 2 do
    if out[i] ~= me then redis.pcall(PUBLISH, base_of('node:' .. out[i]), me) end
  end
end
return out
