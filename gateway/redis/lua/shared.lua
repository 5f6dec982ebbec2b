-- The seq up to which a log has the same as a position; nil: it does not know that epoch.
local function shared(c, theirs, seq)
  if theirs == c.epoch then return math.min(seq, c.seq) end
  local fork = call('HGET', c.meta, 'fork:' .. theirs)
  if fork then return math.min(seq, tonumber(fork)) end
  local near = call('XREVRANGE', c.log, digits(seq) .. '-0', '-', 'COUNT', 1)[1]
  if near and string.match(near[2][2], '^{"channel":".-","epoch":"([^"]*)"') == theirs then
    -- meta or its forks were lost, but the log has the message itself, or one before it
    return tonumber(string.match(near[1], '^%d+'))
  end
end
