-- Takes out of a log what it is not to keep any more, after `more` messages were appended to it: the
-- oldest above MAXLEN now and then, and some more then, since Redis seeks the first entry; those that
-- are too old with every 16th append; and the oldest above LOG_BYTES. c.bytes is counted along. It is
-- counted anew where it is not known (an older version wrote meta, it was lost, or the log may have
-- expired since): by the bytes of the log's ends, if it is long. What one call looks at is bounded, and
-- the next append goes on. Returns whether messages were taken out for their bytes.
local function tidy(c, more, ttl)
  local call, key, most, cut = redis.call, c.base .. ':log', LOG_BYTES, false
  local total = call('XLEN', key)
  local function digits(n) return string.format('%d', n) end
  local function bytes_of(entries)
    local sum = 0
    for _, entry in ipairs(entries) do sum = sum + #entry[2][2] end
    return sum
  end
  if c.bytes and c.bytes > most then most = most - math.floor(most / 64) end
  local over = c.seq % SPARE < more and total - KEEP or 0
  if over > 0 and over <= 1024 and c.bytes then
    c.bytes = c.bytes - bytes_of(call('XRANGE', key, '-', '+', 'COUNT', over))
  elseif over > 0 then
    c.bytes = nil
  end
  if over > 0 then
    call('XTRIM', key, 'MAXLEN', digits(KEEP))
    total = KEEP
  end
  if not c.bytes then
    local first = call('XRANGE', key, '-', '+', 'COUNT', 8)
    local last = call('XREVRANGE', key, '+', '-', 'COUNT', 8)
    c.bytes = math.ceil((bytes_of(first) + bytes_of(last)) / math.max(1, #first + #last) * total)
  end
  local newest, from, looked, count = digits(c.seq) .. '-0', '-', 0, 0
  while c.bytes > most and looked < 4194304 and count < 1024 do
    local heads = call('XRANGE', key, from, '+', 'COUNT', 8)
    if #heads == 0 then break end
    for _, entry in ipairs(heads) do
      local size = #entry[2][2]
      if entry[1] == newest then
        c.bytes, most = size, size
      elseif c.bytes > most then
        c.bytes, looked, count = c.bytes - size, looked + size, count + 1
        from = digits(tonumber(string.match(entry[1], '^%d+')) + 1) .. '-0'
      end
    end
  end
  if count > 0 then
    call('XTRIM', key, 'MAXLEN', digits(total - count))
    cut = true
  end
  if c.bytes < 0 then c.bytes = 0 end
  if c.seq % 16 >= more then return cut end
  local want, rounds = 1, 0
  if total < 16 then -- somebody may have deleted the log
    want = 16
    c.bytes = bytes_of(call('XRANGE', key, '-', '+', 'COUNT', want))
  end
  repeat
    local heads = call('XRANGE', key, '-', '+', 'COUNT', want)
    want, rounds = 0, rounds + 1
    for _, entry in ipairs(heads) do
      local time = tonumber(string.match(entry[2][2], '"time":(%d+)') or 0)
      if c.time - time > ttl * 1000 then
        call('XDEL', key, entry[1])
        c.bytes = c.bytes - #entry[2][2]
        want = 32
      else
        c.oldest = string.format('%010d', time / 1000000)
        break
      end
    end
  until want == 0 or rounds == 8 -- the rest goes with later appends
  return cut
end
return tidy
