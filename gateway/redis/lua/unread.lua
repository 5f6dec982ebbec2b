-- How many private messages of each of some peers a user has not read. KEYS: the user. ARGV: peer...
-- Returns {0, count...}. A count may be of messages that are gone: kept.lua tells.
local out = { 0 }
if #ARGV < 3 then return out end
for i, count in ipairs(call('HMGET', KEYS[1] .. ':unread', unpack(ARGV, 3))) do out[i + 1] = count or '0' end
return out
