-- An overview of the cluster, as far as it is in this partition. ARGV: most rooms, most users, '1'
-- to ask for INFO.
-- Returns {0, time,
--   {{incarnation, lease, users, {field, value...} the node's own figures}...},
--   {{room, online, total}...}, the largest first,
--   how many users are online, {{id, last heartbeat, username}...}, the latest first,
--   INFO's text}.
local nodes, rooms, latest, info = {}, {}, {}, {}
local leases = call('ZRANGE', P .. 'nodes', 0, -1, 'WITHSCORES')
local index = P .. 'rooms'
local listed = call('ZREVRANGE', index, 0, 2 * ARGV[3] - 1, 'WITHSCORES')
local online = call('ZREVRANGE', P .. 'online', 0, ARGV[4] - 1, 'WITHSCORES')
for i = 1, #leases, 2 do want(base_of('node:' .. leases[i]), { ':users', ':stats' }) end
for i = 1, #listed, 2 do want(base_of('room:' .. listed[i]), { ':here', ':members' }) end
for i = 1, #online, 2 do want(base_of('user:' .. online[i]), { ':profile' }) end
if wants() then return wanted end
for i = 1, #leases, 2 do
  local base = base_of('node:' .. leases[i])
  local users, stats = call('SCARD', base .. ':users'), call('HGETALL', base .. ':stats')
  nodes[#nodes + 1] = { leases[i], leases[i + 1], users, stats }
end
-- The index may be out of date, so the largest rooms are counted again and their entries corrected.
for i = 1, #listed, 2 do
  local base = base_of('room:' .. listed[i])
  local online = call('ZCARD', base .. ':here')
  if online == 0 then
    redis.pcall('ZREM', index, listed[i])
  else
    if online ~= tonumber(listed[i + 1]) then redis.pcall('ZADD', index, online, listed[i]) end
    rooms[#rooms + 1] = { listed[i], online, call('ZCARD', base .. ':members') }
  end
end
table.sort(rooms, function(a, b)
  if a[2] ~= b[2] then return a[2] > b[2] end
  return a[1] < b[1]
end)
for i = #rooms, ARGV[3] + 1, -1 do rooms[i] = nil end
for i = 1, #online, 2 do
  local name = call('HGET', base_of('user:' .. online[i]) .. ':profile', 'username')
  latest[#latest + 1] = { online[i], online[i + 1], name or '' }
end
local sections = { 'server', 'clients', 'memory', 'persistence', 'stats', 'replication' }
for _, section in ipairs(ARGV[5] == '1' and sections or {}) do
  local text = redis.pcall('INFO', section) -- an operator may have forbidden it
  if type(text) == 'string' then info[#info + 1] = text end
end
return { 0, now(), nodes, rooms, call('ZCARD', P .. 'online'), latest, table.concat(info, '\r\n') }
