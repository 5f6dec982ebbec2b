-- Users that are online and have a text in their id. ARGV: the text, the text as a pattern for
-- MATCH, cursor ('0' begins), most users, most steps (of 250 users each; 0: only the user whose id
-- is the text).
-- Returns {0, time, cursor ('0' after the end), {{id, last heartbeat, username}...}, steps left}. A
-- user whose id is the text comes first. The results of one step are not divided, so there may be
-- more users than the most.
local index, text, cursor = P .. 'online', ARGV[3], ARGV[5]
local most, steps, found, known = tonumber(ARGV[6]), tonumber(ARGV[7]), {}, {}
local function add(id, score)
  if known[id] then return end
  known[id] = true
  want(base_of('user:' .. id), { ':profile' })
  found[#found + 1] = { id, score }
end
if cursor == '0' and text ~= '' then
  local score = call('ZSCORE', index, text)
  if score then add(text, score) end
end
while steps > 0 do
  local step = call('ZSCAN', index, cursor, 'MATCH', ARGV[4], 'COUNT', 250)
  cursor, steps = step[1], steps - 1
  for i = 1, #step[2], 2 do add(step[2][i], step[2][i + 1]) end
  if cursor == '0' or #found >= most then break end
end
if wants() then return wanted end
for _, user in ipairs(found) do
  user[3] = call('HGET', base_of('user:' .. user[1]) .. ':profile', 'username') or ''
end
return { 0, now(), cursor, found, steps }
