-- Logs of two users of the partition whose inboxes were to follow long ago, since a node ended
-- between two steps (dm.lua) or a partition was away. They are not answered again for as long, so one
-- node takes them, and one that cannot go on keeps no others from it.
-- ARGV: how long (ms), most logs.
-- Returns {0, 1 if there are more, name...}.
local waiting, most = P .. 'outbox', tonumber(ARGV[4])
local wall, _, steps = look_at_clock()
local ms = (wall - steps) / 1000
local due = call('ZRANGEBYSCORE', waiting, '-inf', digits(ms - ARGV[3]), 'LIMIT', 0, most)
for _, name in ipairs(due) do want(OPEN .. name .. CLOSE, { ':meta' }) end
if wants() then return wanted end
local out = { 0, #due == most and 1 or 0 }
if #due > 0 then call('PEXPIRE', waiting, USER_TTL) end -- first, so that a full Redis takes the ZADD
for _, name in ipairs(due) do
  local m = call('HMGET', OPEN .. name .. CLOSE .. ':meta', 'seq', 'posted')
  if m[1] and tonumber(m[2] or 0) < tonumber(m[1]) then
    call('ZADD', waiting, 'XX', digits(ms), name)
    out[#out + 1] = name
  else
    call('ZREM', waiting, name) -- the log is gone
  end
end
return out
