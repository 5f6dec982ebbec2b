-- The names and roles of users. KEYS: user... Returns {0, then for each: username or '', role or ''}.
local out = { 0 }
for i = 1, N do
  local base = KEYS[i]
  local profile = call('HMGET', base .. ':profile', 'username', 'role')
  out[2 * i], out[2 * i + 1] = profile[1] or '', profile[2] or ''
end
return out
