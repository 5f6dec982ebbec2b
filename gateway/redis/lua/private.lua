-- Writes private messages, each to the log of its two users (dm, without a doorbell), to both inboxes,
-- and to the receiver's count of unread messages.
-- KEYS, again and again: dm, the receiver's inbox, the sender's inbox.
-- ARGV, of each message: its place (several.lua), sender, receiver, data (an object without its closing
-- brace), idempotency field or '', connection.
-- Returns {0, seq, time, delivered, the sender's inbox: epoch, seq}, and one item more if old messages
-- were taken out for their bytes; for several messages, and for STALE, see append.lua.
local wall, text, steps, same = look_at_clock()
local logs, time, count, PEERS = {}, nil, (#ARGV - 2) / 6, 1000

local function one(k, at, seen, remember)
  local sender, receiver, data = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3]
  local field, origin = ARGV[at + 4], ARGV[at + 5]
  local pair, to, from = KEYS[3 * k - 2], KEYS[3 * k - 1], KEYS[3 * k]
  local delivered = call('EXISTS', to .. ':conns')
  local first = seen(pair, field, wall, steps)
  if first then
    local seq, stamp, inbox = string.match(first, '^(%d+) (%d+) (%d+)')
    local c = logs[from] or open(from) -- it may be lost; then no connection can wait for its old seq
    return { 0, seq, stamp, delivered, c.epoch, digits(math.min(inbox, c.seq)) }
  end
  if not time and stale(wall, text) then return STALE end
  time = tick(wall, text, steps, same, count, time)
  -- The numbers of messages that each of the two has sent so far, by which `read` counts: a is that of
  -- dm.user. An entry has both, in the order of the users' names in the log's. (Lua's `<` goes by
  -- Redis's locale.)
  local dm, mine, theirs = logs[pair], logs[from], logs[to]
  if not dm then
    dm = open(pair, true, 'sent:' .. sender, 'sent:' .. receiver)
    dm.user, dm.silent, logs[pair], logs[#logs + 1] = sender, true, dm, dm
    dm.is_first = string.match(name_of(pair), '^dm:([^:]*):') == sender
    dm.a, dm.b = dm.a or '0', dm.b or '0'
  end
  if not mine then
    mine = open(from, true)
    logs[from], logs[#logs + 1] = mine, mine
  end
  local stamp, seq = time < dm.time and dm.time or time, dm.next
  data = data .. ',"timestamp":' .. millis(stamp) .. ',"seq":' .. seq .. '}'
  if sender == dm.user then
    dm.a = digits(dm.a + 1)
  else
    dm.b = digits(dm.b + 1)
  end
  -- `settle` writes the number of the one that sent last.
  local mine_sent, sent = 'sent:' .. sender, sender == dm.user and dm.a or dm.b
  if dm.field and dm.field ~= mine_sent then call('HSET', dm.meta, dm.field, dm.value) end
  dm.field, dm.value = mine_sent, sent
  append(dm, stamp, 'new_private_message', data, nil,
         dm.is_first and dm.a .. ' ' .. dm.b or dm.b .. ' ' .. dm.a)
  append(mine, stamp, 'new_private_message', data, origin)
  local inbox, cut = mine.last_seq, dm.cut or mine.cut
  if sender ~= receiver then
    if not theirs then
      theirs = open(to, true)
      logs[to], logs[#logs + 1] = theirs, theirs
    end
    append(theirs, stamp, 'new_private_message', data, origin)
    cut = cut or theirs.cut
    -- Messages that are unread by the receiver. A conversation that begins (again) has none from
    -- before. The hash lives for USER_TTL, which only the user prolongs, so strangers cannot fill it.
    local unread = to .. ':unread'
    if seq == '1' then
      call('HDEL', unread, sender)
      call('HDEL', from .. ':unread', receiver)
    end
    if call('HINCRBY', unread, sender, 1) == 1 then
      local peers = call('HLEN', unread)
      if peers > PEERS then call('HDEL', unread, sender) end
      if peers == 1 then call('PEXPIRE', unread, USER_TTL) end
    end
  end
  remember(pair, field, wall, steps, seq .. ' ' .. stamp .. ' ' .. inbox)
  return { 0, seq, stamp, delivered, mine.epoch, inbox, cut }
end

return several(one, count, 6, 3, 4, wall, steps, function()
  for _, c in ipairs(logs) do
    settle(c)
    if c.silent and c.frames and c.seq % 128 < #c.frames then widen(c.base, wall, steps) end
  end
end)
