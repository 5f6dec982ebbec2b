-- A user comes and goes, with one Redis: one script does all at once, if it was given the keys of the
-- user's rooms (found.lua). (placing.lua: with partitions.)
local WAITING = P .. 'turning'

-- Do some rooms wait?
local function waits()
  return call('EXISTS', WAITING)
end

-- Is the member online in this room? True: that was not so yet.
local function in_room(room, user, ms, here)
  local base = base_of('room:' .. room)
  local member = call('ZADD', base .. ':members', 'XX', 'CH', ms, user) == 1 or
    call('ZSCORE', base .. ':members', user)
  call('PEXPIRE', base .. ':members', USER_TTL)
  if not here or not member then return call('ZREM', base .. ':here', user) == 1 end
  local new = call('ZADD', base .. ':here', ms, user) == 1
  call('PEXPIRE', base .. ':here', USER_TTL)
  return new
end

-- A user in more rooms than these is brought online and offline in pieces: {user}:turning has the
-- rooms that wait for it, and sluice:turning the users of whom some wait. Whether the user is
-- online is looked up with each piece, so it does not matter who goes on with it, or how late.
local ROOMS_MOST, ROOM_KEYS = 64, { ':members', ':here' }

-- Wants the rooms of a user who may be about to come or go.
local function want_rooms(base)
  local rooms = call('SMEMBERS', base .. ':rooms')
  if #rooms > ROOMS_MOST or #wanted > 2000 then return end
  for _, room in ipairs(rooms) do want(base_of('room:' .. room), ROOM_KEYS) end
end

local function are_given(rooms)
  for _, room in ipairs(rooms) do
    if not is_given(base_of('room:' .. room) .. ':here') then return false end
  end
  return true
end

local function turn_later(user, base)
  call('SUNIONSTORE', base .. ':turning', base .. ':rooms')
  call('PEXPIRE', base .. ':turning', USER_TTL)
  call('SADD', WAITING, user)
  call('PEXPIRE', WAITING, USER_TTL)
end

-- Brings the user online or offline in these rooms, which are all of the user's. True: some wait, if
-- they are many, or the user has entered one since the script wanted them.
local function turn(user, base, ms, rooms, here)
  count(12 + #rooms / 4)
  if #rooms > ROOMS_MOST or not are_given(rooms) then
    turn_later(user, base)
    return true
  end
  count(4 * #rooms)
  for _, room in ipairs(rooms) do in_room(room, user, ms, here) end
  return false
end

-- Announces that a user's first connection came or the last one went. No other place does so. True:
-- some rooms wait to be turned.
local function came(user, base, ms)
  local rooms = call('SMEMBERS', base .. ':rooms')
  local left = turn(user, base, ms, rooms, true)
  announce('user_online', user, rooms)
  --? presence tap('user_online', user, '', '{}')
  return left
end

local function gone(user, base, ms)
  local rooms = call('SMEMBERS', base .. ':rooms')
  call('ZREM', P .. 'online', user)
  local left = turn(user, base, ms, rooms, false)
  call('HSET', base .. ':profile', 'seen', ms)
  touch_user(base)
  guest_gone(user, ms)
  announce('user_offline', user, rooms)
  --? presence tap('user_offline', user, '', '{}')
  return left
end
