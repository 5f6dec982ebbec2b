-- A user has read a conversation whose log is in another partition (mark.lua): counts less of it as
-- unread. KEYS: the user. ARGV: peer; then of their log: epoch, how many the peer has sent, how many of
-- these the user has read, and how many before this, or '' if that is not known. The epoch is '' if
-- there is no log: then nothing is unread.
-- Returns {0}.
local peer, epoch = ARGV[3], ARGV[4]
local total, read, before = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
if epoch == '' then
  forget_count(KEYS[1], peer)
  return { 0 }
end
local sent, past, of = counted_of(KEYS[1], peer)
if of == epoch then
  past = math.max(past, read)
elseif of then
  sent, past = total, total - math.min(math.max(0, sent - past), total - read)
elseif before and read > before and call('HLEN', KEYS[1] .. ':counted') < PEERS then
  sent, past = read, read -- messages that were read have not come to the inbox yet
else
  return { 0 }
end
note_count(KEYS[1], peer, sent, past, epoch)
return { 0 }
