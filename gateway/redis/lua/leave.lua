-- Ends a user's membership. KEYS: user, room; with partitions the user alone. ARGV: user, room's
-- name, incarnation, '1' if the connection that leaves is in the room's channel, '2' if the membership
-- ends for good, so that nobody who resumes makes it again, or ''.
-- Returns {0, 1 if the user was a member, with partitions what is to be placed (placing.lua)} or
-- {REAPED}.
local mine, base, user, room = KEYS[1], KEYS[2], ARGV[3], ARGV[4]
if not alive(ARGV[5]) then return { REAPED } end
local removed = call('SREM', mine .. ':rooms', room)
if not APART then
  removed = call('ZREM', base .. ':members', user)
  call('ZREM', base .. ':here', user)
  call('HDEL', base .. ':read', user)
end
-- Notes that the user left, for nodes that are cut off: they must not make the membership again.
-- The note is kept for a day, for as many rooms as a user may be in. (A connection may be in the
-- room without a membership if Redis has lost that.)
if removed == 1 or ARGV[6] ~= '' then
  local left, day, ms = mine .. ':left', 86400000, tonumber(millis(now()))
  call('ZREMRANGEBYSCORE', left, '-inf', digits(ms - day))
  call('ZADD', left, digits(ms), room)
  if ARGV[6] == '2' then call('ZADD', left, digits(ms), '\n' .. room) end
  call('ZREMRANGEBYRANK', left, 0, -1 - MAX_ROOMS)
  call('PEXPIRE', left, digits(day))
end
--? rooms if removed == 1 then tap('room_left', user, 'room:' .. room, '{}') end
if APART then
  local todo = todo_of(user, mine)
  call('SREM', mine .. ':turning', room)
  note(user, mine, { room }, removed == 1, 0, todo)
  wait_for_sweep(user, mine, digits(millis(now()) + SWEPT))
  return { 0, removed, todo }
end
if removed == 1 then
  -- By userLeft the nodes know that the user's other connections leave, too, even of a big room.
  bell(base, 'userLeft', '{"room":' .. quote(room) .. ',"userId":' .. quote(user) .. '}')
end
return { 0, removed }
