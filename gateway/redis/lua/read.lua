-- A page of a log after a position, and whether the position is good. KEYS: the channel.
-- ARGV: epoch ('' asks for the end of the log), seq, most entries (0: only the check), most bytes.
-- Returns {status, epoch, seq, from, clock, frame...}: the log's epoch and last seq; the entries after
-- `from` follow; what has been appended so far has a time of at most `clock`. status 0: good; 1: the
-- position is of a log that was lost, `from` is where that one's successor begins; 2 (check only): good, but what follows is no longer in the log.
-- A meta that is missing is made, but, with 0 as the most bytes, not that of a log without a message; a
-- check that made one of those has one item more.
local c = look(KEYS[1])
if not c.epoch and (ARGV[6] ~= '0' or c.last) then c = open(KEYS[1]) end
local epoch, from, most, bytes = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local status, clock = 0, string.sub(call('GET', P .. 'clock') or '0', 1, 16)
if not c.epoch then return { 1, '', '0', '0', clock } end
if epoch == '' then
  from = c.seq
elseif epoch == c.epoch then
  if from > c.seq then status, from = 1, c.seq end
else
  local fork = call('HGET', c.meta, 'fork:' .. epoch)
  local near = not fork and call('XREVRANGE', c.log, digits(from) .. '-0', '-', 'COUNT', 1)[1]
  if near and string.match(near[2][2], '^{"channel":".-","epoch":"([^"]*)"') == epoch then
    -- meta or its forks were lost, but the log has the message itself, or one before it
    local at = tonumber(string.match(near[1], '^%d+'))
    status, from = at == from and 0 or 1, at
  elseif not fork then
    -- No epoch of this log, so all of the log is new; or the log has seen so many that this one was
    -- forgotten: then at least what stands behind those that are kept is new.
    status, from = 1, oldest_fork(c) or 0
  elseif from > tonumber(fork) then
    status, from = 1, tonumber(fork)
  end
end
if most == 0 then
  if status == 0 and from < c.seq then
    local first = call('XRANGE', c.log, '-', '+', 'COUNT', 1)
    if not first[1] or tonumber(string.match(first[1][1], '^%d+')) > from + 1 then status = 2 end
  end
  return { status, c.epoch, digits(c.seq), digits(from), clock, c.made }
end
local out, size, at = { status, c.epoch, digits(c.seq), digits(from), clock }, 0, from
local full = false
while #out - 5 < most and not full do
  local entries = call('XRANGE', c.log, digits(at + 1) .. '-0', '+', 'COUNT', math.min(8, most - #out + 5))
  if #entries == 0 then break end
  for _, entry in ipairs(entries) do
    full = size > 0 and size + #entry[2][2] > bytes -- one entry always goes, however long
    if full then break end
    out[#out + 1] = entry[2][2]
    size = size + #entry[2][2]
    at = tonumber(string.match(entry[1], '^%d+'))
  end
end
return out
