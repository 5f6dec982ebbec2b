-- What an inbox lacks of the log of two users (inbox.lua). KEYS: dm. ARGV: the inbox's mark (epoch,
-- seq), the epoch is '' if there is none; a message that is to come to the inbox (epoch, seq), or '';
-- the inbox's user; most messages, most bytes.
-- Returns {0, 1 if there are more, 1 if the log has that message, the place (epoch, seq) up to which
-- these bring the inbox, '1' if both inboxes have all messages before these or '', how many of the
-- peer's messages the user has read or '', then for each: sender, idempotency field, connection, how
-- many the sender has sent, frame}.
local base, mark, mark_seq, epoch, seq = KEYS[1], ARGV[3], tonumber(ARGV[4]), ARGV[5], tonumber(ARGV[6])
local most, bytes = tonumber(ARGV[8]), tonumber(ARGV[9])
local c = look(base, 'posted', 'seen:' .. ARGV[7])
if not c.epoch and c.last then c = open(base, false, 'posted', 'seen:' .. ARGV[7]) end
if not c.epoch then return { 0, 0, 0, '', '0', '', '' } end
local posted = math.min(tonumber(c.a or c.seq), c.seq)
-- If the log does not know the mark's epoch, it is another one by now.
local from = mark ~= '' and shared(c, mark, mark_seq) or posted
local known = 0
if epoch ~= '' then
  known = epoch == c.epoch and c.seq or tonumber(call('HGET', c.meta, 'fork:' .. epoch) or 0)
end
local out = { 0, 0, seq and seq <= known and 1 or 0, c.epoch, '', from <= posted and '1' or '', c.b or '' }
local one, two = string.match(name_of(base), '^dm:([^:]*):(.*)$')
local size, full = 0, false
repeat
  local entries = call('XRANGE', c.log, digits(from + 1) .. '-0', '+', 'COUNT', 8)
  for _, entry in ipairs(entries) do
    local items, frame = {}, ''
    for i = 1, #entry[2], 2 do items[entry[2][i]] = entry[2][i + 1] end
    frame = items.frame or ''
    full = most == 0 or (size > 0 and size + #frame > bytes)
    if full then break end
    local by_one, by_two = string.match(items.sent or '', '^(%d+) (%d+)$')
    local origin, field = string.match(items.from or '', '^(%S*) (.*)$')
    local is_one = string.find(frame, '"data":{"senderId":' .. quote(one) .. ',', 1, true)
    local message = { is_one and one or two, field or '', origin or '', is_one and by_one or by_two, frame }
    if by_one then -- or else somebody wrote it by hand
      for _, item in ipairs(message) do out[#out + 1] = item end
    end
    size, most, from = size + #frame, most - 1, tonumber(string.match(entry[1], '^%d+'))
  end
until full or #entries < 8
if full then out[2] = 1 end
out[5] = digits(from)
return out
