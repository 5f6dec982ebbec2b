-- How far each has read: {room}:read and {dm}:read, user → "<seq>", or "<seq> <epoch>" when the
-- epoch is not the one that meta's `read` names. A log that lost its end goes on with the same seqs
-- for other messages, so a mark of an epoch that is over counts up to where the next one began.
local function marked(c, mark)
  if not mark then return 0 end
  local seq, epoch = string.match(mark, '^(%d+) ?(.*)$')
  local good = math.min(tonumber(seq or 0), c.seq)
  if epoch == '' then epoch = call('HGET', c.meta, 'read') or c.epoch end
  if not c.epoch or epoch == c.epoch then return good end
  return math.min(good, tonumber(call('HGET', c.meta, 'fork:' .. epoch) or oldest_fork(c) or 0))
end

-- How many messages a peer of `me` had sent in their dm by `seq`, of `total` so far. Entries have how
-- many each of the two had sent, in the order of their ids.
local function sent_by(c, me, peer, seq, total)
  local place = me <= peer and 2 or 1
  local function sent(entry)
    return tonumber(({ string.match(entry[2][4] or '', '^(%d+) (%d+)') })[place] or 0)
  end
  local entry = seq > 0 and call('XREVRANGE', c.log, digits(seq) .. '-0', '-', 'COUNT', 1)[1]
  if entry then return sent(entry) end
  local after = call('XRANGE', c.log, digits(seq + 1) .. '-0', '+', 'COUNT', 1)[1]
  if not after then return total end
  -- Trimmed up to `seq`: what stood before the first that is left.
  local theirs = string.find(after[2][2], '"data":{"senderId":' .. quote(peer), 1, true)
  return sent(after) - (theirs and 1 or 0)
end
