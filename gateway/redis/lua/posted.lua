-- The third step of a private message (dm.lua): both inboxes have all messages up to a place. KEYS:
-- dm. ARGV: its epoch, seq. Returns {0}.
-- A full Redis refuses the HSET unless the script has written before; so the PEXPIRE comes first.
local base, waiting = KEYS[1], P .. 'outbox'
local meta = base .. ':meta'
local m = call('HMGET', meta, 'epoch', 'seq', 'posted', 'fork:' .. ARGV[3])
local last, posted = tonumber(m[2] or 0), tonumber(m[3] or 0)
-- Of an earlier epoch, messages may be lost that were in the inboxes.
local known = m[1] == ARGV[3] and last or tonumber(m[4] or 0)
local seq = math.min(tonumber(ARGV[4]), known)
call('PEXPIRE', waiting, USER_TTL)
if seq > posted then
  call('HSET', meta, 'posted', digits(seq))
  posted = seq
end
if posted >= last then call('ZREM', waiting, name_of(base)) end
return { 0 }
