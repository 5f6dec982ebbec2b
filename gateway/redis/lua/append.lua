-- Appends messages to rooms and topics, each in its turn. KEYS: the channels.
-- ARGV, of each message: its place (several.lua), event, data (of a room: an object without its closing
-- brace, to which time and seq are added), idempotency field or '', member to check or ''.
-- Returns {0, seq, time, epoch}, and one item more if old messages were taken out for their bytes; or
-- {NOT_A_MEMBER}. For several messages it returns {0, what it would return for each...}, or of one
-- also {FAILED, error} or {SKIPPED} (several.lua). Or it returns the error STALE: nothing was written,
-- and the node has to greet Redis again.
local wall, text, steps, same = look_at_clock()
local logs, time, count = {}, nil, (#ARGV - 2) / 5

local function one(k, at, seen, remember)
  local base, event, data, field, member = KEYS[k], ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local first = seen(base, field, wall, steps)
  if first then
    local seq, stamp = string.match(first, '^(%d+) (%d+)')
    return { 0, seq, stamp, (logs[base] or open(base)).epoch }
  end
  if member ~= '' then
    if not call('ZSCORE', base .. ':members', member) then return { NOT_A_MEMBER } end
  end
  if not time and stale(wall, text) then return STALE end
  time = tick(wall, text, steps, same, count, time)
  local c = logs[base]
  if not c then
    c = open(base, true)
    logs[base], logs[#logs + 1] = c, c
  end
  local stamp, seq = time < c.time and c.time or time, c.next
  if member ~= '' then
    data = data .. ',"timestamp":' .. millis(stamp) .. ',"seq":' .. seq .. '}'
  end
  append(c, stamp, event, data)
  remember(base, field, wall, steps, seq .. ' ' .. stamp)
  return { 0, seq, stamp, c.epoch, c.cut }
end

return several(one, count, 5, 1, 3, wall, steps, function()
  for _, c in ipairs(logs) do
    settle(c)
    if c.frames and c.seq % 128 < #c.frames then widen(c.base, wall, steps) end
  end
end)
