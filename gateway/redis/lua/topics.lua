-- In which topics a node has subscribers, for the tap. KEYS: the node. ARGV: incarnation, then of each
-- topic: its channel, '1' if the node has some.
--   {node}:topics  those in which it has
--   topics         by how many nodes have
-- Returns {0} or {REAPED}.
local own, ms = KEYS[1] .. ':topics', nil
if not alive(ARGV[3]) then return { REAPED } end
for i = 4, #ARGV, 2 do
  if ARGV[i + 1] == '1' then
    if call('SADD', own, ARGV[i]) == 1 then topic_counts(ARGV[i], '1') end
  elseif call('SREM', own, ARGV[i]) == 1 then
    topic_counts(ARGV[i], '-1')
  end
end
call('PEXPIRE', own, USER_TTL)
call('PEXPIRE', P .. 'topics', USER_TTL)
return { 0 }
