-- The users that are online in a room. KEYS: room. Returns {0, online, total, id...} (at most 100).
local base = KEYS[1]
local out = { 0, call('ZCARD', base .. ':here'), call('ZCARD', base .. ':members') }
for _, id in ipairs(call('ZRANGE', base .. ':here', 0, 99)) do out[#out + 1] = id end
return out
