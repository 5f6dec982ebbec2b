-- Writes the index of rooms by their number of members online. The script counts the members, so it
-- does not matter which node names a room, or how late. KEYS: rooms. It finds those of the entries.
-- ARGV: the rank from which to check entries (some are of rooms that no node names, since theirs
-- died) or '', how many to check, the names of the rooms.
-- Returns {0, the rank to go on from}, or {1} if a full Redis refused.
local index, refused, gone = P .. 'rooms', 0, 0
local function count(room)
  local online = call('ZCARD', base_of('room:' .. room) .. ':here')
  if online == 0 then
    gone = gone + call('ZREM', index, room)
  elseif type(redis.pcall('ZADD', index, online, room)) == 'table' then
    refused = 1
  end
end
local from, most = tonumber(ARGV[3]), tonumber(ARGV[4])
local entries = from and call('ZRANGE', index, from, from + most - 1) or {}
for _, room in ipairs(entries) do want(base_of('room:' .. room), { ':here' }) end
if wants() then return wanted end
for i = 5, #ARGV do count(ARGV[i]) end
call('PEXPIRE', index, USER_TTL)
if not from then return { refused } end
for _, room in ipairs(entries) do count(room) end
return { refused, #entries == most and from + most - gone or 0 }
