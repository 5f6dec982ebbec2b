-- Keeps the tap within its bounds, some at a time. Every node asks for it again and again, so it does
-- nothing if that was done just now. ARGV: most entries, most bytes, longest age (ms).
-- Returns {0}.
local key, meta, ms, BITE = P .. 'tap', P .. 'tap:meta', tonumber(millis(now())), 10000
local m = call('HMGET', meta, 'bytes', 'trimmed')
local since = ms - (m[2] or 0)
if since >= 0 and since < 500 then return { 0 } end
local length, bytes = call('XLEN', key), tonumber(m[1] or 0)
if length == 0 then return { 0 } end
call('PEXPIRE', key, '172800000')
local keep, oldest = math.min(length, tonumber(ARGV[3])), digits(math.max(0, ms - ARGV[5]))
-- What one has is taken to be like another.
if bytes > tonumber(ARGV[4]) then
  keep = math.min(keep, math.max(1, math.floor(length * (ARGV[4] / bytes))))
end
if keep < length then call('XTRIM', key, 'MAXLEN', digits(math.max(keep, length - BITE))) end
call('XTRIM', key, 'MINID', '~', oldest, 'LIMIT', digits(BITE))
-- That leaves some of a node of the stream.
local old = #call('XRANGE', key, '-', '(' .. oldest, 'COUNT', 100)
if old > 0 then call('XTRIM', key, 'MAXLEN', digits(call('XLEN', key) - old)) end
local left = call('XLEN', key)
call('HSET', meta, 'trimmed', digits(ms), 'bytes', digits(bytes * left / length))
call('PEXPIRE', meta, '172800000')
return { 0 }
