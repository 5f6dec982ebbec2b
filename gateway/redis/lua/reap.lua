-- Takes a dead node's connections out of presence, some at a time. KEYS: the dead node. It finds
-- users, and then the rooms of those that go.
-- ARGV: its incarnation, the lease that stood still (0: the node gave it back), most users, for how
-- long (ms) a connection lingers, which counts from that lease, and for how long a node that has left
-- leaves its clients to come back, before disconnect-hook is told of them.
-- Returns {0, users left, users taken out, 1 if rooms of users wait to be turned}, or {1} if the
-- node has renewed its lease after all.
local nodes, dead, users = P .. 'nodes', ARGV[3], KEYS[1] .. ':users'
local lease = call('ZSCORE', nodes, dead)
if not lease then return { 0, 0, 0, 0 } end
if tonumber(lease) ~= 0 and tonumber(lease) ~= tonumber(ARGV[4]) then return { 1 } end
call('ZREM', nodes, dead)
call('ZADD', nodes, 0, dead) -- from here on its writes are refused
local ms, mark = millis(now()), dead .. ' '
local due = tonumber(ARGV[4]) > 0 and ARGV[4] + ARGV[6] or 0
local linger_here = call('EXISTS', P .. 'lingering') == 1 or due > tonumber(ms)

local some = given_bases(':conns')
if #some == 0 then
  for _, user in ipairs(call('SRANDMEMBER', users, ARGV[5])) do want(base_of('user:' .. user), USER_KEYS) end
elseif #given_bases(':here') == 0 and due <= tonumber(ms) then
  for _, base in ipairs(some) do
    local goes = true
    for _, value in ipairs(call('HVALS', base .. ':conns')) do goes = goes and string.sub(value, 1, #mark) == mark end
    if goes then want_rooms(base) end
  end
end
if wants() then return wanted end

-- Takes out the node's connections of a user. Returns how many others there are; nil: not all of
-- the node's were looked at.
local function take_out(user, base)
  local conns, left = call('HGETALL', base .. ':conns'), 0
  for i = 1, #conns, 2 do
    if string.sub(conns[i + 1], 1, #mark) ~= mark then
      left = left + 1
    elseif linger_here and lingers(dead, conns[i], user) then
      left = left + 1
    elseif is_long() then
      return nil
    else
      count(2)
      if due > tonumber(ms) then
        linger(dead, conns[i], user, due)
        left = left + 1
      else
        call('HDEL', base .. ':conns', conns[i])
        --? connections tap_closed(user, conns[i], dead, 'node_gone')
      end
    end
  end
  return #conns > 0 and left or -1
end

local taken = 0
for _, base in ipairs(some) do
  local user = string.sub(name_of(base), 6)
  if call('SISMEMBER', users, user) == 1 then -- else another node has taken it
    local left = take_out(user, base)
    if not left then break end
    call('SREM', users, user)
    count(3)
    taken = taken + 1
    if left == 0 then gone(user, base, ms, true) end
    if is_long() then break end
  end
end
local rest = call('SCARD', users)
--? topics for _, channel in ipairs(call('SPOP', KEYS[1] .. ':topics', 200)) do topic_counts(channel, '-1') end
--? topics rest = rest + call('SCARD', KEYS[1] .. ':topics')
-- What disconnect-hook is to be told of its connections (bye.lua), unless they came back elsewhere.
local noted = KEYS[1] .. ':noted'
if rest == 0 and call('EXISTS', noted) == 1 then
  local when = ms + (tonumber(ARGV[4]) > 0 and 0 or ARGV[7])
  for _, socket in ipairs(call('SPOP', noted, 50)) do
    local entry = call('HGET', P .. 'noted', socket)
    if entry and string.sub(entry, 1, #mark) == mark then
      local text = string.gsub(string.sub(entry, #mark + 1), ' ', ' ' .. ms .. ' ', 1)
      call('HDEL', P .. 'noted', socket)
      call('HSET', P .. 'bye', socket, text .. ',"reason":"node lost"')
      call('ZADD', P .. 'byes', digits(when), socket)
      call('PEXPIRE', P .. 'bye', USER_TTL)
      call('PEXPIRE', P .. 'byes', USER_TTL)
    end
  end
  rest = call('SCARD', noted)
end
if rest == 0 then
  call('ZREM', nodes, dead)
  call('DEL', KEYS[1] .. ':stats')
end
return { 0, rest, taken, waits() }
