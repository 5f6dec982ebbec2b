-- Rooms have heard: takes the notes of that out (placing.lua). KEYS: users, one for each entry.
-- ARGV: of each entry: user, room, version. A note of a later version stays. They are told once more
-- when a master that dies now would have been followed by another one. Returns {0}.
local AGAIN, told = 20000, P .. 'told'
local due = digits(millis(now()) + AGAIN)
for i = 1, N do
  local base = KEYS[i]
  local user, room, version = ARGV[3 * i], ARGV[3 * i + 1], ARGV[3 * i + 2]
  local note = call('HGET', base .. ':pending', room)
  local what = user .. ' ' .. room .. ' ' .. version -- names have no blanks
  if note and string.match(note, '^%d+') == version then
    call('HDEL', base .. ':pending', room)
    call('ZADD', told, due, what)
    call('PEXPIRE', told, USER_TTL)
  else
    call('ZREM', told, what)
  end
  if call('EXISTS', base .. ':pending', base .. ':turning') == 0 then
    call('ZREM', P .. 'pending', user)
  end
end
return { 0 }
