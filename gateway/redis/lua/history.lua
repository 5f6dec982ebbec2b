-- A page of history, oldest first. KEYS: room or dm.
-- ARGV: the user that asks (for a room, of which the user must be a member) or '', the peer or '', before
-- or '', after or '', limit, most bytes, '1' if marks are wanted or '', '1' to leave out the events of
-- applications or ''.
-- Returns {0, more, seq read by the user, seq read by the peer, before or after of the next page,
-- frame...} or {NOT_A_MEMBER}. A call looks at 1,000 entries, or 1 MiB of them.
local base, me, peer, before, after = KEYS[1], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local limit, bytes = tonumber(ARGV[7]), tonumber(ARGV[8])
if peer == '' and me ~= '' and not call('ZSCORE', base .. ':members', me) then return { NOT_A_MEMBER } end
local forward = after ~= ''
local read = { 0, 0 }
if ARGV[9] ~= '' then
  local c, marks = look(base), call('HMGET', base .. ':read', me, peer)
  read = { marked(c, marks[1]), marked(c, marks[2]) }
end
local function page_of(more, page, at)
  local out = { 0, more, digits(read[1]), digits(read[2]), digits(at or 0) }
  for i = 1, #page do out[i + 5] = forward and page[i] or page[#page - i + 1] end
  return out
end
local low = forward and digits(tonumber(after) + 1) .. '-0' or '-'
local high = '+'
if before ~= '' then
  if tonumber(before) < 2 then return page_of(0, {}) end
  high = digits(tonumber(before) - 1) .. '-0'
end
-- Messages are read one by one: nobody knows how long the next one is, and one that is read and does
-- not fit costs Redis as much as one that is sent. After a page that is full, none is read to see
-- whether there are more.
local page, size, more, looked, passed, at = {}, 0, 0, 0, 0, 0
local builtin, OWN = { chatMessage = true, new_private_message = true }, ARGV[10] == '1'
local last = tonumber(call('HGET', base .. ':meta', 'seq') or 0)
if before ~= '' then last = math.min(last, tonumber(before) - 1) end
repeat
  local entry
  if forward then
    entry = call('XRANGE', base .. ':log', low, high, 'COUNT', 1)[1]
  else
    entry = call('XREVRANGE', base .. ':log', high, low, 'COUNT', 1)[1]
  end
  local frame = entry and entry[2][2]
  if entry and (#page == limit or (size > 0 and size + #frame > bytes) or looked >= 1000 or passed > 1048576) then
    more = 1
  elseif entry then
    if not OWN or builtin[string.match(frame, ',"time":%d+,"event":"([^"]*)"')] then
      page[#page + 1] = frame
      size = size + #frame
    else
      passed = passed + #frame
    end
    looked = looked + 1
    local seq = tonumber(string.match(entry[1], '^%d+'))
    at = seq
    if forward then low = digits(seq + 1) .. '-0' else high = digits(seq - 1) .. '-0' end
    if size >= bytes and (forward and seq < last or not forward and seq > 1) then
      more = 1
    elseif seq == 1 and not forward then
      entry = nil -- nothing is before the first
    end
  end
until more == 1 or not entry
return page_of(more, page, at)
