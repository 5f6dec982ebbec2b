-- Takes entries out of presence that no node takes out: connections whose linger time is over, and
-- users whose score no node renews, since none knows their connections; and the ids of messages that
-- are too old to be repeated (ids.lua). It finds the users, and then their rooms.
-- ARGV: most of each; '1' to take all that linger, or ''; age (ms) from which a score counts as not
-- renewed, or '' not to look at scores; the rank to begin at.
-- Returns {0, 1 if there are more that are due (2: more to look at), the rank to go on from, users
-- taken out, 1 if rooms of users wait to be turned}.
local most, ms, out = tonumber(ARGV[3]), millis(now()), 0
local due = call('ZRANGEBYSCORE', P .. 'lingering', '-inf', ARGV[4] == '1' and '+inf' or ms, 'LIMIT', 0, most)
local wall, _, steps = look_at_clock()
local bucket = math.floor((wall - steps) / 300000000)
local over = call('ZRANGEBYSCORE', P .. 'ids', '-inf', digits(bucket - 2), 'LIMIT', 0, most)
local old = ARGV[5] == '' and {} or
  call('ZRANGEBYSCORE', P .. 'online', '-inf', ms - ARGV[5], 'WITHSCORES', 'LIMIT', ARGV[6], most)
for _, key in ipairs(over) do want(key, { '' }) end
for _, member in ipairs(due) do want(base_of('user:' .. string.match(member, ' (%S*)$')), USER_KEYS) end
for i = 1, #old, 2 do want(base_of('user:' .. old[i]), USER_KEYS) end
if wants() then return wanted end
if #given_bases(':here') == 0 then
  for _, base in ipairs(given_bases(':conns')) do want_rooms(base) end
  if wants() then return wanted end
end
for _, key in ipairs(over) do
  local its = tonumber(call('HGET', key, '') or 0)
  call('ZREM', P .. 'ids', key)
  if its > bucket - 2 then
    call('ZADD', P .. 'ids', its, key) -- `sluice migrate` notes it with another number
  else
    call('DEL', key)
  end
end

local function leave(user, base, seen)
  count(2)
  if call('EXISTS', base .. ':conns') == 1 then return false end
  gone(user, base, seen, true)
  out = out + 1
  return true
end
local function answer(more, rank)
  return { 0, more, rank, out, waits() }
end
for i, member in ipairs(due) do
  call('ZREM', P .. 'lingering', member)
  local incarnation, connection, user = string.match(member, '^(.*) (.*) (.*)$')
  local base = base_of('user:' .. user)
  local value = call('HGET', base .. ':conns', connection) or ''
  count(2)
  if string.sub(value, 1, #incarnation + 1) == incarnation .. ' ' then
    call('HDEL', base .. ':conns', connection)
    --? connections tap_closed(user, connection, incarnation, 'node_gone')
    leave(user, base, ms)
  end
  if is_long() then return answer((i < #due or #due == most) and 1 or 0, ARGV[6]) end
end
if ARGV[5] == '' then return answer(#due == most and 1 or 0, ARGV[6]) end
local kept, known = 0, {}
local function unknown(incarnation)
  if known[incarnation] == nil then known[incarnation] = call('ZSCORE', P .. 'nodes', incarnation) or false end
  return not known[incarnation]
end
for i = 1, #old, 2 do
  local user, base = old[i], base_of('user:' .. old[i])
  local conns = call('HGETALL', base .. ':conns')
  local removed = 0
  count(2)
  for k = 1, #conns, 2 do
    local incarnation = string.match(conns[k + 1], '^%S*')
    if not is_long() and unknown(incarnation) then
      count(2)
      if not lingers(incarnation, conns[k], user) then removed = call('HDEL', base .. ':conns', conns[k]) end
    end
  end
  if is_long() and removed == 1 and call('EXISTS', base .. ':conns') == 1 then
    return answer(2, ARGV[6] + kept) -- the rest of this user's, next
  end
  if not leave(user, base, old[i + 1]) then kept = kept + 1 end
  if is_long() and i + 1 < #old then return answer(2, ARGV[6] + kept) end
end
return answer(#due == most and 1 or 0, #old == 2 * most and ARGV[6] + kept or 0)
