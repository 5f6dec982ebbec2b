-- A user's membership ends. KEYS: room, user. ARGV: user, room's name.
-- Returns {0, 1 if the user was a member}.
local base, user, room = KEYS[1], ARGV[3], ARGV[4]
local removed = call('ZREM', base .. ':members', user)
call('ZREM', base .. ':here', user)
call('HDEL', base .. ':read', user)
call('SREM', KEYS[2] .. ':rooms', room)
if removed == 1 then
  -- The nodes learn from userLeft, also of a big room, that the user's other connections go.
  bell(base, 'userLeft', '{"room":' .. quote(room) .. ',"userId":' .. quote(user) .. '}')
end
return { 0, removed }
