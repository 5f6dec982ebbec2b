-- How many messages of some peers are still in the logs that a user has with them, and not read, by
-- which unread counts are bounded. (A count is too high if a node ended before settle.lua.) KEYS:
-- dm... ARGV: the user; then the peer of each.
-- Returns {0, number...}.
local me, out = ARGV[3], { 0 }
for i = 1, N do
  local base = KEYS[i]
  local peer = ARGV[i + 3]
  local c = look(base, 'sent:' .. peer, 'seen:' .. me)
  local total = tonumber(c.a or 0)
  out[i + 1] = digits(math.max(0, total - math.max(sent_by(c, me, peer, 0, total), tonumber(c.b or 0))))
end
return out
