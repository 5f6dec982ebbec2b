-- Keeps keys in use from expiring. KEYS: channels to which a node is subscribed. With a user's
-- inbox, the user's other keys are kept, too, and those of the user's rooms.
-- Returns {0, 1 if rooms of users wait to be turned}.
local ms = millis(now())
for i = 1, N do
  local base = KEYS[i]
  local kind = string.sub(name_of(base), 1, 2)
  local ttl = ttl_of(kind)
  local has_log = call('PEXPIRE', base .. ':log', digits(ttl)) == 1
  local empty = not has_log and call('HGET', base .. ':meta', 'seq') == '0'
  call('PEXPIRE', base .. ':meta', digits(empty and empty_ttl(kind) or ttl + HOUR + USER_TTL))
  if kind == 'ro' then expire_members(base, ms) end
  local user = string.match(name_of(base), '^user:(.*)$')
  if user and call('EXISTS', base .. ':conns') == 1 then
    touch_user(base)
    if call('EXISTS', base .. ':rooms') == 1 then turn_later(user, base) end
  end
end
return { 0, waits() }
