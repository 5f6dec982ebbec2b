-- A connection leaves the registry. KEYS: the user, the node. ARGV: user, connection, incarnation, '1' if the
-- node knows that it has another connection of the user, or ''; why it ended, for the tap.
-- Only an entry of this incarnation is taken out.
-- Returns {0, 1 if it was the user's last connection, 1 if rooms of users wait to be turned, with
-- partitions what is to be placed (placing.lua)} or {REAPED}.
local base, user, incarnation = KEYS[1], ARGV[3], ARGV[5]
if not alive(incarnation) then return { REAPED } end
local mark = incarnation .. ' '
local entry, removed = call('HGET', base .. ':conns', ARGV[4]), 0
if entry and string.sub(entry, 1, #mark) == mark then
  if call('HLEN', base .. ':conns') == 1 then want_rooms(base) end
  if wants() then return wanted end
  removed = call('HDEL', base .. ':conns', ARGV[4])
end
-- A node with many connections of one user need not look at all of them as each one ends.
local here = ARGV[6] == '1'
if not here then
  for _, value in ipairs(call('HVALS', base .. ':conns')) do
    if string.sub(value, 1, #mark) == mark then
      here = true
      break
    end
  end
end
if not here then call('SREM', KEYS[2] .. ':users', user) end
--? connections if removed == 1 then tap_closed(user, ARGV[4], incarnation, ARGV[7] or 'closed') end
local last = removed == 1 and call('EXISTS', base .. ':conns') == 0
local left, todo = false, nil
if last then left, todo = gone(user, base, millis(now())) end
return { 0, last and 1 or 0, left and 1 or 0, todo }
