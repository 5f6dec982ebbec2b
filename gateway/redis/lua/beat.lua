-- Refreshes the score of users who are online; never adds one. KEYS: the node.
-- ARGV: incarnation, user... (none: only asks whether it lives). Returns {0} or {REAPED}.
if not alive(ARGV[3]) then return { REAPED } end
local ms, args = millis(now()), { 'ZADD', P .. 'online', 'XX' }
for i = 4, #ARGV do
  args[#args + 1] = ms
  args[#args + 1] = ARGV[i]
end
if #args > 3 then call(unpack(args)) end
return { 0 }
