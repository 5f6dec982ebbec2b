-- Writes a private message to the log of the two users (dm, without a doorbell), to both inboxes,
-- and to the receiver's count of unread messages.
-- KEYS: dm, the receiver's inbox, the sender's inbox.
-- ARGV: sender, receiver, data (an object without its closing brace), idempotency field or '',
-- connection.
-- Returns {0, seq, time, delivered, the sender's inbox: epoch, seq}, and one item more if old messages
-- were taken out for their bytes; or the error STALE (append.lua).
local sender, receiver, data, field, origin = ARGV[3], ARGV[4], ARGV[5], ARGV[6], ARGV[7]
local wall, text, steps, same = look_at_clock()
local delivered = call('EXISTS', KEYS[2] .. ':conns')
local first = seen(KEYS[1], field, wall, steps)
if first then
  local seq, stamp, inbox = string.match(first, '^(%d+) (%d+) (%d+)')
  local c = open(KEYS[3]) -- it may have been lost since; then no connection can wait for its old seq
  return { 0, seq, stamp, delivered, c.epoch, digits(math.min(inbox, c.seq)) }
end
if stale(wall, text) then return STALE end
-- The numbers of messages that each of the two has sent so far, by which `read` counts. An entry
-- has both, in the order of the users' names in the log's. (Lua's `<` goes by Redis's locale.)
local field_mine = 'sent:' .. sender
local dm, mine = open(KEYS[1], true, field_mine, 'sent:' .. receiver), open(KEYS[3], true)
local time = tick(wall, text, steps, same)
if time < dm.time then time = dm.time end
data = data .. ',"timestamp":' .. millis(time) .. ',"seq":' .. dm.next .. '}'
local by_sender, by_other = digits((dm.a or 0) + 1), dm.b or '0'
local first_is_sender = string.match(name_of(KEYS[1]), '^dm:([^:]*):') == sender
local sent = first_is_sender and by_sender .. ' ' .. by_other or by_other .. ' ' .. by_sender
-- Messages that are unread by the receiver. A conversation that begins (again) has none from
-- before. The hash lives for USER_TTL, which only the user prolongs, so strangers cannot fill it.
local PEERS = 1000
local function count_unread()
  local unread = KEYS[2] .. ':unread'
  if dm.next == '1' then
    call('HDEL', unread, sender)
    call('HDEL', KEYS[3] .. ':unread', receiver)
  end
  local peers = call('HLEN', unread)
  if peers >= PEERS and call('HEXISTS', unread, sender) == 0 then return end
  call('HINCRBY', unread, sender, 1)
  if peers == 0 then call('PEXPIRE', unread, USER_TTL) end
end
append(dm, time, 'new_private_message', data, nil, field_mine, by_sender, sent)
local frame = append(mine, time, 'new_private_message', data, origin)
local other, theirs
if sender ~= receiver then
  theirs = open(KEYS[2], true)
  other = append(theirs, time, 'new_private_message', data, origin)
  count_unread()
end
remember(KEYS[1], field, wall, steps, dm.next .. ' ' .. time .. ' ' .. mine.next)
if other then call(PUBLISH, KEYS[2], other) end
call(PUBLISH, KEYS[3], frame)
return { 0, dm.next, time, delivered, mine.epoch, mine.next, dm.cut or mine.cut or (theirs and theirs.cut) }
