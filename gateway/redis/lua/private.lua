-- Writes private messages, each to the log of its two users (dm, without a doorbell), to both inboxes,
-- and to the receiver's count of unread messages: this is one of them (several.lua).
-- KEYS, again and again: dm, the sender's inbox, the receiver's inbox.
-- ARGV, of each message: its place (several.lua), sender, receiver, data (an object without its closing
-- brace), idempotency field or '', connection.
-- Returns "0 <seq> <time> <delivered> <epoch> <seq>", the last two of the sender's inbox, and one word
-- more if old messages were taken out for their bytes; for several messages, and for STALE, see
-- append.lua.
local sender, receiver, data, c, time, stamp = ARGV[start + 1], ARGV[start + 2], ARGV[start + 3], nil, nil, nil
local to, own = KEYS[3 * k - 1], KEYS[3 * k]
local delivered = call('EXISTS', to .. ':conns') == 1 and ' 1 ' or ' 0 '
local applied, entry, place
if tag then
  local base = KEYS[3 * k - 2]
  --+ applied
end
if applied then
  answer = '0 0 0' .. delivered .. '- 0'
elseif first and tag and string.match(first, '%S+$') ~= tag then
  answer = '-8' -- CONFLICT
elseif first then
  more = more or helpers()
  local place, inbox = string.match(first, '^(%d+ %d+) (%d+)')
  c = logs and logs[own] or more.open(own) -- it may be lost; then no connection can wait for its old seq
  answer = '0 ' .. place .. delivered .. c.epoch .. ' ' .. format('%d', math.min(inbox, c.seq))
else
  local dm, inbox, theirs, sent, from, origin, head, base = nil, nil, nil, nil, nil, nil, nil, base
  --+ load
  dm, base = c, own
  --+ load
  inbox, base = c, to
  if sender ~= receiver then
    --+ load
    theirs = c
  end
  --+ tick
  if time < dm.time then
    time = dm.time
    stamp = format('%d', time)
  end
  local seq, event = format('%d', dm.seq + 1), 'new_private_message'
  local rest = ',"timestamp":' .. sub(stamp, 1, -4) .. ',"seq":' .. seq .. '}}'
  what = seq .. ' ' .. stamp
  -- The numbers of messages that each of the two has sent so far, in the order of their names in the
  -- log's, by which `read` counts. (Lua's `<` goes by Redis's locale.) settle_log.lua writes the number of
  -- the one that sent last.
  local pair, field, number = dm.base, 'sent:' .. sender, nil
  if sender == receiver then dm.b = dm.a end
  if sub(pair, SKIP + 3, SKIP + 3 + #sender) == sender .. ':' then
    number = format('%d', dm.a + 1)
    dm.a = number
  else
    number = format('%d', dm.b + 1)
    dm.b = number
  end
  if dm.field and dm.field ~= field then call('HSET', pair .. ':meta', dm.field, dm.value) end
  dm.field, dm.value, dm.at = field, number, i
  c, sent = dm, dm.a .. ' ' .. dm.b
  --+ put
  --? messages tap_message(dm, event)
  c, sent, origin, number = inbox, nil, ARGV[start + 5], format('%d', inbox.seq + 1)
  c.at = i
  local first_of_all = seq == '1'
  seq = number
  --+ put
  if theirs then
    c, seq = theirs, format('%d', theirs.seq + 1)
    c.at = i
    --+ put
    --? unseen if delivered == ' 0 ' then tap_message(c, event, receiver) end
    -- Messages that are unread by the receiver. A conversation that begins (again) has none from
    -- before. The hash lives for USER_TTL, which only the user prolongs, so strangers cannot fill it.
    local unread, PEERS = to .. ':unread', 1000
    if first_of_all then
      call('HDEL', unread, sender)
      call('HDEL', own .. ':unread', receiver)
    end
    if call('HINCRBY', unread, sender, '1') == 1 then
      local peers = call('HLEN', unread)
      if peers > PEERS then call('HDEL', unread, sender) end
      if peers == 1 then call('PEXPIRE', unread, format('%d', USER_TTL)) end
    end
  end
  answer = '0 ' .. what .. delivered .. inbox.epoch .. ' ' .. number
  what = what .. ' ' .. number .. (tag and ' ' .. tag or '')
  if entry then
    call('HSET', KEYS[3 * k - 2] .. ':meta', entry, tag)
    what = nil
  end
end
