-- What waits in the partition's stream of the API (api/stream.h). KEYS: none. ARGV: the incarnation that
-- asks, most entries.
-- Returns {0, 1 if it has the lease or 0, then for each entry: id, method, path, body}. Nobody else has the
-- lease until it was not asked for during LEASE; an entry takes effect once, whoever applies it
-- (applied.lua).
local LEASE, key = 8000, P .. 'api'
local holder = call('GET', key .. ':lease')
if holder and holder ~= ARGV[3] then return { 0, 0 } end
local entries = call('XRANGE', key, '-', '+', 'COUNT', ARGV[4])
call('SET', key .. ':lease', ARGV[3], 'PX', LEASE)
local out = { 0, 1 }
for _, entry in ipairs(entries) do
  local fields = {}
  for i = 1, #entry[2], 2 do fields[entry[2][i]] = entry[2][i + 1] end
  for _, item in ipairs({ entry[1], fields.method or '', fields.path or '', fields.body or '' }) do
    out[#out + 1] = item
  end
end
return out
