-- A connection leaves the registry. KEYS: the user. ARGV: user, connection, incarnation.
-- Only an entry of this incarnation is taken out.
-- Returns {0, 1 if it was the user's last connection} or {REAPED}.
local base, user, incarnation = KEYS[1], ARGV[3], ARGV[5]
if not alive(incarnation) then return { REAPED } end
local entry, removed = call('HGET', base .. ':conns', ARGV[4]), 0
if entry and string.sub(entry, 1, #incarnation + 1) == incarnation .. ' ' then
  removed = call('HDEL', base .. ':conns', ARGV[4])
end
local left, here = call('HVALS', base .. ':conns'), false
for _, value in ipairs(left) do
  if string.sub(value, 1, #incarnation + 1) == incarnation .. ' ' then here = true end
end
if not here then call('SREM', base_of('node:' .. incarnation) .. ':users', user) end
local last = removed == 1 and #left == 0
if last then gone(user, base, millis(now())) end
return { 0, last and 1 or 0 }
