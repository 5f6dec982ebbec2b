-- The end of `helpers`. The state of a log that is not as usual (load.lua), to append to it.
local function begin(base)
  local first, second = string.match(name_of(base), '^dm:([^:]*):(.*)$')
  local c = open(base, true, first and 'sent:' .. first, first and 'sent:' .. second)
  if c.is_old then call('HDEL', c.meta, 'time', 'bytes', 'fresh') end
  local time = tonumber(c.time) or 0
  return { base = base, name = string.sub(quote(name_of(base)), 2, -2), ttl = c.ttl, epoch = c.epoch,
           seq = c.seq, time = time, was = time, bytes = c.bytes, oldest = '0000000000',
           a = first and (c.a or '0'), b = first and (c.b or '0'), before = c.before }
end
return { begin = begin, open = open, set_clock = set_clock, stale = stale, steps_of = steps_of, STALE = STALE }
