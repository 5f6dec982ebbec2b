-- A page of a room's members; those that were seen last come first. KEYS: room. ARGV: most members,
-- the cursor that the page before answered, or ''.
-- Returns {0, total, online, cursor or '' if this is the last page, then for each: id, online}. profiles.lua
-- tells their names. A cursor is the score and the id of a page's last member. If that member has left
-- or was seen again, the page goes on with those who were not seen later.
local key, most, from = KEYS[1] .. ':members', tonumber(ARGV[3]), 0
local score, last = string.match(ARGV[4], '^(%d+) (.*)$')
if score and tonumber(call('ZSCORE', key, last) or -1) == tonumber(score) then
  from = call('ZREVRANK', key, last) + 1
elseif score then
  from = call('ZCOUNT', key, '(' .. score, '+inf')
end
local found, total = call('ZREVRANGE', key, from, from + most - 1, 'WITHSCORES'), call('ZCARD', key)
local more = #found > 0 and from + #found / 2 < total
local out = { 0, total, call('ZCARD', KEYS[1] .. ':here'), more and found[#found] .. ' ' .. found[#found - 1] or '' }
for i = 1, #found, 2 do
  local id, n = found[i], #out
  out[n + 1] = id
  out[n + 2] = call('ZSCORE', KEYS[1] .. ':here', id) and 1 or 0
end
return out
