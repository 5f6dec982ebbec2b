-- Appends a message to a room or topic. KEYS: the channel.
-- ARGV: event, data (of a room: an object without its closing brace, to which time and seq are
-- added), idempotency field or '', member to check or ''.
-- Returns {0, seq, time, epoch}, and one item more if old messages were taken out for their bytes; or
-- {NOT_A_MEMBER}; or the error STALE: nothing was written, and the node has to greet Redis again.
local base, event, data, field, member = KEYS[1], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local wall, text, steps, same = look_at_clock()
local first = seen(base, field, wall, steps)
if first then
  local seq, stamp = string.match(first, '^(%d+) (%d+)')
  return { 0, seq, stamp, open(base).epoch }
end
if member ~= '' then
  if not call('ZSCORE', base .. ':members', member) then return { NOT_A_MEMBER } end
end
if stale(wall, text) then return STALE end
local c = open(base, true)
local time = tick(wall, text, steps, same)
if time < c.time then time = c.time end
if member ~= '' then
  data = data .. ',"timestamp":' .. millis(time) .. ',"seq":' .. c.next .. '}'
end
local frame = append(c, time, event, data)
remember(base, field, wall, steps, c.next .. ' ' .. time)
call(PUBLISH, base, frame)
return { 0, c.next, time, c.epoch, c.cut }
