-- The clock of all channels and the term, in one text under one key, since each append reads both:
-- "<time> <wall> <steps> <term>", the three times in microseconds, of 16 characters. `time` is the latest
-- that was given to an append; `wall` is what Redis's own clock said when somebody last looked; `steps`
-- is by how much that clock was set, all in all: without them its time is the one that went by.
local CLOCK, TERM_KEY = P .. 'clock', P .. 'term'
local STEP = 10000000 -- nodes look each second: more than this is no time that went by
local YEAR = 31622400000
local STALE = { err = 'STALE another term stands in Redis' }

-- Returns wall, the clock's text, the steps as they are now, and whether the text has them so. A text
-- that ends after `time` is an older version's.
local function look_at_clock()
  local wall, text = now(), call('GET', CLOCK) or ''
  if string.sub(text, 18, 28) == string.sub(wall, 1, 11) then return wall, text, string.sub(text, 35, 50), true end
  local steps = tonumber(string.sub(text, 35, 50))
  if not steps then return wall, text, 0, false end
  local step = wall - string.sub(text, 18, 33)
  if step >= 0 and step <= STEP then return wall, text, steps, true end
  return wall, text, steps + step - (step > 0 and STEP or 0), false
end

local function set_clock(time, wall, steps, term)
  call('SET', CLOCK, time .. ' ' .. wall .. ' ' .. string.format('%+016.0f', steps) .. ' ' .. term, 'KEEPTTL')
end

-- Who this Redis is now, as it changes with each promotion; nil if it does not tell.
local function replid_now()
  local info = redis.pcall('INFO', 'replication')
  return type(info) == 'string' and string.match(info, '\nmaster_replid:(%w+)') or nil
end

-- Is this another Redis than the one that the node greeted, or one that was given a new term? A link
-- may have stayed open while its Redis was demoted, lost its tail and was promoted again, and nobody
-- has greeted it since. That takes longer than the tenth of a second in which it is not asked twice.
local function stale(wall, text)
  if string.sub(text, 52) == TERM and string.sub(text, 18, 28) == string.sub(wall, 1, 11) then
    return false
  end
  local term = call('HMGET', TERM_KEY, 'number', 'replid')
  if term[1] ~= TERM then return true end
  local replid = term[2] ~= '' and replid_now()
  return replid and replid ~= term[2]
end

-- The time of an append: later than that of each one before it on this Redis, in whatever channel, also
-- when its clock was set back or another master's took over. So who has seen a message and all before
-- it knows by its time what that was in every other channel.
local function tick(wall, text, steps, same)
  local time, last = wall, string.sub(text, 1, 16)
  if last >= time then time = digits(tonumber(last) + 1) end
  if same and string.sub(text, 52) == TERM then
    call('SETRANGE', CLOCK, 0, time .. ' ' .. wall) -- costs less than to write it whole
  else
    set_clock(time, wall, steps, TERM)
  end
  return time
end
