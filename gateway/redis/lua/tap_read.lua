-- One node at a time reads the tap of a partition for a URL of webhooks. This takes or renews the lease
-- on it, notes how far the URL has got its events, and reads on. A place is "<entry> <its n> <its term>".
--   tap:hooks  by the URL's hash: "<node> <until (ms)> <place>"
-- ARGV: the URL's hash; the node; how long (ms) the lease counts; the place to note, or ''; the place to
-- read on from, or '' for the one that is noted; the types that are wanted, as ",a,b,"; most entries, most
-- bytes; '1' to begin with the oldest entry if no place is known, and not behind the newest.
-- Returns {1} if another node has the lease, or has had it meanwhile. Else {0, the time (ms), n of the
-- newest entry, the place that is noted, the place up to which was read, 1 if there are more, how many
-- entries were cut off before it read on, the first entry after these and its term, then for each entry:
-- entry, n, term, type, user, channel, data}.
local key, hooks, hash, me, ms = P .. 'tap', P .. 'tap:hooks', ARGV[3], ARGV[4], tonumber(millis(now()))
local owner, till, place = string.match(call('HGET', hooks, hash) or '', '^(%S+) (%d+) (%S+ %d+ %S+)$')
local held = owner and tonumber(till) > ms and tonumber(till) - ms <= 60000
if owner ~= me and (held or owner and ARGV[7] ~= '') then return { 1 } end
local newest = call('HGET', P .. 'tap:meta', 'n') or '0'
if ARGV[6] ~= '' then place = ARGV[6] end
if not place and ARGV[11] == '1' then place = '0-0 0 0' end
if not place then
  local last = call('XREVRANGE', key, '+', '-', 'COUNT', 1)[1]
  place = last and table.concat({ last[1], last[2][2], last[2][4] }, ' ') or '0-0 ' .. newest .. ' 0'
  -- URLs that nobody has any more.
  local all = call('HGETALL', hooks)
  for i = 1, #all, 2 do
    local till = tonumber(string.match(all[i + 1], '^%S+ (%d+)'))
    if not till or till < ms - 604800000 then call('HDEL', hooks, all[i]) end
  end
end
call('HSET', hooks, hash, table.concat({ me, digits(ms + ARGV[5]), place }, ' '))
call('PEXPIRE', hooks, '2592000000')

local at = ARGV[7] ~= '' and ARGV[7] or place
local from, number = string.match(at, '^(%S+) (%d+)')
local most, bytes, count, more = tonumber(ARGV[9]), tonumber(ARGV[10]), 0, 0
local out = { 0, digits(ms), newest, place, at, 0, 0, '', '' }
while most > 0 and more == 0 do
  local entries = call('XRANGE', key, '(' .. from, '+', 'COUNT', 100)
  for _, entry in ipairs(entries) do
    local id, e = entry[1], entry[2]
    local n, term, data = tonumber(e[2]), e[4], e[12]
    if count == 0 and n and n > number + 1 then
      out[7], out[8], out[9] = digits(n - number - 1), id, term
    end
    if data and string.find(ARGV[8], ',' .. e[6] .. ',', 1, true) then
      local i = #out
      out[i + 1], out[i + 2], out[i + 3], out[i + 4] = id, e[2], term, e[6]
      out[i + 5], out[i + 6], out[i + 7] = e[8], e[10], data
      bytes = bytes - #data
    end
    from, count = id, count + 1
    if n then out[5] = id .. ' ' .. e[2] .. ' ' .. term end
    if count >= most or bytes <= 0 then
      more = 1
      break
    end
  end
  if #entries < 100 then break end
end
out[6] = more
return out
