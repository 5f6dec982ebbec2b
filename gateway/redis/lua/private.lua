-- Writes private messages, each to the log of its two users (dm, without a doorbell), to both inboxes,
-- and to the receiver's count of unread messages.
-- KEYS, again and again: dm, the receiver's inbox, the sender's inbox.
-- ARGV, of each message: its place (several.lua), sender, receiver, data (an object without its closing
-- brace), idempotency field or '', connection.
-- Returns "0 <seq> <time> <delivered> <epoch> <seq>", the last two of the sender's inbox, and one word
-- more if old messages were taken out for their bytes; for several messages, and for STALE, see
-- append.lua.
local SIZE, BASES, FIELD, count, PEERS = 6, 3, 4, (#ARGV - 2) / 6, 1000

local function one(start, k, i)
  local sender, receiver, data = ARGV[start + 1], ARGV[start + 2], ARGV[start + 3]
  local id, origin = ARGV[start + 4], ARGV[start + 5]
  local pair, to, from = KEYS[3 * k - 2], KEYS[3 * k - 1], KEYS[3 * k]
  local delivered = call('EXISTS', to .. ':conns') == 1 and ' 1 ' or ' 0 '
  local mine = id ~= '' and (known[pair] or look_up(pair, { id }))
  local first = mine and mine[id]
  if first then
    more = more or helpers()
    local what, inbox = string.match(first, '^(%d+ %d+) (%d+)')
    local c = logs[from] or more.open(from) -- it may be lost; then no connection can wait for its old seq
    return '0 ' .. what .. delivered .. c.epoch .. ' ' .. format('%d', math.min(inbox, c.seq))
  end
  local time, stamp = tick(count)
  local dm, inbox, theirs = log_of(pair), log_of(from), nil
  if sender ~= receiver then theirs = log_of(to) end
  if time < dm.time then
    time = dm.time
    stamp = format('%d', time)
  end
  local seq = format('%d', dm.seq + 1)
  local rest = ',"timestamp":' .. sub(stamp, 1, -4) .. ',"seq":' .. seq .. '}}'
  -- The numbers of messages that each of the two has sent so far, in the order of their names in the
  -- log's, by which `read` counts. (Lua's `<` goes by Redis's locale.)
  local sent
  if sender == receiver then dm.b = dm.a end
  if sub(pair, SKIP + 3, SKIP + 3 + #sender) == sender .. ':' then
    sent = format('%d', dm.a + 1)
    dm.a = sent
  else
    sent = format('%d', dm.b + 1)
    dm.b = sent
  end
  local both = dm.a .. ' ' .. dm.b
  -- `settle` writes the number of the one that sent last.
  local field = 'sent:' .. sender
  if dm.field and dm.field ~= field then call('HSET', pair .. ':meta', dm.field, dm.value) end
  dm.field, dm.value, dm.both = field, sent, ' ' .. both
  put(dm, time, stamp, seq, 'new_private_message', data, rest, nil, both)
  local number = format('%d', inbox.seq + 1)
  put(inbox, time, stamp, number, 'new_private_message', data, rest, origin)
  dm.at, inbox.at = i, i
  if theirs then
    put(theirs, time, stamp, format('%d', theirs.seq + 1), 'new_private_message', data, rest, origin)
    theirs.at = i
    -- Messages that are unread by the receiver. A conversation that begins (again) has none from
    -- before. The hash lives for USER_TTL, which only the user prolongs, so strangers cannot fill it.
    local unread = to .. ':unread'
    if seq == '1' then
      call('HDEL', unread, sender)
      call('HDEL', from .. ':unread', receiver)
    end
    if call('HINCRBY', unread, sender, '1') == 1 then
      local peers = call('HLEN', unread)
      if peers > PEERS then call('HDEL', unread, sender) end
      if peers == 1 then call('PEXPIRE', unread, format('%d', USER_TTL)) end
    end
  end
  local what = seq .. ' ' .. stamp
  if mine then
    local list, all = noted[pair], what .. ' ' .. number
    mine[id] = all
    if list then list[#list + 1], list[#list + 2] = id, all else noted[pair] = { id, all } end
  end
  return '0 ' .. what .. delivered .. inbox.epoch .. ' ' .. number
end
