-- A user has read a conversation whose log is in another partition (mark.lua): counts less of it as
-- unread. KEYS: the user. ARGV: peer; then of their log: epoch, how many the peer has sent, how many of
-- these the user has read, and how many before this, or '' if that is not known. The epoch is '' if
-- there is no log: then nothing is unread.
-- Returns {0}.
local unread, peer, epoch = KEYS[1] .. ':unread', ARGV[3], ARGV[4]
local total, read, before = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
if epoch == '' then
  call('HDEL', unread, peer)
  return { 0 }
end
local sent, past, of = string.match(call('HGET', unread, peer) or '', '^%d+ (%d+) (%-?%d+) (%S+)$')
if of == epoch then
  past = math.max(past, read)
elseif of then
  sent, past = total, total - math.min(math.max(0, sent - past), total - read)
elseif before and read > before and call('HLEN', unread) < 1000 then
  sent, past = read, read -- messages that were read have not come to the inbox yet
else
  return { 0 }
end
local number = digits(math.max(0, sent - past))
call('HSET', unread, peer, table.concat({ number, digits(sent), digits(past), epoch }, ' '))
if call('PTTL', unread) < 0 then call('PEXPIRE', unread, USER_TTL) end
return { 0 }
