-- A connection ended while this partition was away. If its entry is still there, it goes with the
-- former incarnation when that is reaped. If it is lost, nobody else announces that the user went.
-- KEYS: the user, the node by its former incarnation. ARGV: user, that incarnation.
-- Returns {0, 1 if rooms of users wait to be turned, with partitions what is to be placed
-- (placing.lua)}.
local base, user, users = KEYS[1], ARGV[3], KEYS[2] .. ':users'
local lease = tonumber(call('ZSCORE', P .. 'nodes', ARGV[4]) or 0)
-- An incarnation that is being reaped, or was, has been announced.
if lease == 0 or call('EXISTS', base .. ':conns') == 1 then return { 0, 0 } end
want_rooms(base)
if wants() then return wanted end
-- The set gets the user, so that another of the user's connections says nothing. (The ZREM comes
-- first so that a full Redis takes the SADD.)
call('ZREM', P .. 'online', user)
if call('SADD', users, user) == 0 then return { 0, 0 } end
call('PEXPIRE', users, USER_TTL)
local left, todo = gone(user, base, millis(now()))
return { 0, left and 1 or 0, todo }
