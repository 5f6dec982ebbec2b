-- A raw connection of a user comes, or is written again under a new incarnation. KEYS: the user.
-- ARGV: connection, incarnation, address, channel, when its token was issued (as revoked() wants
-- it), most connections that the user may have with this one ('0': any number).
-- Returns {0}, {REAPED}, {REVOKED} or {TOO_MANY}.
local base, incarnation, most = KEYS[1], ARGV[4], tonumber(ARGV[8])
if not alive(incarnation) then return { REAPED } end
if revoked(base, ARGV[7]) then return { REVOKED } end
if most > 0 and too_many_connections(base, most) then return { TOO_MANY } end
local value = incarnation .. ' ' .. millis(now()) .. ' ' .. ARGV[5] .. ' ' .. ARGV[6]
call('HSET', base .. ':raw', ARGV[3], value)
call('PEXPIRE', base .. ':raw', USER_TTL)
return { 0 }
