-- A user's membership ends. KEYS: room, user. ARGV: user, room's name, incarnation, '1' if the
-- connection that says so is in the room, or ''.
-- Returns {0, 1 if the user was a member} or {REAPED}.
local base, user, room = KEYS[1], ARGV[3], ARGV[4]
if not alive(ARGV[5]) then return { REAPED } end
local removed = call('ZREM', base .. ':members', user)
call('ZREM', base .. ':here', user)
call('HDEL', base .. ':read', user)
call('SREM', KEYS[2] .. ':rooms', room)
-- For nodes that are cut off: they must not make the membership anew. Kept for a day, of as many rooms
-- as one may have been in. (Who is in the room is no member when Redis has lost that.)
if removed == 1 or ARGV[6] ~= '' then
  local left, day, ms = KEYS[2] .. ':left', 86400000, tonumber(millis(now()))
  call('ZREMRANGEBYSCORE', left, '-inf', digits(ms - day))
  call('ZADD', left, digits(ms), room)
  call('ZREMRANGEBYRANK', left, 0, -1 - MAX_ROOMS)
  call('PEXPIRE', left, digits(day))
end
if removed == 1 then
  -- The nodes learn from userLeft, also of a big room, that the user's other connections go.
  bell(base, 'userLeft', '{"room":' .. quote(room) .. ',"userId":' .. quote(user) .. '}')
end
return { 0, removed }
