-- Shared by all scripts. Before it stand the constants P (key prefix), MAXLEN, BIG_ROOM, MAX_ROOMS,
-- ROOM_TTL, INBOX_TTL and USER_TTL (ms); after it, for those that need them, clock.lua, log.lua,
-- presence.lua and marks.lua: each function here is made again at every call of a script, so there are
-- few. KEYS are channel bases such
-- as sluice:{room:lobby}; what else a script touches hangs on a base, so per-channel scripts stay
-- within one Cluster slot (but for the clock).
local TERM, FRESH = ARGV[1], ARGV[2] -- that of the node's greeting; a random epoch, in case one is needed
local call = redis.call
local TOO_MANY, REAPED, NOT_A_MEMBER = -3, -2, -1

-- Microseconds as 16 digits: compared and cut as text, which is cheaper than numbers here.
local function now()
  local t = call('TIME')
  return t[1] .. string.sub('00000' .. t[2], -6)
end

local function millis(us)
  return string.sub(us, 1, -4)
end

local function digits(n)
  return string.format('%.0f', n)
end

-- Names have no control characters, so two escapes make any of them a JSON string.
local function quote(name)
  return '"' .. (string.gsub(name, '[\\"]', '\\%0')) .. '"'
end

local function name_of(base)
  return string.sub(base, #P + 2, -2)
end
