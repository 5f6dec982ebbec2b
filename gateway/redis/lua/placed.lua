-- Rooms have heard: takes the notes of that out (placing.lua). KEYS: users, one for each entry.
-- ARGV: of each entry: user, room, version. A note of a later version stays. Returns {0}.
for i, base in ipairs(KEYS) do
  local user, room, version = ARGV[3 * i], ARGV[3 * i + 1], ARGV[3 * i + 2]
  local note = call('HGET', base .. ':pending', room)
  if note and string.match(note, '^%d+') == version then call('HDEL', base .. ':pending', room) end
  if call('EXISTS', base .. ':pending', base .. ':turning') == 0 then
    call('ZREM', P .. 'pending', user)
  end
end
return { 0 }
