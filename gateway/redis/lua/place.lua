-- Tells rooms what users' partitions decided (placing.lua). KEYS: of each
-- entry the room, and the key that has the version of its user there. ARGV:
-- '1' for the roster of the room, or ''; then of each entry: user, version, the event's version,
-- '1' if the user is a member, '1' if the user is online. An entry counts if its version is higher
-- than the last one that the room has of the user. The room knows that for a minute; nothing is
-- under way for so long. What was new is noted in `heard`, until the same version comes once more,
-- and not at once: then the user's partition may still lose it.
-- Returns {0}; with the roster: as enter.lua.
local ms, turned, added = millis(now()), {}, 0
local due, sure = digits(ms + UNSURE), ms + UNSURE / 2
local function ring(base, room, user, joined)
  local total = joined and call('ZCARD', base .. ':members') or 0
  if total > BIG_ROOM then -- such a room gets counts in place of names
    bell(base, 'update_member_list', '{"room":' .. quote(room) .. ',"online":' ..
      call('ZCARD', base .. ':here') .. ',"total":' .. total .. '}')
  else
    bell(base, joined and 'userJoined' or 'userLeft',
         '{"room":' .. quote(room) .. ',"userId":' .. quote(user) .. '}')
  end
end
local function is_later(one, other)
  return #one > #other or (#one == #other and one > other)
end
local function place(base, stamp, user, version, event, member, here)
  local room = string.sub(name_of(base), 6)
  local last = call('GET', stamp) or '0'
  local what = user .. ' ' .. room -- names have no blanks
  if version == last and (tonumber(call('ZSCORE', HEARD, what)) or sure) < sure then
    call('ZREM', HEARD, what)
  end
  if not is_later(version, last) then return end
  call('DEL', stamp) -- first, so that a full Redis takes the other writes
  local changed, was = nil, call('ZSCORE', base .. ':members', user)
  if member then
    expire_members(base, ms)
    added = call('ZADD', base .. ':members', ms, user)
    call('PEXPIRE', base .. ':members', USER_TTL)
  else
    call('ZREM', base .. ':members', user)
    call('HDEL', base .. ':read', user)
  end
  if member and here then
    changed = call('ZADD', base .. ':here', 'NX', ms, user) == 1
    call('PEXPIRE', base .. ':here', USER_TTL)
  else
    changed = call('ZREM', base .. ':here', user) == 1
  end
  call('SET', stamp, version, 'PX', 60000)
  call('ZADD', HEARD, due, what)
  call('PEXPIRE', HEARD, USER_TTL)
  if event ~= '1' and is_later(event, last) or event == '1' and member ~= (was ~= false) then
    ring(base, room, user, member)
  elseif changed then
    turned[#turned + 1] = quote(room)
  end
end
for i = 1, (#ARGV - 3) / 5 do
  local at = 5 * i - 1
  place(KEYS[2 * i - 1], KEYS[2 * i], ARGV[at], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3] == '1', ARGV[at + 4] == '1')
end
-- By this the nodes read the rosters of these rooms again.
if #turned > 0 then
  call(PUBLISH, P .. 'presence', '{"event":"turned","rooms":[' .. table.concat(turned, ',') .. ']}')
end
if ARGV[3] == '' then return { 0 } end
local base = KEYS[1]
local out = { 0, added, call('ZCARD', base .. ':here'), call('ZCARD', base .. ':members') }
for _, id in ipairs(call('ZRANGE', base .. ':here', 0, 99)) do out[#out + 1] = id end
return out
