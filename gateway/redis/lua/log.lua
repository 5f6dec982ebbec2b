-- A channel's log. An append sets the expiry of the log and its meta again if that was last done a
-- 1024th of the retention ago, and not each time: the call costs Redis as much as the XADD.
local HOUR = 3600000

local function run_now()
  return call('HGET', P .. 'term', 'run') or ''
end

-- The channel's state; it has no epoch if there is no meta. `a` and `b` are further fields to read.
local function look(base, a, b)
  local meta = base .. ':meta'
  local m = call('HMGET', meta, 'epoch', 'seq', 'term', 'time', 'fresh', a or 'epoch', b or 'epoch', 'bytes')
  local kind = string.sub(base, SKIP, SKIP + 1)
  local c = { base = base, meta = meta, log = base .. ':log', epoch = m[1], seq = tonumber(m[2] or 0),
              term = m[3], time = m[4] or '', fresh = tonumber(m[5] or 0), a = m[6], b = m[7], bytes = m[8],
              kind = kind, ttl = (kind == 'ro' or kind == 'dm') and ROOM_TTL or INBOX_TTL }
  if not c.epoch then
    c.a, c.b = nil, nil
    c.last = call('XREVRANGE', c.log, '+', '-', 'COUNT', 1)[1]
    c.seq = c.last and tonumber(string.match(c.last[1], '^%d+')) or 0
  end
  return c
end

-- How long the meta of a log without a message lives. That of an inbox lives as long as its user
-- may resume it. That of a room or topic, which any client can cause to be made, lives as long as a
-- connection is in it, and an hour more.
local function empty_ttl(kind)
  return digits(kind == 'us' and INBOX_TTL + HOUR or HOUR)
end

-- Makes the meta of a log that has none. Read marks without an epoch belong to the epoch that
-- `read` names; if no message is left, none counts as read. The last entry of a dm has the number
-- of messages that each user has sent.
local function found(c, a, b)
  c.epoch = FRESH
  call('HSET', c.meta, 'epoch', FRESH, 'seq', digits(c.seq), 'term', TERM, 'run', run_now(), 'read', FRESH)
  if c.seq == 0 then
    c.made = 1
    call('PEXPIRE', c.meta, empty_ttl(c.kind))
    if c.kind == 'ro' or c.kind == 'dm' then call('DEL', c.base .. ':read') end
    return
  end
  call('PEXPIRE', c.meta, digits(c.ttl + HOUR + USER_TTL))
  local first, second = string.match(name_of(c.base), '^dm:([^:]*):(.*)$')
  local by_first, by_second = string.match(c.last and c.last[2][4] or '', '^(%d+) (%d+)$')
  if not first or not by_first then return end
  local sent = { ['sent:' .. second] = by_second, ['sent:' .. first] = by_first }
  for field, n in pairs(sent) do call('HSET', c.meta, field, n) end
  c.a, c.b = sent[a or ''], sent[b or '']
end

