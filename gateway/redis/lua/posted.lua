-- The third step of a private message (dm.lua): both inboxes have it. KEYS: dm. ARGV: notes.
-- Returns {0}.
call('ZREM', P .. 'outbox', unpack(ARGV, 3))
return { 0 }
