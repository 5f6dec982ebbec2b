-- How many messages of some peers are still in the logs that a user has with them, by which unread
-- counts are bounded. KEYS: dm... ARGV: the user; then the peer of each.
-- Returns {0, number...}.
local me, out = ARGV[3], { 0 }
for i, base in ipairs(KEYS) do
  local peer = ARGV[i + 3]
  local c = look(base, 'sent:' .. peer)
  local total = tonumber(c.a or 0)
  out[i + 1] = digits(total - sent_by(c, me, peer, 0, total))
end
return out
