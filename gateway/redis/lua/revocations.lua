-- From when on the tokens of these users are good. KEYS: user...
-- Returns {0, second (since 1970), or '', ...}, in the same order.
local out = { 0 }
for i = 1, N do out[i + 1] = call('GET', KEYS[i] .. ':revoked') or '' end
return out
