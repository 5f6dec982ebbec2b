-- The second step of a private message (dm.lua), for the inbox of one of the two: writes it there, if
-- it is not there yet, and counts it as unread by the receiver.
-- KEYS: the inbox. ARGV: sender, receiver, data, idempotency field or '', connection; then the
-- message's place in the log of the two: epoch, seq, how many the sender has sent, how many of them
-- the receiver has read or ''; and '1' if the message is of a note, which may be older than the ids
-- that are kept, or ''.
-- Returns {0, epoch, seq, 1 if the inbox's user has a live connection}, and one item more if old
-- messages were taken out for their bytes; or the error STALE (append.lua).
local base, sender, receiver, data, origin = KEYS[1], ARGV[3], ARGV[4], ARGV[5], ARGV[7]
local epoch, seq, count, read = ARGV[8], ARGV[9], tonumber(ARGV[10]), tonumber(ARGV[11])
local is_mine = name_of(base) == 'user:' .. sender
local peer = is_mine and receiver or sender
-- The same id may have gone to several receivers. A seq alone comes again after a lost tail.
local field = ARGV[6] ~= '' and receiver .. ':' .. ARGV[6] or
  '\n' .. epoch .. ' ' .. seq .. ' ' .. sender .. ' ' .. receiver
local wall, text, steps, same = look_at_clock()
local live = call('EXISTS', base .. ':conns')

-- The seq at which the inbox has the message, among its last entries; nil if it has not.
local function find_in_log()
  local oldest, from, size = tonumber(string.match(data, '"timestamp":(%d+),"seq":%d+}$') or 0) - 60000, '+', 0
  for _ = 1, 16 do -- the clocks of masters differ by less than a minute
    local entries = call('XREVRANGE', base .. ':log', from, '-', 'COUNT', 64)
    for _, entry in ipairs(entries) do
      local seq, frame = string.match(entry[1], '^%d+'), entry[2][2]
      if string.sub(frame, -#data - 1, -2) == data then return seq end
      size = size + #frame
      if size > 4194304 or tonumber(string.match(frame, '"time":(%d+)') or 0) / 1000 < oldest then return nil end
      from = digits(seq - 1) .. '-0'
    end
    if #entries < 64 or from == '0-0' then return nil end
  end
end

local first = seen(base, field, wall, steps) or ARGV[12] == '1' and find_in_log()
if first then
  local c = open(base)
  return { 0, c.epoch, digits(math.min(first, c.seq)), live }
end
if stale(wall, text) then return STALE end

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

local function count_unread()
  local sent, past, of = counted_of(base, peer)
  if of and of ~= epoch and seq == '1' then -- a conversation that begins again has none from before
    forget_count(base, peer)
    of = nil
  end
  if is_mine or count == 0 then return end
  if of == epoch then
    sent, past = math.max(sent, count), math.max(past, read or 0)
  elseif of then
    sent, past = count, count - 1 - math.max(0, sent - past)
  else
    if not make_room() then return end
    sent, past = count, read or count - 1
  end
  note_count(base, peer, sent, past, epoch)
end

local c = open(base, true)
local frame = append(c, tick(wall, text, steps, same), 'new_private_message', data, origin ~= '' and origin)
if sender ~= receiver then count_unread() end
remember(base, field, wall, steps, digits(c.seq))
call(PUBLISH, base, frame)
return { 0, c.epoch, digits(c.seq), live, c.cut }
