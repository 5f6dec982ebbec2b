-- Goes on with bringing a user online or offline in many rooms (turning.lua), whichever user waits.
-- Returns {0, 1 if more is left}.
local user = call('SRANDMEMBER', WAITING)
if not user then return { 0, 0 } end
local base = base_of('user:' .. user)
local here, ms, turned = call('EXISTS', base .. ':conns') == 1, millis(now()), {}
for _, room in ipairs(call('SPOP', base .. ':turning', ROOMS_MOST)) do
  if in_room(room, user, ms, here) then turned[#turned + 1] = quote(room) end
end
-- The user was announced when the first connection came or the last one went. By this the nodes
-- read the rosters of these rooms again.
if #turned > 0 then
  call(PUBLISH, P .. 'presence', '{"event":"turned","rooms":[' .. table.concat(turned, ',') .. ']}')
end
if call('EXISTS', base .. ':turning') == 0 then call('SREM', WAITING, user) end
return { 0, waits() }
