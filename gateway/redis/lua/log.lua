-- A channel's log. An append sets the expiry of the log and its meta again if that was last done a
-- 1024th of the retention ago, and not each time: the call costs Redis as much as the XADD.
local HOUR = 3600000

-- The channel's state; it has no epoch if there is no meta. `a` and `b` are further fields to read.
local function look(base, a, b)
  local meta = base .. ':meta'
  local m = a and call('HMGET', meta, 'epoch', 'seq', 'term', 'time', 'fresh', 'bytes', a, b or 'epoch') or
            call('HMGET', meta, 'epoch', 'seq', 'term', 'time', 'fresh', 'bytes')
  local kind = string.sub(base, SKIP, SKIP + 1)
  local c = { base = base, meta = meta, log = base .. ':log', epoch = m[1], seq = tonumber(m[2] or 0),
              term = m[3], time = m[4] or '', fresh = tonumber(m[5] or 0), bytes = m[6], a = m[7], b = m[8],
              kind = kind, ttl = (kind == 'ro' or kind == 'dm') and ROOM_TTL or INBOX_TTL,
              frames = nil, ms = nil, name = nil, next = nil, last_seq = nil } -- room, so that it does not grow
  if not c.epoch then
    c.a, c.b = nil, nil
    c.last = call('XREVRANGE', c.log, '+', '-', 'COUNT', 1)[1]
    c.seq = c.last and tonumber(string.match(c.last[1], '^%d+')) or 0
  end
  return c
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

-- The channel's state; makes meta if there is none. Read marks without an epoch then belong to the
-- epoch that `read` names; if no message is left, none counts as read. The last entry of a dm has the
-- number of messages that each user has sent. With `appending`, a new epoch begins if the term is another
-- one than at the last append, since this Redis may lack messages that were appended last in the older
-- term; `before` is the epoch until then. (`run` is for nodes of an older version.)
-- The meta of a log without a message lives as long as a connection is in it, and an hour more, since any
-- client can cause it to be made; that of an inbox as long as its user may resume it.
local function open(base, appending, a, b)
  local c = look(base, a, b)
  local meta = c.meta
  if not c.epoch then
    c.epoch = FRESH
    call('HSET', meta, 'epoch', FRESH, 'seq', digits(c.seq), 'term', TERM,
         'run', call('HGET', P .. 'term', 'run') or '', 'read', FRESH)
    if c.seq == 0 then
      c.made = 1
      call('PEXPIRE', meta, digits(c.kind == 'us' and INBOX_TTL + HOUR or HOUR))
      if c.kind == 'ro' or c.kind == 'dm' then call('DEL', base .. ':read') end
    else
      call('PEXPIRE', meta, digits(c.ttl + HOUR + USER_TTL))
      local first, second = string.match(name_of(base), '^dm:([^:]*):(.*)$')
      local by_first, by_second = string.match(c.last and c.last[2][4] or '', '^(%d+) (%d+)$')
      if first and by_first then
        local sent = { ['sent:' .. second] = by_second, ['sent:' .. first] = by_first }
        for field, n in pairs(sent) do call('HSET', meta, field, n) end
        c.a, c.b = sent[a or ''], sent[b or '']
      end
    end
  elseif appending and c.term ~= TERM then
    call('HSETNX', meta, 'read', c.epoch)
    call('HSET', meta, 'fork:' .. c.epoch, digits(c.seq), 'epoch', FRESH, 'term', TERM,
         'run', call('HGET', P .. 'term', 'run') or '')
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

