-- The first step of a private message whose log and inboxes are not all in one partition: writes it
-- to the log of the two users (without a doorbell), and notes in the partition's outbox that the
-- inboxes are to follow. inbox.lua is the second step and posted.lua the third; private.lua does all
-- at once.
--   {dm}:meta  `posted`: both inboxes have all messages up to this seq
--   outbox     logs of which that is not so for the last message, by when it was written (ms)
-- KEYS: dm. ARGV: sender, receiver, data (an object without its closing brace), idempotency field or
-- '', connection.
-- Returns {0, seq, time, epoch, how many the sender has sent, the epoch of the message before it or
-- '', '1' if both inboxes have all messages before it or '', of how many of the receiver's the sender
-- has read or '' (not known), how many of the sender's the receiver has read or '', 'log-bytes' if
-- old messages were taken out for their bytes or ''}. Of a repeat it returns what the first one got,
-- and one item more: the first one's frame, or '' if the log does not have it any more. Or it returns
-- {CONFLICT} (tagged.lua), or the error STALE (append.lua).
local base, sender, receiver, data, field, origin = KEYS[1], ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local meta, waiting = base .. ':meta', P .. 'outbox'

-- By the time that really went by, since a step of Redis's clock must not keep a log waiting.
local function note_down()
  redis.pcall('ZADD', waiting, digits((wall - steps) / 1000), name_of(base)) -- not of a repeat, if full
  redis.pcall('PEXPIRE', waiting, USER_TTL)
end

local function answer(seq, time, epoch, count, before, cut, frame)
  local m = call('HMGET', meta, 'posted', 'seen:' .. sender, 'seen:' .. receiver)
  local posted = m[1] and tonumber(m[1])
  if not posted then -- an older version wrote the messages before, or meta was lost
    posted = seq - 1
    redis.pcall('HSET', meta, 'posted', digits(posted))
  end
  if posted < tonumber(seq) then note_down() end
  return { 0, seq, time, epoch, count, before, posted >= seq - 1 and '1' or '', m[2] or '', m[3] or '',
           cut, frame }
end

local id, ids, first, number, older, all, count, cut, tag = field, nil, nil, nil, nil, nil, 1, nil, nil
if id ~= '' then
  --+ tagged
  --+ known
end
local applied, entry, place
if tag then
  --+ applied
end
if applied then first = place end
if first and tag and not entry and string.match(first, '%S+$') ~= tag then return { CONFLICT } end
if first then
  local seq, time, epoch, count = string.match(first, '^(%d+) (%d+) (%S+) (%d+)')
  local entry = call('XRANGE', base .. ':log', seq .. '-0', seq .. '-0')[1]
  return answer(seq, time, epoch, count, '', '', entry and entry[2][2] or '')
end
local c, time, stamp
--+ load
--+ tick
if time < c.time then
  time = c.time
  stamp = digits(time)
end
local seq, mine = digits(c.seq + 1), nil
if sender == receiver then c.b = c.a end
if string.match(name_of(base), '^dm:([^:]*):') == sender then
  mine = digits(c.a + 1)
  c.a = mine
else
  mine = digits(c.b + 1)
  c.b = mine
end
c.field, c.value = 'sent:' .. sender, mine
local event, rest = 'new_private_message', ',"timestamp":' .. millis(stamp) .. ',"seq":' .. seq .. '}}'
local sent, from, head = c.a .. ' ' .. c.b, origin .. ' ' .. field, nil
origin = nil
--+ put
--? messages tap_message(c, event)
if entry then
  call('HSET', meta, entry, tag .. ' ' .. seq .. ' ' .. stamp .. ' ' .. c.epoch .. ' ' .. mine)
elseif id ~= '' then
  local list, what, wide = nil, seq .. ' ' .. stamp .. ' ' .. c.epoch .. ' ' .. mine, c.seq % 32 == 0
  if tag then what = what .. ' ' .. tag end
  --+ note
end
--+ settle_log
if seq == '1' then call('HSET', meta, 'posted', 0, 'seen:' .. sender, 0, 'seen:' .. receiver, 0) end
return answer(seq, stamp, c.epoch, mine, c.before or c.epoch, cut and 'log-bytes' or '')
