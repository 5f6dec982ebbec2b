-- The second step of private messages (dm.lua), for the inbox of one of the two: writes them there
-- and counts those of the peer as unread. An inbox follows the log of the two, so messages of a
-- conversation come in the order of the log, each once. Among the ids it keeps a mark of the peer:
-- "<epoch> <seq> <at>", the last message of their log that the inbox has, and the inbox's seq then.
-- KEYS: the inbox. ARGV: peer; the place in their log (epoch, seq) after which the messages come; '1'
-- if the inbox has all messages up to there, unless it has lost them, or ''; '1' to look for the
-- messages in the inbox's log, too, since they may be older than the ids that are kept, or ''; how
-- many of the peer's messages the user has read, or ''. Then for each message, in the order of their
-- log: epoch, seq, sender, idempotency field or '', connection, how many the sender has sent, data.
-- Returns {0, epoch, seq, 1 if the inbox's user has a live connection, 'log-bytes' if old messages
-- were taken out for their bytes or ''}: the messages are in the inbox, up to that place. Or {1, epoch,
-- seq, 1 or 0, '', epoch and seq of the mark}: it lacks others before them, and took none; the mark's
-- epoch is '' if there is none. Or the error STALE (append.lua).
local base, peer, after, after_seq, read = KEYS[1], ARGV[3], ARGV[4], tonumber(ARGV[5]), tonumber(ARGV[8])
local FIRST, FIELDS = 9, 7
local count = (#ARGV - FIRST + 1) / FIELDS
local me, to_mark = string.match(name_of(base), '^user:(.*)$'), '\n' .. peer
local live, c, time, stamp = call('EXISTS', base .. ':conns'), nil, nil, nil
--+ load

-- The same id may have gone to several receivers.
local function id_of(place)
  local field = ARGV[place + 3]
  return field ~= '' and (ARGV[place + 2] == me and peer or me) .. ':' .. field
end

local ids, id, first, number, older, all, cut = { to_mark }, nil, nil, nil, nil, nil, nil
for i = 1, count do ids[#ids + 1] = id_of(FIRST + (i - 1) * FIELDS) or nil end
--+ known
local mark, mark_seq, in_log = string.match(all[to_mark] or '', '^(%S+) (%d+) (%d+)$')
if in_log and tonumber(in_log) > c.seq then mark = nil end -- somebody has deleted the log
if not mark then mark_seq, in_log = '0', digits(c.seq) end

-- The first message that the inbox has not; nil: others are before it.
local function first_new()
  if not mark then return ARGV[6] ~= '' and 1 or nil end
  for i = count - 1, 0, -1 do
    local place = FIRST + i * FIELDS
    if ARGV[place] == mark and tonumber(ARGV[place + 1]) <= tonumber(mark_seq) then return i + 2 end
  end
  return mark == after and tonumber(mark_seq) == after_seq and 1 or nil
end

local from = first_new()
if not from then return { 1, c.epoch, in_log, live, '', mark or '', mark_seq } end

-- Where the last entries of the log are: data → seq.
local function look_in_log()
  local found, size, place = {}, 0, '+'
  for _ = 1, 16 do
    local entries = call('XREVRANGE', base .. ':log', place, '-', 'COUNT', 64)
    for _, entry in ipairs(entries) do
      local seq, frame = string.match(entry[1], '^%d+'), entry[2][2]
      found[string.match(frame, '^.-"event":"new_private_message".-"data":(.*)}$') or ''] = seq
      size, place = size + #frame, digits(seq - 1) .. '-0'
      if size > 4194304 then return found end
    end
    if #entries < 64 or place == '0-0' then break end
  end
  return found
end

-- Is there room for one more peer? Those of whom nothing is unread make it.
local function make_room()
  local counted = base .. ':counted'
  if call('HLEN', base .. ':unread') >= PEERS then return false end
  if call('HLEN', counted) < PEERS then return true end
  local all, out = call('HGETALL', counted), {}
  for i = 1, #all, 2 do
    local sent, past = string.match(all[i + 1], '^(%d+) (%-?%d+) ')
    if sent and tonumber(sent) <= tonumber(past) then out[#out + 1] = all[i] end
  end
  return #out > 0 and call('HDEL', counted, unpack(out)) > 0
end

local function count_unread(epoch, seq, is_mine, number)
  local sent, past, of = counted_of(base, peer)
  if of and of ~= epoch and seq == '1' then -- a conversation that begins again has none from before
    forget_count(base, peer)
    of = nil
  end
  if is_mine or number == 0 then return end
  if of == epoch then
    sent, past = math.max(sent, number), math.max(past, read or 0)
  elseif of then
    sent, past = number, number - 1 - math.max(0, sent - past)
  else
    if not make_room() then return end
    sent, past = number, read or number - 1
  end
  note_count(base, peer, sent, past, epoch)
end

local found, news = not mark and ARGV[7] ~= '' and look_in_log() or {}, { to_mark, '' }
for i = from, count do
  local place = FIRST + (i - 1) * FIELDS
  local sender, field, origin, data = ARGV[place + 2], id_of(place), ARGV[place + 4], ARGV[place + 6]
  mark, mark_seq = ARGV[place], ARGV[place + 1]
  if not (field and all[field] or found[data]) then
    local seq, event, rest, sent, from, head = digits(c.seq + 1), 'new_private_message', '}', nil, nil, nil
    origin = origin ~= '' and origin
    --+ tick
    --+ put
    --? unseen if live == 0 and peer ~= me and sender ~= me then tap_message(c, event, me) end
    if peer ~= me then count_unread(mark, mark_seq, sender == me, tonumber(ARGV[place + 5])) end
    if field then all[field], news[#news + 1], news[#news + 2] = seq, field, seq end
  end
end
if from <= count then
  in_log = digits(c.seq)
  news[2] = mark .. ' ' .. mark_seq .. ' ' .. in_log
  local list, what, wide = news, nil, false
  --+ note
  -- There is one mark, so that none is found that the earlier bucket has of it.
  if older then call('HDEL', base .. other_turn, to_mark) end
end
if c.frames then
  --+ settle_log
end
return { 0, c.epoch, in_log, live, cut and 'log-bytes' or '' }
