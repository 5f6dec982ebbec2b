-- Writes the index of rooms by how many of their members are online. The number is counted here, so
-- it does not matter who tells of a room, or how late. ARGV: the rank from which to look at entries
-- nobody tells of (of rooms that died with their node) or '', how many, rooms...
-- Returns {0, the rank to go on from} or {1} when a full Redis refused.
local index, refused, gone = P .. 'rooms', 0, 0
local function count(room)
  local online = call('ZCARD', base_of('room:' .. room) .. ':here')
  if online == 0 then
    gone = gone + call('ZREM', index, room)
  elseif type(redis.pcall('ZADD', index, online, room)) == 'table' then
    refused = 1
  end
end
for i = 5, #ARGV do count(ARGV[i]) end
call('PEXPIRE', index, USER_TTL)
local from, most = tonumber(ARGV[3]), tonumber(ARGV[4])
if not from then return { refused } end
gone = 0
local entries = call('ZRANGE', index, from, from + most - 1)
for _, room in ipairs(entries) do count(room) end
return { refused, #entries == most and from + most - gone or 0 }
