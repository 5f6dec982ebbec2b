-- A connection is over, and its node is going. The connection stays in presence for the linger
-- time; then any node takes it out (due.lua). KEYS: the user. ARGV: user, connection, incarnation,
-- for how long (ms).
-- Returns {0} or {REAPED}.
local base, user, incarnation = KEYS[1], ARGV[3], ARGV[5]
if not alive(incarnation) then return { REAPED } end
local conns = call('HGETALL', base .. ':conns')
local here, mine = false, incarnation .. ' '
for i = 1, #conns, 2 do
  if string.sub(conns[i + 1], 1, #mine) == mine then
    if conns[i] == ARGV[4] then linger(incarnation, conns[i], user, millis(now()) + ARGV[6]) end
    here = here or not lingers(incarnation, conns[i], user)
  end
end
if not here then call('SREM', base_of('node:' .. incarnation) .. ':users', user) end
return { 0 }
