-- Logs, for scripts that look at them, and the first look of those that append (writing.lua). `last`
-- in meta is what the last append left there: "<epoch><time><a time in seconds that no message is older
-- than><term> <seq> <bytes of all messages>", and of a dm how many messages each of the two has sent. It
-- has everything in one field, since each field costs as much as a call, and counts while its seq is
-- that of meta, which others may raise. An older version has `time` and `bytes` in fields of their own.
local HOUR = 3600000

local function ttl_of(kind)
  return (kind == 'ro' or kind == 'dm') and ROOM_TTL or INBOX_TTL
end

-- How long meta lives while its log has no message. Any client can cause it to be made, so: as long as a
-- connection is in it, and an hour more; that of an inbox as long as its user may resume it.
local function empty_ttl(kind)
  return kind == 'us' and INBOX_TTL + HOUR or HOUR
end

-- The channel's state; it has no epoch if there is no meta. `a` and `b` are further fields to read.
local function look(base, a, b)
  local meta = base .. ':meta'
  local m = a and call('HMGET', meta, 'epoch', 'seq', 'term', 'last', a, b or 'epoch') or
            call('HMGET', meta, 'epoch', 'seq', 'term', 'last')
  local kind = string.sub(base, SKIP, SKIP + 1)
  local c = { base = base, meta = meta, log = base .. ':log', epoch = m[1], seq = tonumber(m[2] or 0),
              term = m[3], a = m[5], b = m[6], kind = kind, ttl = ttl_of(kind) }
  local last = m[4] or ''
  local _, seq, bytes = string.match(string.sub(last, 35), '^(%S+) (%d+) (%d+)')
  c.time = string.sub(last, 9, 24)
  if seq == m[2] and string.sub(last, 1, 8) == c.epoch then
    c.bytes = tonumber(bytes)
  elseif c.epoch then
    local old = call('HMGET', meta, 'time', 'bytes')
    c.time, c.bytes, c.is_old = old[1] or c.time, tonumber(old[2] or nil), old[1]
  else
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
local function open(base, appending, a, b)
  local c = look(base, a, b)
  local meta = c.meta
  if not c.epoch then
    c.epoch = FRESH
    -- Redis seeks a field of a short hash from its beginning: so these two are where they are.
    call('HSET', meta, 'seq', digits(c.seq), 'last', '', 'epoch', FRESH, 'term', TERM,
         'run', call('HGET', P .. 'term', 'run') or '', 'read', FRESH)
    if c.seq == 0 then
      c.made = 1
      call('PEXPIRE', meta, digits(empty_ttl(c.kind)))
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
  return c
end

-- The seq at which the oldest epoch that meta still has ended; nil if meta has forgotten none.
local function oldest_fork(c)
  return (forks_of(c)[FORKS_MOST] or {})[2]
end