-- The earlier epochs of a log: {epoch, its last seq}, the latest first.
local FORKS_MOST = 8
local function forks_of(c)
  local all, forks = call('HGETALL', c.meta), {}
  for i = 1, #all, 2 do
    local epoch = string.match(all[i], '^fork:(.*)')
    if epoch then forks[#forks + 1] = { epoch, tonumber(all[i + 1]) } end
  end
  table.sort(forks, function(x, y) return x[2] > y[2] end)
  return forks
end

-- The channel's state; makes meta if there is none. With `appending`, a new epoch begins if the
-- term is another one than at the last append, since this Redis may lack messages that were
-- appended last in the older term; `before` is the epoch until then. (`run` is for nodes of an
-- older version.)
local function open(base, appending, a, b)
  local c = look(base, a, b)
  local meta = c.meta
  if not c.epoch then
    found(c, a, b)
  elseif appending and c.term ~= TERM then
    call('HSETNX', meta, 'read', c.epoch)
    call('HSET', meta, 'fork:' .. c.epoch, digits(c.seq), 'epoch', FRESH, 'term', TERM, 'run', run_now())
    c.before, c.epoch = c.epoch, FRESH
    local forks = forks_of(c)
    for i = FORKS_MOST + 1, #forks do call('HDEL', meta, 'fork:' .. forks[i][1]) end
  end
  c.next = digits(c.seq + 1)
  return c
end

-- The seq at which the oldest epoch that meta still has ended; nil if meta has forgotten none.
local function oldest_fork(c)
  return (forks_of(c)[FORKS_MOST] or {})[2]
end

-- Each log's meta counts the bytes of its messages in `bytes`. `trim` takes out the oldest messages: all
-- above `length`, if that is given, and those that are above `most` bytes; the last one stays. It counts
-- again where the number is not known (`bytes` is nil: an older version wrote meta, it was lost, or the
-- log may have expired since): by the bytes of the log's ends, if it is long. What one call looks at is
-- bounded, and the next append goes on. (This is one function, since each append would make several.)
local function trim(c, length, most)
  local key, total = c.log, call('XLEN', c.log)
  local function bytes_of(entries)
    local sum = 0
    for _, entry in ipairs(entries) do sum = sum + #entry[2][2] end
    return sum
  end
  local over = length and total - length or 0
  if over > 0 and over <= 1024 and c.bytes then
    c.bytes = c.bytes - bytes_of(call('XRANGE', key, '-', '+', 'COUNT', over))
  elseif over > 0 then
    c.bytes = nil
  end
  if over > 0 then
    call('XTRIM', key, 'MAXLEN', digits(length))
    total = length
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
    c.cut = 'log-bytes'
  end
end

-- Appends to the log and returns the frame. The caller publishes it when all is written. field,
-- value: one more field of meta; sent, from: two more of the entry. The log is not trimmed to its length
-- with each append, since Redis then seeks the first entry; it is trimmed now and then, by a few
-- entries more, and so are its bytes. Entries that are too old are taken out with every 16th append.
local function append(c, time, event, data, origin, field, value, sent, from)
  local seq, ttl = c.next, c.ttl
  if time < c.time then time = c.time end
  local frame = '{"channel":' .. quote(name_of(c.base)) .. ',"epoch":"' .. c.epoch .. '","seq":' .. seq ..
    ',"time":' .. time .. ',"event":"' .. event .. '",' ..
    (origin and '"origin":"' .. origin .. '",' or '') .. '"data":' .. data .. '}'
  if from then
    call('XADD', c.log, seq .. '-0', 'frame', frame, 'sent', sent, 'from', from)
  elseif sent then
    call('XADD', c.log, seq .. '-0', 'frame', frame, 'sent', sent)
  else
    call('XADD', c.log, seq .. '-0', 'frame', frame)
  end
  c.seq = c.seq + 1
  local ms = tonumber(millis(time))
  local fresh = ms - c.fresh < ttl / 1024
  local bytes, spare = c.bytes and (fresh or ms - c.fresh < ttl) and c.bytes + #frame, math.floor(MAXLEN / 64)
  local long = spare == 0 or c.seq % spare == 0
  c.bytes = bytes or nil
  if long or not bytes or bytes > LOG_BYTES then
    local full = bytes and bytes > LOG_BYTES
    trim(c, long and MAXLEN - spare, full and LOG_BYTES - math.floor(LOG_BYTES / 64) or LOG_BYTES)
  end
  if c.seq % 16 == 0 then
    local want, rounds = 1, 0
    repeat
      local heads = call('XRANGE', c.log, '-', '+', 'COUNT', want)
      if want == 1 and heads[1] and tonumber(string.match(heads[1][1], '^%d+')) > c.seq - 16 then
        heads, c.bytes = call('XRANGE', c.log, '-', '+', 'COUNT', 16), 0 -- somebody may have deleted the log
        for _, entry in ipairs(heads) do c.bytes = c.bytes + #entry[2][2] end
      end
      want, rounds = 0, rounds + 1
      for _, entry in ipairs(heads) do
        local age = ms - tonumber(string.match(entry[2][2], '"time":(%d+)') or 0) / 1000
        if age > ttl then
          call('XDEL', c.log, entry[1])
          c.bytes = c.bytes - #entry[2][2]
          want = 32
        end
      end
    until want == 0 or rounds == 8 -- the rest goes with later appends
  end
  if not fresh then
    call('HSET', c.meta, 'seq', seq, 'time', time, 'bytes', c.bytes, 'fresh', digits(ms),
         field or 'epoch', value or c.epoch)
    call('PEXPIRE', c.log, digits(ttl))
    call('PEXPIRE', c.meta, digits(ttl + HOUR + USER_TTL))
  elseif field then
    call('HSET', c.meta, 'seq', seq, 'time', time, 'bytes', c.bytes, field, value)
  else
    call('HSET', c.meta, 'seq', seq, 'time', time, 'bytes', c.bytes)
  end
  return frame
end

-- Idempotency. The ids of messages are in buckets of 5 minutes, of which the last two are searched,
-- the later one first, so a repeat is known for 5 to 10 minutes. Buckets go by elapsed time, so that a
-- step of Redis's clock does not end one. They take turns in two keys, whose names can be declared; the
-- field '' has the number of the key's bucket. Their lifetime is long, since a step of the clock could
-- end that, too. A bucket is noted when it begins, and due.lua deletes the buckets that are over.
local BUCKET, IDS_TTL = 300000000, 2592000000
local buckets = {} -- the number of each key's, as far as `seen` has looked
-- Returns what is remembered of the field, and which of the two keys has it.
local function seen(base, field, wall, steps)
  if field == '' then return nil end
  local bucket = math.floor((wall - steps) / BUCKET)
  for n = bucket, bucket + 1 do
    local i = n % 2
    local found = call('HMGET', base .. ':ids:' .. i, '', field)
    buckets[i] = tonumber(found[1] or -1)
    if found[2] and buckets[i] >= bucket - 1 then return found[2], i end
  end
end

-- `seen` comes before it. More fields and values may follow. Returns which of the two keys has them.
local function remember(base, field, wall, steps, what, ...)
  if field == '' then return end
  local bucket = math.floor((wall - steps) / BUCKET)
  local key = base .. ':ids:' .. bucket % 2
  local number = buckets[bucket % 2] or tonumber(call('HGET', key, '') or -1)
  if number >= bucket then
    call('HSET', key, field, what, ...)
  else
    call('DEL', key)
    call('HSET', key, '', digits(bucket), field, what, ...)
    call('PEXPIRE', key, IDS_TTL)
    call('ZADD', P .. 'ids', bucket, key)
    call('PEXPIRE', P .. 'ids', USER_TTL) -- leases prolong its life
  end
  return bucket % 2
end
