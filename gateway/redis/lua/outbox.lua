-- Private messages of the partition that wait for long to go to the inboxes, since a node ended
-- between two steps (dm.lua) or a partition was away. They are not answered again for as long, so one
-- node takes them, and one that cannot go on keeps no others from it.
-- ARGV: how long (ms), most messages, most bytes.
-- Returns {0, 1 if there are more, then for each: note, sender, receiver, idempotency field or '',
-- connection, frame, how many the sender had sent, how many of them the receiver has read or ''}.
local waiting, most, bytes = P .. 'outbox', tonumber(ARGV[4]), tonumber(ARGV[5])
local wall, _, steps = look_at_clock()
local ms = (wall - steps) / 1000
local due = call('ZRANGEBYSCORE', waiting, '-inf', digits(ms - ARGV[3]), 'LIMIT', 0, most)
local out, size = { 0, #due == most and 1 or 0 }, 0
if #due > 0 then call('PEXPIRE', waiting, USER_TTL) end
for _, note in ipairs(due) do
  local seq, epoch, name, which, origin, field = string.match(note, '^(%d+) (%S+) (%S+) ([12]) (%S*) (.*)$')
  local one, two = string.match(name or '', '^dm:([^:]*):(.*)$')
  local base = one and OPEN .. name .. CLOSE
  local entry = one and call('XRANGE', base .. ':log', seq .. '-0', seq .. '-0')[1]
  local frame = entry and entry[2][2] or ''
  if string.match(frame, '^{"channel":".-","epoch":"([^"]*)"') ~= epoch then
    call('ZREM', waiting, note) -- the log does not have it any more
  elseif size > 0 and size + #frame > bytes then
    out[2] = 1
    break
  else
    local sender, receiver = which == '1' and one or two, which == '1' and two or one
    local left, right = string.match(entry[2][4] or '', '^(%d+) (%d+)$')
    size = size + #frame
    call('ZADD', waiting, 'XX', digits(ms), note)
    for _, item in ipairs({ note, sender, receiver, field, origin, frame,
                            (sender == one and left or right) or '0',
                            call('HGET', base .. ':meta', 'seen:' .. receiver) or '' }) do
      out[#out + 1] = item
    end
  end
end
return out
