-- Shared by all scripts. The constants P (key prefix), MAXLEN, LOG_BYTES, BIG_ROOM, MAX_ROOMS, ROOM_TTL,
-- INBOX_TTL and USER_TTL (ms) come before it. clock.lua, log.lua, presence.lua and marks.lua come
-- after it in the scripts that need them. Each call of a script makes every function here again, so
-- there are few. KEYS begins with bases such as sluice:{room:lobby}, which are what a script's own
-- KEYS are. After them come all other keys that the script may touch (declared.h), whose names it
-- puts together for itself: they are a base and a suffix, or P and a name. A script of any number of
-- bases has their number in N.
local TERM, FRESH = ARGV[1], ARGV[2] -- the term of the node's greeting; a random epoch for a new one
local call = redis.call
local CONFLICT, FOUND, REVOKED, TOO_MANY, REAPED, NOT_A_MEMBER = -8, -5, -4, -3, -2, -1

-- Microseconds as 16 digits. They are compared and cut as text, which is cheaper here than numbers.
local function now()
  local t = call('TIME')
  return t[1] .. string.sub('00000' .. t[2], -6)
end

local function millis(us)
  return string.sub(us, 1, -4)
end

local function digits(n)
  return string.format('%d', n)
end

-- Names have no control characters, so two escapes make any of them a JSON string.
local function quote(name)
  return '"' .. (string.gsub(name, '[\\"]', '\\%0')) .. '"'
end

local function name_of(base)
  return string.sub(base, SKIP, LAST)
end
