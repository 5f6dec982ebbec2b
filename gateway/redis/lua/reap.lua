-- Takes a dead node's connections out of presence, some at a time. KEYS: the dead node.
-- ARGV: its incarnation, the lease that stood still (0: the node gave it back), most users, for how
-- long (ms) a connection lingers, which counts from that lease.
-- Returns {0, users left, users taken out}, or {1} if the node has renewed its lease after all.
local nodes, dead, users = P .. 'nodes', ARGV[3], KEYS[1] .. ':users'
local lease = call('ZSCORE', nodes, dead)
if not lease then return { 0, 0, 0 } end
if tonumber(lease) ~= 0 and tonumber(lease) ~= tonumber(ARGV[4]) then return { 1 } end
call('ZREM', nodes, dead)
call('ZADD', nodes, 0, dead) -- from here on its writes are refused
local ms, mark = millis(now()), dead .. ' '
local due = tonumber(ARGV[4]) > 0 and ARGV[4] + ARGV[6] or 0
local bite = call('SRANDMEMBER', users, ARGV[5])
for _, user in ipairs(bite) do
  local base = base_of('user:' .. user)
  local conns, left = call('HGETALL', base .. ':conns'), 0
  for i = 1, #conns, 2 do
    local its = string.sub(conns[i + 1], 1, #mark) == mark
    if its and not lingers(dead, conns[i], user) then
      its = due <= tonumber(ms)
      if not its then linger(dead, conns[i], user, due) end
    else
      its = false
    end
    if its then
      call('HDEL', base .. ':conns', conns[i])
    else
      left = left + 1
    end
  end
  call('SREM', users, user)
  if #conns > 0 and left == 0 then gone(user, base, ms) end
end
local rest = call('SCARD', users)
if rest == 0 then
  call('ZREM', nodes, dead)
  call('DEL', KEYS[1] .. ':stats')
end
return { 0, rest, #bite }
