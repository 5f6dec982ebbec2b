-- Notes in meta what was appended to the log `c`, with c.field, one more field of it, and rings the
-- doorbell, which a dm has not. Log and meta get their life anew if that was not done in this 1024th of
-- it, and not each time: that costs Redis as much as the rest. `cut` becomes whether old messages were
-- taken out for their bytes.
local frames, ttl, before, seq, time = c.frames, c.ttl, c.was, c.seq, c.time
local window = ttl * (1000 / 1024)
local due = before - before % window ~= time - time % window
if due and time - before >= ttl * 1000 then c.bytes = nil end -- the log may have expired
if c.oldest == '0000000000' and seq == #frames then c.oldest = sub(wall, 1, 10) end
cut = false
if seq % SPARE < #frames or not c.bytes or c.bytes > LOG_BYTES or seq % 16 < #frames and
   (time - c.oldest * 1000000 > ttl * 1000 or call('XLEN', c.base .. ':log') < 16) then
  cut = tidier()(c, #frames, ttl)
end
local meta, number, last = c.base .. ':meta', format('%d', seq), ''
if #c.epoch == 8 then -- else it is by hand
  -- load.lua does not know how a name with a quote or a backslash is written.
  local term = #c.name == #c.base - SKIP + 2 + LAST and TERM or '-'
  last = c.epoch .. c.stamp .. c.oldest .. term .. ' ' .. number .. ' ' .. format('%d', c.bytes)
end
if c.a then
  call('HSET', meta, 'seq', number, 'last', last .. ' ' .. c.a .. ' ' .. c.b, c.field, c.value)
else
  call('HSET', meta, 'seq', number, 'last', last)
end
if due then
  call('PEXPIRE', c.base .. ':log', format('%d', ttl))
  call('PEXPIRE', meta, format('%d', ttl + 3600000 + USER_TTL)) -- it outlives its log
end
if not c.a then
  for i = 1, #frames do call(PUBLISH, c.base, frames[i]) end
end
