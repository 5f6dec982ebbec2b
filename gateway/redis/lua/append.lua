-- Appends messages to rooms and topics, each in its turn. KEYS: the channels.
-- ARGV, of each message: its place (several.lua), event, data (of a room: an object without its closing
-- brace, to which time and seq are added), idempotency field or '', member to check or ''.
-- Returns a text, which costs Redis less than an array: "0 <seq> <time> <epoch>", and one word more if
-- old messages were taken out for their bytes; or NOT_A_MEMBER. For several messages it has a line for
-- each, which may also be FAILED and an error, or SKIPPED (several.lua). Or it returns the error STALE:
-- nothing was written, and the node has to greet Redis again.
local SIZE, BASES, FIELD, count = 5, 1, 3, (#ARGV - 2) / 5

local function one(start, k, i)
  local base, id, member = KEYS[k], ARGV[start + 3], ARGV[start + 4]
  local mine = id ~= '' and (known[base] or look_up(base, { id }))
  local first = mine and mine[id]
  if first then
    more = more or helpers()
    return '0 ' .. string.match(first, '^%d+ %d+') .. ' ' .. (logs[base] or more.open(base)).epoch
  end
  if member ~= '' then
    if not call('ZSCORE', base .. ':members', member) then return '-1' end -- NOT_A_MEMBER
  end
  local c, time, stamp = log_of(base), tick(count)
  local seq = format('%d', c.seq + 1)
  if time < c.time then
    time = c.time
    stamp = format('%d', time)
  end
  local rest = member == '' and '}' or ',"timestamp":' .. sub(stamp, 1, -4) .. ',"seq":' .. seq .. '}}'
  put(c, time, stamp, seq, ARGV[start + 1], ARGV[start + 2], rest)
  c.at = i
  local what = seq .. ' ' .. stamp
  if mine then
    local list = noted[base]
    mine[id] = what
    if list then list[#list + 1], list[#list + 2] = id, what else noted[base] = { id, what } end
  end
  return '0 ' .. what .. ' ' .. c.epoch
end
