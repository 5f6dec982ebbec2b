-- Which users have a connection. KEYS: user... Returns {0, then for each: 1 or 0}.
local out = { 0 }
for i = 1, N do out[i + 1] = call('EXISTS', KEYS[i] .. ':conns') end
return out
