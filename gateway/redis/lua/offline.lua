-- A connection leaves the registry. KEYS: the user. ARGV: user, connection, incarnation.
-- Returns {0, 1 if it was the user's last}.
local base, user, incarnation = KEYS[1], ARGV[3], ARGV[5]
local removed = call('HDEL', base .. ':conns', ARGV[4])
local left, here = call('HVALS', base .. ':conns'), false
for _, value in ipairs(left) do
  if string.sub(value, 1, #incarnation + 1) == incarnation .. ' ' then here = true end
end
if not here then call('SREM', base_of('node:' .. incarnation) .. ':users', user) end
local last = removed == 1 and #left == 0
if last then gone(user, base, millis(now())) end
return { 0, last and 1 or 0 }
