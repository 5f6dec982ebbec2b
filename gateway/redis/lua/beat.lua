-- Refreshes the score of users who are online; never adds one. KEYS: the node.
-- ARGV: incarnation, user... Returns {0} or {REAPED}.
if not alive(ARGV[3]) then return { REAPED } end
local ms, args = millis(now()), { 'ZADD', P .. 'online', 'XX' }
for i = 4, #ARGV do
  args[#args + 1] = ms
  args[#args + 1] = ARGV[i]
end
call(unpack(args))
return { 0 }
