-- A user comes and goes, with partitions: a room may lie elsewhere than its user. The user's
-- partition decides. It gives what it decided a version, and notes the rooms that are to hear of
-- it. The node then tells each room (place.lua), and takes the notes out (placed.lua). Notes that
-- are left are done by a sweep of any node (pending.lua).
--   {user}:pending  room → "<version> <event's version>": by an event, userJoined or userLeft, the
--                   room is told of what was decided under that version, or 0; or 1: by an event if
--                   the room has heard otherwise
--   {user}:turning  further rooms, of which there were too many to note at once
--   pending         the users, by the time (ms) from which on the sweep takes them
--   told            "<user> <room> <version>": rooms that have heard, by the time (ms) from which on
--                   the sweep tells them again, since their master may have died with the news
--   heard           in a room's partition: "<user> <room>" of what the room has heard only once, by
--                   the time (ms) from which on the user's partition is asked what is so
--                   (retell.lua), since the next master may not know what the room has heard
-- A version is the partition's term and a time in µs, later than each earlier one of the user's. By
-- the term it is later also if a new master's clock is behind, and lacks the user's last version.
-- Rooms hear again after AGAIN (placed.lua). After UNSURE (ms) something has gone wrong.
local WAITING, TOLD, HEARD = P .. 'pending', P .. 'told', P .. 'heard'
local SWEPT, UNSURE, ROOMS_MOST = 1000, 30000, 64

-- Is there something for the sweep?
local function waits()
  return (call('EXISTS', WAITING) == 1 or call('ZCOUNT', TOLD, '-inf', millis(now())) > 0) and 1 or 0
end

local function want_rooms() end -- they are other partitions'

local function wait_for_sweep(user, base, due)
  call('PEXPIRE', base .. ':pending', USER_TTL)
  call('ZREM', WAITING, user)
  call('ZADD', WAITING, due, user)
  call('PEXPIRE', WAITING, USER_TTL)
end

-- Adds these rooms to what is to be done: room, version, the event's version, '1' if the user is a
-- member. loud: true, false, or '1' (see above).
local function note(user, base, rooms, loud, member, todo)
  if #rooms == 0 then return end
  local time, last = now(), string.sub(call('GET', base .. ':stamp') or '', -16)
  if last >= time then time = digits(tonumber(last) + 1) end
  local version = (call('HGET', P .. 'term', 'number') or '') .. time
  call('SET', base .. ':stamp', version, 'PX', USER_TTL)
  for _, room in ipairs(rooms) do
    local event = loud == true and version or
      string.match(call('HGET', base .. ':pending', room) or '', ' (%d%d+)$') or loud or '0'
    call('HSET', base .. ':pending', room, version .. ' ' .. event)
    local n = #todo
    todo[n + 1], todo[n + 2], todo[n + 3], todo[n + 4] = room, version, event, member
  end
end

local function todo_of(user, base)
  return { user, call('EXISTS', base .. ':conns') }
end

-- Leaves all rooms of the user to the sweep.
local function turn_later(user, base)
  call('SUNIONSTORE', base .. ':turning', base .. ':rooms', base .. ':turning')
  call('PEXPIRE', base .. ':turning', USER_TTL)
  wait_for_sweep(user, base, millis(now()))
end

-- Returns whether some rooms are left to the sweep, and what the node is to do now. swept: all are.
local function turn(user, base, ms, rooms, swept)
  count(12 + #rooms / 4)
  if #rooms > ROOMS_MOST then
    turn_later(user, base)
    return true
  end
  count(3 * #rooms)
  local todo = todo_of(user, base)
  note(user, base, rooms, false, 1, todo)
  if #rooms > 0 then wait_for_sweep(user, base, swept and ms or digits(ms + SWEPT)) end
  return swept and #rooms > 0, todo
end

-- Announces that a user's first connection came or the last one went. No other place does so.
-- Returns as turn does. entering: a room that the node has the user enter at once.
local function came(user, base, ms, entering)
  local rooms, others = call('SMEMBERS', base .. ':rooms'), {}
  for _, room in ipairs(rooms) do
    if room ~= entering then others[#others + 1] = room end
  end
  local left, todo = turn(user, base, ms, others)
  announce('user_online', user, rooms)
  --? presence tap('user_online', user, '', '{}')
  return left, todo
end

local function gone(user, base, ms, swept)
  local rooms = call('SMEMBERS', base .. ':rooms')
  call('ZREM', P .. 'online', user)
  local left, todo = turn(user, base, ms, rooms, swept)
  call('HSET', base .. ':profile', 'seen', ms)
  touch_user(base)
  guest_gone(user, ms)
  announce('user_offline', user, rooms)
  --? presence tap('user_offline', user, '', '{}')
  return left, todo
end
