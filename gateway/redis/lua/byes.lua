-- Ends of connections of which disconnect-hook is to be told (client/goodbye.h).
-- ARGV: `take`, most, for how long (ms) nobody else takes them. Returns {0, socket, "<id> <when it
-- ended, ms> <JSON>", ...}, those that are due.
-- `done`, socket, id: it was told. `again`, socket, id, when (ms from now) it is tried again. Neither
-- counts if there is another end of the socket by now. Return {0}.
local what, ended, due = ARGV[3], P .. 'bye', P .. 'byes'
local ms = millis(now())

if what == 'take' then
  local out = { 0 }
  for _, socket in ipairs(call('ZRANGEBYSCORE', due, '-inf', ms, 'LIMIT', 0, ARGV[4])) do
    local text = call('HGET', ended, socket)
    if text then
      call('ZADD', due, digits(ms + ARGV[5]), socket)
      out[#out + 1] = socket
      out[#out + 1] = text
    else
      call('ZREM', due, socket)
    end
  end
  return out
end

local text = call('HGET', ended, ARGV[4])
if not text or string.match(text, '^%S*') ~= ARGV[5] then return { 0 } end
if what == 'done' then
  call('HDEL', ended, ARGV[4])
  call('ZREM', due, ARGV[4])
else
  call('ZADD', due, digits(ms + ARGV[6]), ARGV[4])
end
return { 0 }
