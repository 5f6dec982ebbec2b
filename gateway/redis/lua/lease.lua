-- A node's lease and beacon. KEYS: the node. ARGV: incarnation, 'new', 'renew' or 'bye', beacon, and
-- what the node says of itself: for how long (ms), then field, value...
-- Returns {0, time, incarnation, lease...} of all nodes, or {REAPED}; to 'bye' {0, time, how many
-- nodes are left}.
-- The ZREM makes the script one that has written: so a full Redis lets the ZADD pass.
local nodes, me, mode = P .. 'nodes', ARGV[3], ARGV[4]
if mode == 'renew' and not alive(me) then return { REAPED } end
local time = now()
call('ZREM', nodes, me)
if mode == 'bye' then
  call('DEL', KEYS[1] .. ':stats')
  -- With users left, a lease of 0 asks the others to reap at once.
  if call('EXISTS', KEYS[1] .. ':users') == 1 then call('ZADD', nodes, 0, me) end
  return { 0, time, call('ZCOUNT', nodes, 1, '+inf') }
end
call('ZADD', nodes, millis(time), me)
call('PEXPIRE', KEYS[1] .. ':users', USER_TTL)
call('PEXPIRE', P .. 'clock', USER_TTL)
call('PUBLISH', KEYS[1], ARGV[5])
if #ARGV > 6 then -- the lease stands whatever becomes of these
  redis.pcall('HSET', KEYS[1] .. ':stats', unpack(ARGV, 7))
  redis.pcall('PEXPIRE', KEYS[1] .. ':stats', ARGV[6])
end
local out = { 0, time }
for _, item in ipairs(call('ZRANGE', nodes, 0, -1, 'WITHSCORES')) do out[#out + 1] = item end
if mode == 'new' then -- the others need not wait for their next answer to know it
  for i = 3, #out, 2 do
    if out[i] ~= me then redis.pcall('PUBLISH', base_of('node:' .. out[i]), me) end
  end
end
return out