-- Appends to the log. `settle` notes it in meta, and rings the doorbell. sent, from: two more fields of
-- the entry. The log is not trimmed to its length with each append, since Redis then seeks the first
-- entry; it is trimmed now and then, by a few entries more, and so are its bytes. Entries that are
-- too old are taken out with every 16th append.
local function append(c, time, event, data, origin, sent, from)
  local seq, ttl, frames = c.next, c.ttl, c.frames
  if time < c.time then time = c.time end
  c.time = time
  if not frames then -- the first one
    frames = {}
    c.frames, c.ms = frames, tonumber(millis(time))
    c.name = quote(name_of(c.base))
  end
  local frame = '{"channel":' .. c.name .. ',"epoch":"' .. c.epoch .. '","seq":' .. seq ..
    ',"time":' .. time .. ',"event":"' .. event .. '",' ..
    (origin and '"origin":"' .. origin .. '",' or '') .. '"data":' .. data .. '}'
  if from then
    call('XADD', c.log, seq .. '-0', 'frame', frame, 'sent', sent, 'from', from)
  elseif sent then
    call('XADD', c.log, seq .. '-0', 'frame', frame, 'sent', sent)
  else
    call('XADD', c.log, seq .. '-0', 'frame', frame)
  end
  c.seq, c.last_seq = c.seq + 1, seq
  c.next = digits(c.seq + 1)
  local ms = c.ms
  local known = c.bytes and (#frames > 0 or ms - c.fresh < ttl)
  local bytes, spare = known and c.bytes + #frame, math.floor(MAXLEN / 64)
  local long = spare == 0 or c.seq % spare == 0
  c.bytes = bytes or nil
  if long or not bytes or bytes > LOG_BYTES then
    local full = bytes and bytes > LOG_BYTES
    trim(c, long and MAXLEN - spare, full and LOG_BYTES - math.floor(LOG_BYTES / 64) or LOG_BYTES)
  end
  frames[#frames + 1] = frame
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
end

-- Notes in meta what was appended, if anything was, with c.field, one more field of it, and rings the
-- doorbell, unless c.silent.
local function settle(c)
  local frames, field = c.frames, c.field
  if not frames or not frames[1] then return end
  local bytes = digits(c.bytes)
  if c.ms - c.fresh >= c.ttl / 1024 then
    call('HSET', c.meta, 'seq', c.last_seq, 'time', c.time, 'bytes', bytes, 'fresh', digits(c.ms),
         field or 'epoch', c.value or c.epoch)
    call('PEXPIRE', c.log, digits(c.ttl))
    call('PEXPIRE', c.meta, digits(c.ttl + HOUR + USER_TTL))
  elseif field then
    call('HSET', c.meta, 'seq', c.last_seq, 'time', c.time, 'bytes', bytes, field, c.value)
  else
    call('HSET', c.meta, 'seq', c.last_seq, 'time', c.time, 'bytes', bytes)
  end
  if not c.silent then
    for _, frame in ipairs(frames) do call(PUBLISH, c.base, frame) end
  end
end

-- Idempotency. The ids of messages are in buckets of 5 minutes, of which the last two are searched,
-- the later one first, so a repeat is known for 5 to 10 minutes. Buckets go by elapsed time, so that a
-- step of Redis's clock does not end one. They take turns in two keys, whose names can be declared; the
-- field '' has the number of the key's bucket. Their lifetime is long, since a step of the clock could
-- end that, too. A bucket is noted when it begins, and due.lua deletes the buckets that are over.
local BUCKET, IDS_TTL = 300000000, 2592000000
local buckets = {} -- base → the number of each key's, as far as `seen` has looked
-- Returns what is remembered of the field, and which of the two keys has it.
local function seen(base, field, wall, steps)
  if field == '' then return nil end
  local bucket, has = math.floor((wall - steps) / BUCKET), buckets[base] or {}
  buckets[base] = has
  for n = bucket, bucket + 1 do
    local i = n % 2
    local found = call('HMGET', base .. ':ids:' .. i, '', field)
    has[i] = tonumber(found[1] or -1)
    if found[2] and has[i] >= bucket - 1 then return found[2], i end
  end
end

-- `seen` comes before it. More fields and values may follow. Returns which of the two keys has them.
local function remember(base, field, wall, steps, what, ...)
  if field == '' then return end
  local bucket = math.floor((wall - steps) / BUCKET)
  local i = bucket % 2
  local key, has = base .. ':ids:' .. i, buckets[base]
  if (has[i] or tonumber(call('HGET', key, '') or -1)) >= bucket then
    call('HSET', key, field, what, ...)
  else
    call('DEL', key)
    call('HSET', key, '', digits(bucket), field, what, ...)
    call('PEXPIRE', key, IDS_TTL)
    call('ZADD', P .. 'ids', bucket, key)
    call('PEXPIRE', P .. 'ids', USER_TTL) -- leases prolong its life
    has[i] = bucket
  end
  return i
end

-- After `remember`, of a channel that has many ids: Redis keeps them as a table from now on, since one
-- value is long. It searches a short hash from its beginning.
local function widen(base, wall, steps)
  local bucket = math.floor((wall - steps) / BUCKET)
  if (buckets[base] or {})[bucket % 2] == bucket then
    call('HSET', base .. ':ids:' .. bucket % 2, '', string.format('%-65d', bucket))
  end
end
