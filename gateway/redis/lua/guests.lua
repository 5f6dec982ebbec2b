-- Takes out what guests leave who have gone for good (presence.lua): they leave their rooms, and their
-- keys go. It finds the guests, and then their rooms. ARGV: most guests.
-- Returns {0, 1 if there are more, 1 if rooms wait to be told (placing.lua)}.
local GUEST_KEYS = { ':left', ':log', ':meta', ':ids:0', ':ids:1', ':raw' }
local most, ms = tonumber(ARGV[3]), millis(now())
local due = GUEST_TTL and call('ZRANGEBYSCORE', P .. 'guests', '-inf', ms, 'LIMIT', 0, most) or {}
for _, user in ipairs(due) do
  want(base_of('user:' .. user), USER_KEYS)
  want(base_of('user:' .. user), GUEST_KEYS)
end
if wants() then return wanted end
if not APART then
  for _, user in ipairs(due) do
    for _, room in ipairs(call('SMEMBERS', base_of('user:' .. user) .. ':rooms')) do
      want(base_of('room:' .. room), { ':members', ':here', ':read' })
    end
  end
  if wants() then return wanted end
end

local function leave(user, room)
  local base = base_of('room:' .. room)
  if not is_given(base .. ':here') or call('ZREM', base .. ':members', user) == 0 then return end
  call('ZREM', base .. ':here', user)
  call('HDEL', base .. ':read', user)
  bell(base, 'userLeft', '{"room":' .. quote(room) .. ',"userId":' .. quote(user) .. '}')
end

-- With partitions, notes that rooms are to hear of stay until they have; their user has no key else.
local function forget(user)
  local base = base_of('user:' .. user)
  local rooms = call('SMEMBERS', base .. ':rooms')
  --? rooms for _, room in ipairs(rooms) do tap('room_left', user, 'room:' .. room, '{}') end
  for _, part in ipairs(GUEST_KEYS) do call('DEL', base .. part) end
  for _, part in ipairs({ ':rooms', ':profile', ':unread', ':counted', ':turning' }) do call('DEL', base .. part) end
  count(12 + 5 * #rooms)
  if not APART then
    for _, room in ipairs(rooms) do leave(user, room) end
  elseif #rooms > 0 then
    note(user, base, rooms, true, 0, {})
    call('PEXPIRE', base .. ':stamp', 3600000)
    wait_for_sweep(user, base, ms)
  end
end

for i, user in ipairs(due) do
  if is_long() then return { 0, 1, waits() } end
  if call('EXISTS', base_of('user:' .. user) .. ':conns') == 0 then forget(user) end
  call('ZREM', P .. 'guests', user)
end
return { 0, #due == most and 1 or 0, waits() }
