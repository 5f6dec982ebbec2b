-- Marks a conversation as read up to a seq. A mark never moves back. KEYS: dm or room, the reader,
-- the peer (of a dm). ARGV: reader, peer or '', seq, '1' with the key of a dm alone: then settle.lua
-- goes on where the reader's count is, and the caller rings the peer's doorbell.
-- Returns {0, 1 if the mark moved} or {NOT_A_MEMBER}; of a dm alone {0, 1 if the mark moved, what
-- settle.lua wants: epoch, sent, read, before; the seq up to which it is marked}.
local base, me, peer = KEYS[1], ARGV[3], ARGV[4]
if peer == '' and not call('ZSCORE', base .. ':members', me) then return { NOT_A_MEMBER } end
local c = look(base)
local before = marked(c, call('HGET', base .. ':read', me))
local seq = math.min(tonumber(ARGV[5]), c.seq)
local moves = seq > before
if moves then
  if not c.epoch then c = open(base) end -- only meta was lost
  local plain = call('HGET', c.meta, 'read')
  if not plain then call('HSET', c.meta, 'read', c.epoch) end
  local known = not plain or plain == c.epoch
  call('HSET', base .. ':read', me, digits(seq) .. (known and '' or ' ' .. c.epoch))
  call('PEXPIRE', base .. ':read', digits(ROOM_TTL + USER_TTL))
end
if peer == '' or peer == me then return { 0, moves and 1 or 0 } end
if ARGV[6] then
  if not c.epoch then return { 0, 0, '', '0', '0', '', '0' } end -- there is no log
  local total = tonumber(call('HGET', c.meta, 'sent:' .. peer) or 0)
  local read, field = sent_by(c, me, peer, math.max(seq, before), total), 'seen:' .. me
  local known = call('HGET', c.meta, field) or ''
  if known == '' or read > tonumber(known) then call('HSET', c.meta, field, digits(read)) end
  return { 0, moves and 1 or 0, c.epoch, digits(total), digits(read), known, digits(math.max(seq, before)) }
end
-- Unread is the number of messages that the peer has sent, less the number up to the mark. It is
-- set even if the mark does not move, since messages that it counted may be gone.
local unread = call('HGET', KEYS[2] .. ':unread', peer)
if unread then
  local total = tonumber(call('HGET', c.meta, 'sent:' .. peer) or 0)
  local left = total - sent_by(c, me, peer, math.max(seq, before), total)
  if left <= 0 then
    call('HDEL', KEYS[2] .. ':unread', peer)
  elseif left < tonumber(unread) then
    call('HSET', KEYS[2] .. ':unread', peer, digits(left))
  end
end
if moves then
  bell(KEYS[3], 'message_read', '{"userId":' .. quote(me) .. ',"peer":' .. quote(peer) ..
    ',"seq":' .. digits(seq) .. '}')
end
return { 0, moves and 1 or 0 }
