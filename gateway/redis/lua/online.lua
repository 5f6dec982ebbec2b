-- A connection enters the registry. KEYS: the user, the node, with one Redis rooms that the login
-- is about to enter; the script finds further ones.
-- ARGV: user, connection, incarnation, address, door, username, role; when the token was issued (see
-- revoked); most connections that the user may have with this one ('0': any number); the room that
-- this login enters, or '' (the user becomes a member of it before the announcement, so that those
-- in the room get that); all rooms that this login is about to enter (if they are too many, nothing
-- is written).
-- Returns {0, 1 if it is the user's first connection, 1 if rooms of users wait to be turned, with
-- partitions what is to be placed (placing.lua)}, {REAPED}, {REVOKED}, {TOO_MANY}, of connections, or {TOO_MANY, 1}, of rooms.
local base, user, incarnation, most = KEYS[1], ARGV[3], ARGV[5], tonumber(ARGV[11])
if not alive(incarnation) then return { REAPED } end
if revoked(base, ARGV[10]) then return { REVOKED } end
if most > 0 and call('HEXISTS', base .. ':conns', ARGV[4]) == 0 and too_many_connections(base, most) then
  return { TOO_MANY }
end
if too_many_rooms(base, { unpack(ARGV, 13) }) then return { TOO_MANY, 1 } end
local ms = millis(now())
local first = call('EXISTS', base .. ':conns') == 0
if first then want_rooms(base) end
if wants() then return wanted end
local new = call('HSET', base .. ':conns', ARGV[4], incarnation .. ' ' .. ms .. ' ' .. ARGV[6] .. ' ' .. ARGV[7])
call('ZADD', P .. 'online', ms, user)
call('SADD', KEYS[2] .. ':users', user)
call('PEXPIRE', KEYS[2] .. ':users', USER_TTL)
call('HSET', base .. ':profile', 'username', ARGV[8], 'role', ARGV[9], 'seen', ms)
local left, todo = false, nil
if first then
  local room, joined = ARGV[12], nil
  if room ~= '' then
    joined = call('SADD', base .. ':rooms', room)
    if not APART then call('ZADD', base_of('room:' .. room) .. ':members', ms, user) end
  end
  left, todo = came(user, base, ms, room)
  --? rooms if joined == 1 then tap('room_joined', user, 'room:' .. room, '{}') end
end
--? connections if new == 1 then tap_opened(user, ARGV[4], incarnation, ARGV[7], ARGV[6]) end
touch_user(base)
return { 0, first and 1 or 0, left and 1 or 0, todo }
