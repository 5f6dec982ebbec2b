-- A user as they stand in the registry. KEYS: the user.
-- Returns {0, time, {connection, what it is...}, {room...}, username, role, last seen}, or {1} for
-- somebody who was never here or long ago.
local base = KEYS[1]
local conns, rooms = call('HGETALL', base .. ':conns'), call('SMEMBERS', base .. ':rooms')
local profile = call('HMGET', base .. ':profile', 'username', 'role', 'seen')
if #conns == 0 and not profile[1] then return { 1 } end
return { 0, now(), conns, rooms, profile[1] or '', profile[2] or '', profile[3] or '0' }
