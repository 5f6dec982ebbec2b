-- Presence: the users that are online, and the members of rooms.
local function base_of(name)
  return OPEN .. name .. CLOSE
end

-- Rings a doorbell with an ephemeral event, which is not in the log. `head` may be nil (put.lua), and
-- `name`, if the channel has that of the doorbell.
local function bell(base, event, data, head, name)
  call(PUBLISH, base, '{"channel":' .. quote(name or name_of(base)) .. ',"seq":0,"time":' .. now() ..
    ',"event":"' .. event .. (head or '","data":') .. data .. '}')
end

-- May this incarnation write? Not if it was reaped, and not if its node has taken a new one (a
-- lease of 1): a write was then sent over a link that was lost, and must not undo later ones.
local function alive(incarnation)
  local score = call('ZSCORE', P .. 'nodes', incarnation)
  return score and tonumber(score) > 1
end

local function announce(event, user, rooms)
  local names = {}
  for i, room in ipairs(rooms) do names[i] = quote(room) end
  call(PUBLISH, P .. 'presence', '{"event":"' .. event .. '","userId":' .. quote(user) ..
    ',"rooms":[' .. table.concat(names, ',') .. ']}')
end

-- Connections that are over, and stay in presence until they are due. (The ZREM comes first so that
-- a full Redis takes the ZADD.)
local function linger(incarnation, connection, user, due)
  local member = incarnation .. ' ' .. connection .. ' ' .. user
  call('ZREM', P .. 'lingering', member)
  call('ZADD', P .. 'lingering', digits(due), member)
  call('PEXPIRE', P .. 'lingering', USER_TTL)
end

local function lingers(incarnation, connection, user)
  return call('ZSCORE', P .. 'lingering', incarnation .. ' ' .. connection .. ' ' .. user)
end

-- The keys of a user live for USER_TTL from now on.
local function touch_user(base)
  for _, part in ipairs({ ':conns', ':rooms', ':unread', ':profile' }) do
    call('PEXPIRE', base .. part, USER_TTL)
  end
  if APART then call('PEXPIRE', base .. ':counted', USER_TTL) end
end

-- A guest's last connection has gone. When it can come back no more, guests.lua takes out what it
-- leaves. GUEST_TTL: how long that is (ms); false: there are no guests.
local function guest_gone(user, ms)
  if not GUEST_TTL or string.sub(user, 1, 6) ~= 'guest-' then return end
  call('ZADD', P .. 'guests', digits(ms + GUEST_TTL), user)
  call('PEXPIRE', P .. 'guests', USER_TTL)
end

-- Was the user's token revoked? iat_ms: when it was issued (ms, as text), '' if it does not say so,
-- '-' if there is no token (identity is off). The key has the second (since 1970) from which on
-- tokens are good again.
local function revoked(base, iat_ms)
  if iat_ms == '-' then return false end
  local before = tonumber(call('GET', base .. ':revoked'))
  if not before then return false end
  local iat = tonumber(iat_ms)
  return not iat or iat < before * 1000
end

-- Has the user as many connections as one may have, on all nodes and doors? Those of nodes that are
-- gone do not count. Their raw connections (raw_enter.lua) are taken out here, since nobody reaps
-- these.
local function too_many_connections(base, most)
  if call('HLEN', base .. ':conns') + call('HLEN', base .. ':raw') < most then return false end
  local count = 0
  for _, part in ipairs({ ':conns', ':raw' }) do
    local all = call('HGETALL', base .. part)
    for i = 1, #all, 2 do
      if alive(string.match(all[i + 1], '^%S*')) then
        count = count + 1
      elseif part == ':raw' then
        call('HDEL', base .. part, all[i])
      end
    end
  end
  return count >= most
end

-- Would the user be in too many rooms with these?
local function too_many_rooms(base, rooms)
  local have, added = call('SCARD', base .. ':rooms'), 0
  if have + #rooms <= MAX_ROOMS then return false end
  for _, room in ipairs(rooms) do
    added = added + 1 - call('SISMEMBER', base .. ':rooms', room)
  end
  return added > 0 and have + added > MAX_ROOMS
end

-- A script works for a few ms at most, since Redis is one thread. So scripts that go through many
-- users count their calls here, roughly, and stop when they are too many.
local CALLS_MOST, calls = 500, 0
local function count(n)
  calls = calls + n
end
local function is_long()
  return calls > CALLS_MOST
end

-- Takes out members that were not seen for too long, a few at a time. Members that are online stay,
-- since a clock that was set ahead makes all of them look old.
local function expire_members(base, ms)
  local high = '(' .. digits(ms - USER_TTL)
  local old = call('ZRANGEBYSCORE', base .. ':members', '-inf', high, 'LIMIT', 0, 100)
  local gone = {}
  for _, user in ipairs(old) do
    if call('ZSCORE', base .. ':here', user) then
      call('ZADD', base .. ':members', ms, user)
    else
      gone[#gone + 1] = user
    end
  end
  if #gone == 0 then return end
  call('ZREM', base .. ':members', unpack(gone))
  call('HDEL', base .. ':read', unpack(gone))
end
