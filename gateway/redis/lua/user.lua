-- A user in the registry. KEYS: the user.
-- Returns {0, time, {connection, its description...}, {room...}, username, role, last seen}, or {1}
-- for a user that is not known, or not known any more.
local base = KEYS[1]
local conns, rooms = call('HGETALL', base .. ':conns'), call('SMEMBERS', base .. ':rooms')
local profile = call('HMGET', base .. ':profile', 'username', 'role', 'seen')
if #conns == 0 and not profile[1] then return { 1 } end
return { 0, now(), conns, rooms, profile[1] or '', profile[2] or '', profile[3] or '0' }
