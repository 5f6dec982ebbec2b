-- How other nodes can be reached. KEYS: nodes.
-- Returns {0, {name of the process, address, key}...}; an item that a node has not written is nil.
local out = { 0 }
for i = 1, N do out[i + 1] = call('HMGET', KEYS[i] .. ':stats', 'process', 'reached_at', 'key') end
return out
