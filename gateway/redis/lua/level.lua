-- Which logs have gone on? KEYS: channels. ARGV: the epoch and seq of each.
-- Returns {0, i...}: the i-th log does not end there, so it is to be read (read.lua).
local out = { 0 }
for i = 1, N do
  local m = call('HMGET', KEYS[i] .. ':meta', 'epoch', 'seq')
  if m[1] ~= ARGV[2 * i + 1] or m[2] ~= ARGV[2 * i + 2] then out[#out + 1] = i end
end
return out
