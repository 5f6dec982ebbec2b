-- A connection is over, and its node is going. The connection stays in presence for the linger
-- time; then any node takes it out (due.lua). KEYS: the user, the node. ARGV: user, connection, incarnation,
-- for how long (ms).
-- Returns {0} or {REAPED}.
local base, user, incarnation = KEYS[1], ARGV[3], ARGV[5]
if not alive(incarnation) then return { REAPED } end
local mine = incarnation .. ' '
local entry = call('HGET', base .. ':conns', ARGV[4])
if entry and string.sub(entry, 1, #mine) == mine then
  linger(incarnation, ARGV[4], user, millis(now()) + ARGV[6])
end
-- A user with very many connections stays on the node's list, for whoever reaps the node.
if call('HLEN', base .. ':conns') > 100 then return { 0 } end
local conns = call('HGETALL', base .. ':conns')
for i = 1, #conns, 2 do
  local its = string.sub(conns[i + 1], 1, #mine) == mine
  if its and not lingers(incarnation, conns[i], user) then return { 0 } end
end
call('SREM', KEYS[2] .. ':users', user)
return { 0 }
