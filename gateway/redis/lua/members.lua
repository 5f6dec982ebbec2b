-- All members of a room, as one of them sees them; those that were seen last come first.
-- KEYS: room, that member. ARGV: that member.
-- Returns {0, then for each: id, username, role, online, unread} or {NOT_A_MEMBER}.
local base, me = KEYS[1], ARGV[3]
if not call('ZSCORE', base .. ':members', me) then return { NOT_A_MEMBER } end
-- Messages that were counted may have left the log since, or the log may be gone.
local function unread(peer)
  local count = tonumber(call('HGET', KEYS[2] .. ':unread', peer) or 0)
  if count == 0 then return '0' end
  local dm = me <= peer and me .. ':' .. peer or peer .. ':' .. me
  local c = look(base_of('dm:' .. dm), 'sent:' .. peer)
  local total = tonumber(c.a or 0)
  return digits(math.max(0, math.min(count, total - sent_by(c, me, peer, 0, total))))
end
local out = { 0 }
for _, id in ipairs(call('ZREVRANGE', base .. ':members', 0, 999)) do
  local profile = call('HMGET', base_of('user:' .. id) .. ':profile', 'username', 'role')
  local n = #out
  out[n + 1] = id
  out[n + 2] = profile[1] or id
  out[n + 3] = profile[2] or 'user'
  out[n + 4] = call('ZSCORE', base .. ':here', id) and 1 or 0
  out[n + 5] = unread(id)
end
return out
