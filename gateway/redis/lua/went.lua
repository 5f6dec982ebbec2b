-- A connection ended while this partition was away. If its entry is still there, it goes with the
-- former incarnation when that is reaped. If it is lost, nobody else announces that the user went.
-- KEYS: the user. ARGV: user, that incarnation, when the connection came (ms), or not long before.
-- Returns {0, 1 if rooms of users wait to be turned, with partitions what is to be placed
-- (placing.lua)}.
local base, user = KEYS[1], ARGV[3]
local lease = tonumber(call('ZSCORE', P .. 'nodes', ARGV[4]) or 0)
-- An incarnation that is being reaped, or was, has been announced.
if lease == 0 or call('EXISTS', base .. ':conns') == 1 then return { 0, 0 } end
-- What Redis has lost is the end of what was written. If it has something of the user's that is
-- not older than the connection, it has all that came before, and so has its entry been taken out:
-- who did that has announced it. (So has this script, for another connection of the user.)
if tonumber(call('HGET', base .. ':profile', 'seen') or 0) >= tonumber(ARGV[5]) then return { 0, 0 } end
want_rooms(base)
if wants() then return wanted end
local left, todo = gone(user, base, millis(now()))
return { 0, left and 1 or 0, todo }
