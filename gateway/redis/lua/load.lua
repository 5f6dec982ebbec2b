-- `c` becomes the state of the log of `base`, to which something is to be appended.
c = logs and logs[base]
if not c then
  local m = call('HMGET', base .. ':meta', 'seq', 'last')
  local last, usual = m[2] or '', TERM .. ' ' .. (m[1] or '') .. ' '
  if sub(last, 35, 34 + #usual) == usual then
    local kind, epoch, time, oldest = string.byte(base, SKIP), struct.unpack('c8c16c10', last)
    local bytes, a, b = sub(last, 35 + #usual), nil, nil
    time = time + 0
    if kind == 100 then bytes, a, b = string.match(bytes, '^(%d+) (%d+) (%d+)$') end -- dm:
    -- All that it will have, so that it does not grow.
    c = { base = base, name = sub(base, SKIP, LAST), ttl = (a or kind == 114) and ROOM_TTL or INBOX_TTL,
          epoch = epoch, seq = m[1] + 0, time = time, was = time, bytes = bytes + 0,
          oldest = oldest, a = a, b = b, frames = nil, stamp = nil, at = nil, field = nil, value = nil }
  else
    more = more or helpers()
    c = more.begin(base)
  end
  order[#order + 1] = c
  if logs then logs[base] = c end
end
