-- Appends messages to rooms and topics, each in its turn: this is one of them (several.lua). KEYS: the
-- channels.
-- ARGV, of each message: its place (several.lua), event, data (with a member and without a head: an
-- object without its closing brace, to which time and seq are added), idempotency field or '', member to
-- check or '', head (put.lua) or ''.
-- Returns a text, which costs Redis less than an array: "0 <seq> <time> <epoch>", and one word more if
-- old messages were taken out for their bytes; or NOT_A_MEMBER; or CONFLICT (tagged.lua). For several messages it has a line for
-- each, which may also be FAILED and an error, or SKIPPED (several.lua). Or it returns the error STALE:
-- nothing was written, and the node has to greet Redis again.
local member, c, time, stamp, applied, entry, place = ARGV[start + 4], nil, nil, nil, nil, nil, nil
if tag then
  --+ applied
end
if applied then
  answer = '0 0 0 -'
elseif first and tag then
  local place, had = string.match(first, '^(%d+ %d+ %S+) (%S+)$')
  answer = had == tag and '0 ' .. place or '-8' -- CONFLICT
elseif first then
  more = more or helpers()
  answer = '0 ' .. string.match(first, '^%d+ %d+') .. ' ' .. (logs and logs[base] or more.open(base)).epoch
elseif member ~= '' and not call('ZSCORE', base .. ':members', member) then
  answer = '-1' -- NOT_A_MEMBER
else
  --+ load
  --+ tick
  if time < c.time then
    time = c.time
    stamp = format('%d', time)
  end
  local seq, event, data, rest = format('%d', c.seq + 1), ARGV[start + 1], ARGV[start + 2], '}'
  local head, origin, sent, from = ARGV[start + 5], nil, nil, nil
  if head == '' then head = nil end
  if member ~= '' and not head then rest = ',"timestamp":' .. sub(stamp, 1, -4) .. ',"seq":' .. seq .. '}}' end
  --+ put
  --? messages tap_message(c, event)
  c.at, what = i, seq .. ' ' .. stamp
  answer = '0 ' .. what .. ' ' .. c.epoch
  if entry then
    call('HSET', base .. ':meta', entry, tag)
    what = nil
  elseif tag then
    what = what .. ' ' .. c.epoch .. ' ' .. tag
  end
end
