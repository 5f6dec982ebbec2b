-- Goes on with bringing a user online or offline in many rooms (turning.lua), whichever user waits. It
-- finds the user, and then some of the rooms.
-- Returns {0, 1 if more is left}.
local base, rooms = given_bases(':conns')[1], given_bases(':here')
if not base then
  local user = call('SRANDMEMBER', WAITING)
  if not user then return { 0, 0 } end
  want(base_of('user:' .. user), { ':conns', ':turning' })
  return wanted
end
if #rooms == 0 then
  for _, room in ipairs(call('SRANDMEMBER', base .. ':turning', ROOMS_MOST)) do
    want(base_of('room:' .. room), ROOM_KEYS)
  end
  if wants() then return wanted end
end
local user = string.sub(name_of(base), 6)
local here, ms, turned = call('EXISTS', base .. ':conns') == 1, millis(now()), {}
for _, one in ipairs(rooms) do
  local room = string.sub(name_of(one), 6)
  if call('SREM', base .. ':turning', room) == 1 and in_room(room, user, ms, here) then
    turned[#turned + 1] = quote(room)
  end
end
-- The user was announced when the first connection came or the last one went. By this the nodes
-- read the rosters of these rooms again.
if #turned > 0 then
  call(PUBLISH, P .. 'presence', '{"event":"turned","rooms":[' .. table.concat(turned, ',') .. ']}')
end
if call('EXISTS', base .. ':turning') == 0 then call('SREM', WAITING, user) end
return { 0, waits() }
