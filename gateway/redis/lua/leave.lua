-- Ends a user's membership. KEYS: room, user. ARGV: user, room's name, incarnation, '1' if the
-- connection that leaves is in the room's channel, or ''.
-- Returns {0, 1 if the user was a member} or {REAPED}.
local base, user, room = KEYS[1], ARGV[3], ARGV[4]
if not alive(ARGV[5]) then return { REAPED } end
local removed = call('ZREM', base .. ':members', user)
call('ZREM', base .. ':here', user)
call('HDEL', base .. ':read', user)
call('SREM', KEYS[2] .. ':rooms', room)
-- Notes that the user left, for nodes that are cut off: they must not make the membership again.
-- The note is kept for a day, for as many rooms as a user may be in. (A connection may be in the
-- room without a membership if Redis has lost that.)
if removed == 1 or ARGV[6] ~= '' then
  local left, day, ms = KEYS[2] .. ':left', 86400000, tonumber(millis(now()))
  call('ZREMRANGEBYSCORE', left, '-inf', digits(ms - day))
  call('ZADD', left, digits(ms), room)
  call('ZREMRANGEBYRANK', left, 0, -1 - MAX_ROOMS)
  call('PEXPIRE', left, digits(day))
end
if removed == 1 then
  -- By userLeft the nodes know that the user's other connections leave, too, even of a big room.
  bell(base, 'userLeft', '{"room":' .. quote(room) .. ',"userId":' .. quote(user) .. '}')
end
return { 0, removed }
