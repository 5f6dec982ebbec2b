-- A connection enters a room. KEYS: user, room; with partitions the user alone. ARGV: user, room's
-- name, incarnation, mode. Mode '1' also announces a user that is a member already, if this is the
-- user's only connection. Mode '2' makes a membership again after an outage, unless the user has
-- left since. Mode '3' is for members only. Mode '4' is for whoever resumes: not if the membership was
-- ended for good since (leave.lua). Otherwise the mode is '0'.
-- Returns {0, 1 if the user is a new member, online, total, id...} (at most 100 of those online) or
-- {REAPED}, {NOT_A_MEMBER}, or {TOO_MANY}. With partitions, place.lua answers so, and this returns
-- {0, 1 if the user is a new member, what is to be placed (placing.lua)}.
local mine, base, user, room = KEYS[1], KEYS[2], ARGV[3], ARGV[4]
if not alive(ARGV[5]) then return { REAPED } end
if ARGV[6] == '2' then
  if call('ZSCORE', mine .. ':left', room) then return { NOT_A_MEMBER } end
end
if ARGV[6] == '4' and call('ZSCORE', mine .. ':left', '\n' .. room) then return { NOT_A_MEMBER } end
if ARGV[6] == '3' and call('SISMEMBER', mine .. ':rooms', room) == 0 then return { NOT_A_MEMBER } end
if too_many_rooms(mine, { room }) then return { TOO_MANY } end
if ARGV[6] ~= '2' then call('ZREM', mine .. ':left', room, '\n' .. room) end
if APART then
  local new, todo = call('SADD', mine .. ':rooms', room), todo_of(user, mine)
  call('PEXPIRE', mine .. ':rooms', USER_TTL)
  --? rooms if new == 1 then tap('room_joined', user, 'room:' .. room, '{}') end
  local told = new == 1 or (ARGV[6] == '1' and call('HLEN', mine .. ':conns') == 1)
  note(user, mine, { room }, told, 1, todo)
  wait_for_sweep(user, mine, digits(millis(now()) + SWEPT))
  return { 0, new, todo }
end
local ms = millis(now())
expire_members(base, ms)
local added = call('ZADD', base .. ':members', ms, user)
call('PEXPIRE', base .. ':members', USER_TTL)
call('SADD', mine .. ':rooms', room)
call('PEXPIRE', mine .. ':rooms', USER_TTL)
if call('EXISTS', mine .. ':conns') == 1 and not call('ZSCORE', base .. ':here', user) then
  call('ZADD', base .. ':here', ms, user)
  call('PEXPIRE', base .. ':here', USER_TTL)
end
if added == 1 or (ARGV[6] == '1' and call('HLEN', mine .. ':conns') == 1) then
  local total = call('ZCARD', base .. ':members')
  if total > BIG_ROOM then -- such a room gets counts in place of names
    bell(base, 'update_member_list', '{"room":' .. quote(room) .. ',"online":' ..
      call('ZCARD', base .. ':here') .. ',"total":' .. total .. '}')
  else
    bell(base, 'userJoined', '{"room":' .. quote(room) .. ',"userId":' .. quote(user) .. '}')
  end
end
--? rooms if added == 1 then tap('room_joined', user, 'room:' .. room, '{}') end
local out = { 0, added, call('ZCARD', base .. ':here'), call('ZCARD', base .. ':members') }
for _, id in ipairs(call('ZRANGE', base .. ':here', 0, 99)) do out[#out + 1] = id end
return out
