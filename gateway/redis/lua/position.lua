-- The position of a channel's log at a time: after the last entry that is not later. KEYS: the
-- channel.
-- ARGV: the time; an epoch and seq before which the position cannot be; with partitions, a time up
-- to which the client was in no need of anything. Then the time may be '', and only the clock is
-- checked: times rise in the order of appends only while Redis has the key with the last one, and
-- they are of the node's term.
-- Returns {0, epoch, seq}, or {1} if it is not known any more: that log is gone, or was trimmed.
local c, time, epoch, least = look(KEYS[1]), ARGV[3], ARGV[4], tonumber(ARGV[5])
if APART then
  local clock = call('GET', P .. 'clock') or ''
  local last = string.sub(clock, 1, 16)
  if string.sub(clock, 52) ~= TERM or time > last or ARGV[6] > last then return { 1 } end
  if time == '' then return { 0 } end
end
if not c.epoch then return { 1 } end
local known = epoch == c.epoch and c.seq or call('HGET', c.meta, 'fork:' .. epoch)
if not known or least > tonumber(known) then return { 1 } end

local function seq_of(entry)
  return tonumber(string.match(entry[1], '^%d+')), string.match(entry[2][2], '"time":(%d+)') or ''
end

local function answer(seq)
  return { 0, c.epoch, digits(math.max(seq, least)) }
end

if c.time ~= '' and c.time <= time then return answer(c.seq) end
local first = call('XRANGE', c.log, '-', '+', 'COUNT', 1)[1]
if not first then return least == c.seq and answer(c.seq) or { 1 } end
local low, first_time = seq_of(first)
if first_time > time then -- good only if the client is known to have all before it
  return low <= least + 1 and answer(low - 1) or { 1 }
end
local high = c.seq + 1
while high - low > 1 do -- entries up to `low` are not later; entries from `high` on are
  local middle = math.floor((low + high) / 2)
  local entry = call('XREVRANGE', c.log, digits(middle) .. '-0', digits(low + 1) .. '-0', 'COUNT', 1)[1]
  local seq, at = middle, ''
  if entry then seq, at = seq_of(entry) end
  if at <= time then low = middle else high = seq end
end
return answer(low)
