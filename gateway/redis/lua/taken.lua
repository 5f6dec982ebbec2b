-- An entry of the stream of the API is done. KEYS: none. ARGV: its id, its method, path and body, and the
-- answer if it was refused, or ''. Returns {0}.
local MOST, key = 10000, P .. 'api'
if ARGV[7] ~= '' and call('XRANGE', key, ARGV[3], ARGV[3])[1] then
  call('XADD', key .. ':refused', 'MAXLEN', '~', MOST, '*', 'entry', ARGV[3], 'method', ARGV[4], 'path', ARGV[5],
    'body', ARGV[6], 'error', ARGV[7])
  call('PEXPIRE', key .. ':refused', USER_TTL)
end
call('XDEL', key, ARGV[3])
return { 0 }
