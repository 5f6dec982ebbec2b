-- From when on the tokens of these users are good. ARGV: user...
-- Returns {0, second (since 1970), or '', ...}, in the same order.
local out = { 0 }
for i = 3, #ARGV do out[#out + 1] = call('GET', base_of('user:' .. ARGV[i]) .. ':revoked') or '' end
return out
