-- Read marks: {room}:read and {dm}:read, user → "<seq>", or "<seq> <epoch>" if the epoch is not the
-- one that meta's `read` names. A log that lost its end uses the same seqs again for other
-- messages, so a mark of an earlier epoch counts only up to where the next epoch began.
local function marked(c, mark)
  if not mark then return 0 end
  local seq, epoch = string.match(mark, '^(%d+) ?(.*)$')
  local good = math.min(tonumber(seq or 0), c.seq)
  if epoch == '' then epoch = call('HGET', c.meta, 'read') or c.epoch end
  if not c.epoch or epoch == c.epoch then return good end
  return math.min(good, tonumber(call('HGET', c.meta, 'fork:' .. epoch) or oldest_fork(c) or 0))
end

-- The number of messages that the peer of `me` had sent in their dm by `seq`, of `total` so far. An
-- entry has the numbers that each of the two had sent, in the order of their names in the log's.
local function sent_by(c, me, peer, seq, total)
  local place = string.match(name_of(c.base), '^dm:([^:]*):') == me and 2 or 1
  local function sent(entry)
    return tonumber(({ string.match(entry[2][4] or '', '^(%d+) (%d+)') })[place] or 0)
  end
  local entry = seq > 0 and call('XREVRANGE', c.log, digits(seq) .. '-0', '-', 'COUNT', 1)[1]
  if entry then return sent(entry) end
  local after = call('XRANGE', c.log, digits(seq + 1) .. '-0', '+', 'COUNT', 1)[1]
  if not after then return total end
  -- The log was trimmed up to `seq`: the number before the first entry that is left.
  local theirs = string.find(after[2][2], '"data":{"senderId":' .. quote(peer), 1, true)
  return sent(after) - (theirs and 1 or 0)
end
