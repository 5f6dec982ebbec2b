-- Hands an application's own event over to its back end: `stream NAME` of the map. KEYS: none.
-- ARGV: the name, then fields and values.
-- Returns {0}.
local MOST, TTL = 100000, 86400000
local key, t = P .. 'events:' .. ARGV[3], call('TIME')
local fields = { unpack(ARGV, 4) }
fields[#fields + 1], fields[#fields + 2] = 'time', string.format('%d', t[1] * 1000 + math.floor(t[2] / 1000))
call('XADD', key, 'MAXLEN', '~', MOST, '*', unpack(fields))
call('PEXPIRE', key, TTL)
return { 0 }
