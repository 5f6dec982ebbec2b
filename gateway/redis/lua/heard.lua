-- Of which users rooms of this partition have heard only once (placing.lua). ARGV: most; the rank
-- from which to read, the latest first, or '' for those that are due. Nobody else is given these for
-- a while.
-- Returns {0, the rank to go on from (0: there are no more), "<user> <room>"...}.
local most, from = tonumber(ARGV[3]), tonumber(ARGV[4])
local out = { 0, 0 }
if from then
  for _, what in ipairs(call('ZREVRANGE', HEARD, from, from + most - 1)) do out[#out + 1] = what end
  if #out == most + 2 then out[2] = from + most end
  return out
end
local ms = millis(now())
local due = call('ZRANGEBYSCORE', HEARD, '-inf', ms, 'LIMIT', 0, most)
if #due > 0 then call('PEXPIRE', HEARD, USER_TTL) end -- first, so that a full Redis takes the ZADD
for _, what in ipairs(due) do
  call('ZADD', HEARD, 'XX', digits(ms + 10 * SWEPT), what)
  out[#out + 1] = what
end
if #due == most then out[2] = most end
return out
