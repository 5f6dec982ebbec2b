-- What rooms are still to hear of users: notes whose node has not done it in time, those of users
-- in many rooms, and what rooms are to hear again (placing.lua). ARGV: most notes, '1' to take all
-- that rooms have not heard, or only those that are due: '', with all that they are to hear again:
-- '2'. Who is named here is left alone for a while, so that the nodes do not do the same.
-- Returns {0, 1 if more are due, {user, 1 if online, room, version, the event's version, 1 if a
-- member...}...}.
local USERS_MOST = 64
local ms, left, out = millis(now()), tonumber(ARGV[3]), { 0, 0 }
local due = ARGV[4] == '1' and '+inf' or ms
local users = call('ZRANGEBYSCORE', WAITING, '-inf', due, 'LIMIT', 0, math.min(left, USERS_MOST) + 1)
for i = 1, math.min(#users, USERS_MOST) do want(base_of('user:' .. users[i]), USER_KEYS) end
local told = {}
if ARGV[4] == '2' and call('EXISTS', TOLD) == 1 then
  redis.pcall('ZUNIONSTORE', TOLD, 1, TOLD, 'WEIGHTS', 0) -- not if Redis is full; then when it is due
end
if ARGV[4] ~= '1' then told = call('ZRANGEBYSCORE', TOLD, '-inf', ms, 'LIMIT', 0, left) end
for _, what in ipairs(told) do
  local user = string.match(what, '^(%S+) %S+ %d+$')
  if user then want(base_of('user:' .. user), { ':conns', ':rooms' }) end
end
if wants() then return wanted end
for i, user in ipairs(users) do
  if left <= 0 or is_long() or i > USERS_MOST then
    out[2] = 1
    break
  end
  local base = base_of('user:' .. user)
  local todo, most = todo_of(user, base), math.min(left, ROOMS_MOST)
  count(6)
  local noted = call('EXISTS', base .. ':pending') == 1 and
    call('HRANDFIELD', base .. ':pending', most, 'WITHVALUES') or {}
  for i = 1, #noted, 2 do
    local version, event = string.match(noted[i + 1], '^(%d+) (%d+)$')
    local n = #todo
    todo[n + 1], todo[n + 2], todo[n + 3] = noted[i], version, event
    todo[n + 4] = call('SISMEMBER', base .. ':rooms', noted[i])
  end
  if #noted == 0 then
    local rooms = call('SPOP', base .. ':turning', most)
    note(user, base, rooms, false, 1, todo)
    count(2 * #rooms)
  end
  local n = (#todo - 2) / 4
  count(n)
  left = left - n
  if n == 0 then
    call('ZREM', WAITING, user)
  else
    out[#out + 1] = todo
    local more = n == most or call('EXISTS', base .. ':turning') == 1
    wait_for_sweep(user, base, more and ms or digits(ms + 2 * SWEPT))
    if more then out[2] = 1 end
  end
end
if #told > 0 then call('PEXPIRE', TOLD, USER_TTL) end -- first, so that a full Redis takes the ZADD
for i, what in ipairs(told) do
  if is_long() or i > left then
    out[2] = 1
    break
  end
  local user, room, version = string.match(what, '^(%S+) (%S+) (%d+)$')
  if user then
    local base = base_of('user:' .. user)
    local todo = todo_of(user, base)
    todo[3], todo[4], todo[5], todo[6] = room, version, '0', call('SISMEMBER', base .. ':rooms', room)
    out[#out + 1] = todo
    call('ZADD', TOLD, 'XX', digits(ms + 2 * SWEPT), what)
  else
    call('ZREM', TOLD, what)
  end
  count(4)
end
if #told > 0 and #told == tonumber(ARGV[3]) then out[2] = 1 end
return out
