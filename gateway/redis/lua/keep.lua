-- Keeps the sessions of live connections from expiring. KEYS: the sessions. ARGV: ttl, the owner of
-- each. Returns {0, status...}; each status is one of session.lua's.
local out = { 0 }
for i = 1, N do
  local key = KEYS[i]
  local s = call('HMGET', key, 'owner', 'term')
  if not s[1] or s[2] ~= TERM then
    out[i + 1] = 1
  elseif s[1] ~= ARGV[i + 3] then
    out[i + 1] = 2
  else
    out[i + 1] = 0
    call('PEXPIRE', key, ARGV[3])
  end
end
return out
