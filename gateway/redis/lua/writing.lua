-- What scripts that append have in common. They go straight through what is as usual, and make few
-- functions: each one costs Redis as much as a short command, and so does a table that grows. What is
-- not as usual is in `helpers`, which has prelude.lua, clock.lua and log.lua in it.
local TERM, call, format, sub = ARGV[1], redis.call, string.format, string.sub
local more -- the helpers, once they were needed
local t = call('TIME')
local wall = t[1] .. (#t[2] == 6 and t[2] or sub('00000' .. t[2], -6))
local text = call('GET', P .. 'clock') or ''
local steps, same = sub(text, 35, 50), true -- as steps_of has them
if sub(text, 52) ~= TERM or sub(text, 18, 28) ~= sub(wall, 1, 11) then
  more = helpers()
  steps, same = more.steps_of(wall, text)
  if more.stale(wall, text) then return more.STALE end
  same = same and sub(text, 52) == TERM
end

-- The time of the next append, as a number and as text, of `count` in this call. It is later than that of
-- each earlier append on this Redis, in any channel, even if the clock was set back or another master took
-- over. So the time of a message tells what came before it in every other channel.
local at
local function tick(count)
  if at then
    at = at + 1
    return at, format('%d', at)
  end
  local last, stamp = sub(text, 1, 16), wall
  at = wall + 0
  if last ~= '' and last + 0 >= at then
    at = last + 1
    stamp = format('%d', at)
  end
  local clock = count == 1 and stamp or format('%d', at + count - 1)
  if same then
    call('SETRANGE', P .. 'clock', 0, clock .. ' ' .. wall) -- cheaper than to write all of it
  else
    more.set_clock(clock, wall, steps, TERM)
  end
  return at, stamp
end

-- The state of a log to which something is to be appended.
local logs, order = {}, {}
local function log_of(base)
  local c = logs[base]
  if c then return c end
  local m = call('HMGET', base .. ':meta', 'seq', 'last')
  local last, usual = m[2] or '', TERM .. ' ' .. (m[1] or '') .. ' '
  if sub(last, 35, 34 + #usual) == usual then
    local kind, epoch, time, oldest = string.byte(base, SKIP), struct.unpack('c8c16c10', last)
    local bytes, a, b = sub(last, 35 + #usual), nil, nil
    if kind == 100 then bytes, a, b = string.match(bytes, '^(%d+) (%d+) (%d+)$') end
    -- All that it will have, so that it does not grow.
    c = { base = base, log = base .. ':log', name = sub(base, SKIP, LAST), kind = kind, epoch = epoch,
          seq = m[1] + 0, time = time + 0, was = time + 0, bytes = bytes + 0, oldest = oldest, a = a, b = b,
          frames = nil, field = nil, value = nil, at = nil, stamp = nil, both = nil }
  else
    more = more or helpers()
    c = more.begin(base)
  end
  logs[base], order[#order + 1] = c, c
  return c
end

-- Appends to the log. `settle` notes it in meta, and rings the doorbell. seq: that of the log and one, as
-- text. rest: the end of the frame, after data. sent, from: two more fields of the entry.
local function put(c, time, stamp, seq, event, data, rest, origin, sent, from)
  if time < c.time then
    time = c.time
    stamp = format('%d', time)
  end
  local frame = '{"channel":"' .. c.name .. '","epoch":"' .. c.epoch .. '","seq":' .. seq ..
    ',"time":' .. stamp .. ',"event":"' .. event .. (origin and '","origin":"' .. origin or '') ..
    '","data":' .. data .. rest
  if from then
    call('XADD', c.log, seq .. '-0', 'frame', frame, 'sent', sent, 'from', from)
  elseif sent then
    call('XADD', c.log, seq .. '-0', 'frame', frame, 'sent', sent)
  else
    call('XADD', c.log, seq .. '-0', 'frame', frame)
  end
  local frames = c.frames
  c.seq, c.time, c.stamp, c.bytes = c.seq + 1, time, stamp, c.bytes and c.bytes + #frame
  if frames then
    frames[#frames + 1] = frame
  else
    c.frames = { frame }
  end
end

-- Notes in meta what was appended, with c.field, one more field of it, and rings the doorbell, which a dm
-- has not. Log and meta get their life anew if that was not done in this 1024th of it, and not each time:
-- the call costs Redis as much as an HSET. Returns whether old messages were taken out for their bytes.
local function settle(c)
  local frames, kind, cut = c.frames, c.kind, false
  local ttl = (kind == 114 or kind == 100) and ROOM_TTL or INBOX_TTL -- room:, dm:
  local window, before, seq = ttl * (1000 / 1024), c.was, c.seq
  local due = before - before % window ~= c.time - c.time % window
  if due and c.time - before >= ttl * 1000 then c.bytes = nil end -- the log may have expired
  if c.oldest == '0000000000' and seq == #frames then c.oldest = sub(wall, 1, 10) end
  if seq % SPARE < #frames or not c.bytes or c.bytes > LOG_BYTES or seq % 16 < #frames and
     (c.time - c.oldest * 1000000 > ttl * 1000 or call('XLEN', c.log) < 16) then
    cut = tidier()(c, #frames, ttl)
  end
  local meta, number, last = c.base .. ':meta', format('%d', seq), ''
  if #c.epoch == 8 then -- else it is by hand
    -- log_of does not know how a name with a quote or a backslash is written.
    local term = #c.name == #c.base - SKIP + 2 + LAST and TERM or '-'
    last = c.epoch .. c.stamp .. c.oldest .. term .. ' ' .. number .. ' ' .. format('%d', c.bytes) .. (c.both or '')
  end
  if c.field then
    call('HSET', meta, 'seq', number, 'last', last, c.field, c.value)
  else
    call('HSET', meta, 'seq', number, 'last', last)
  end
  if due then
    call('PEXPIRE', c.log, format('%d', ttl))
    call('PEXPIRE', meta, format('%d', ttl + 3600000 + USER_TTL)) -- it outlives its log
  end
  if kind ~= 100 then
    for i = 1, #frames do call(PUBLISH, c.base, frames[i]) end
  end
  return cut
end
