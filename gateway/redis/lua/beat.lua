-- Refreshes the scores of users that are online; never adds a user. KEYS: the node.
-- ARGV: incarnation, user... (with no user, it only asks whether the incarnation lives).
-- Returns {0} or {REAPED}.
if not alive(ARGV[3]) then return { REAPED } end
local ms, args = millis(now()), { 'ZADD', P .. 'online', 'XX' }
for i = 4, #ARGV do
  args[#args + 1] = ms
  args[#args + 1] = ARGV[i]
end
if #args > 3 then call(unpack(args)) end
return { 0 }
