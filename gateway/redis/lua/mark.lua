-- Marks a conversation as read up to a seq; never backwards. KEYS: dm or room, the reader, the peer
-- (of a dm). ARGV: reader, peer or '', seq.
-- Returns {0, 1 if the mark moved} or {NOT_A_MEMBER}.
local base, me, peer = KEYS[1], ARGV[3], ARGV[4]
if peer == '' and not call('ZSCORE', base .. ':members', me) then return { NOT_A_MEMBER } end
local c = open(base)
local seq = math.min(tonumber(ARGV[5]), c.seq)
local before = tonumber(call('HGET', base .. ':read', me) or 0)
if seq <= before then return { 0, 0 } end
call('HSET', base .. ':read', me, digits(seq))
call('PEXPIRE', base .. ':read', digits(ROOM_TTL + USER_TTL))
if peer == '' or peer == me then return { 0, 1 } end
-- Unread: what the peer has sent in all, less what they had sent at `seq`.
local mine = me <= peer and 2 or 1 -- the peer's place in an entry's `sent`
local total = tonumber(call('HGET', c.meta, 'sent:' .. peer) or 0)
local function sent_by_peer(entry)
  return tonumber(({ string.match(entry[2][4], '^(%d+) (%d+)') })[mine])
end
local at = total
local entry = call('XREVRANGE', c.log, digits(seq) .. '-0', '-', 'COUNT', 1)[1]
local after = not entry and call('XRANGE', c.log, digits(seq + 1) .. '-0', '+', 'COUNT', 1)[1]
if entry then
  at = sent_by_peer(entry)
elseif after then -- trimmed up to `seq`: what stood before the first that is left
  local theirs = string.find(after[2][2], '"data":{"senderId":' .. quote(peer), 1, true)
  at = sent_by_peer(after) - (theirs and 1 or 0)
end
local unread = tonumber(call('HGET', KEYS[2] .. ':unread', peer) or 0)
if total - at <= 0 then
  call('HDEL', KEYS[2] .. ':unread', peer)
elseif total - at < unread then
  call('HSET', KEYS[2] .. ':unread', peer, digits(total - at))
end
bell(KEYS[3], 'message_read', '{"userId":' .. quote(me) .. ',"peer":' .. quote(peer) ..
  ',"seq":' .. digits(seq) .. '}')
return { 0, 1 }
