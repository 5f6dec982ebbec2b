-- Where other nodes are reached. KEYS: nodes.
-- Returns {0, {name of the process, address, key}...}; what a node does not say is nil.
local out = { 0 }
for i, key in ipairs(KEYS) do out[i + 1] = call('HMGET', key .. ':stats', 'process', 'reached_at', 'key') end
return out
