-- The clock of all channels, and the term. Both are in one text under one key, since each append
-- (writing.lua) reads both: "<time> <wall> <steps> <term>". The first three are in microseconds, of 16
-- characters. `time` is the latest time that an append was given. `wall` is what Redis's own clock
-- said when a script last read it. `steps` is the sum of all changes by which that clock was set;
-- the clock less the steps is the time that really went by.
local CLOCK, TERM_KEY = P .. 'clock', P .. 'term'
local STEP = 10000000 -- nodes look each second, so a larger difference means the clock was set
local YEAR = 31622400000
local STALE = { err = 'STALE another term stands in Redis' }

-- Returns the steps as they are at that time, and whether the clock's text has these steps. A text that
-- ends after `time` was written by an older version.
local function steps_of(wall, text)
  if string.sub(text, 18, 28) == string.sub(wall, 1, 11) then return string.sub(text, 35, 50), true end
  local steps = tonumber(string.sub(text, 35, 50))
  if not steps then return 0, false end
  local step = wall - string.sub(text, 18, 33)
  if step >= 0 and step <= STEP then return steps, true end
  return steps + step - (step > 0 and STEP or 0), false
end

-- Returns the time, the clock's text, and the steps.
local function look_at_clock()
  local wall, text = now(), call('GET', CLOCK) or ''
  return wall, text, (steps_of(wall, text))
end

local function set_clock(time, wall, steps, term)
  call('SET', CLOCK, time .. ' ' .. wall .. ' ' .. string.format('%+016.0f', steps) .. ' ' .. term, 'KEEPTTL')
end

-- The identity of this Redis, which changes with each promotion; nil if Redis does not tell it.
local function replid_now()
  local info = redis.pcall('INFO', 'replication')
  return type(info) == 'string' and string.match(info, '\nmaster_replid:(%w+)') or nil
end

-- Is this another Redis than the one that the node greeted, or has it been given a new term? A link
-- may stay open while its Redis is demoted, loses the end of its data and is promoted again,
-- without any node that greets it. That takes longer than the tenth of a second within which it is
-- not asked twice.
local function stale(wall, text)
  if string.sub(text, 52) == TERM and string.sub(text, 18, 28) == string.sub(wall, 1, 11) then
    return false
  end
  local term = call('HMGET', TERM_KEY, 'number', 'replid')
  if term[1] ~= TERM then return true end
  local replid = term[2] ~= '' and replid_now()
  return replid and replid ~= term[2]
end
