-- A page of a log after a position, and whether the position is good. KEYS: the channel.
-- ARGV: epoch ('' asks for the end of the log), seq, most entries (0: only the check), most bytes;
-- then pairs of epoch and seq: the positions from which this one descends, the newest first. All
-- entries after the first of them that the log knows are new.
-- Returns {status, epoch, seq, from, clock, forks, frame...}:
--   status      0: the position is good; 1: its log was lost, and the new one goes on after `from`;
--               2 (only of a check): good, but the log no longer has what follows it
--   epoch, seq  of the log's end
--   from        the frames are of the entries after this seq
--   clock       nothing that was appended so far has a later time
--   forks       {epoch, seq...}: where each of the last epochs ended, the newest first; only of a
--               check, or if the position has another epoch
-- If meta is missing, it is made; but not that of a log without a message if the most bytes are 0.
-- A check that made such a meta answers one more item.
local c = look(KEYS[1], 'read')
if not c.epoch and (ARGV[6] ~= '0' or c.last) then c = open(KEYS[1], false, 'read') end
local epoch, from, most, bytes = ARGV[3], tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local status, clock = 0, string.sub(call('GET', P .. 'clock') or '0', 1, 16)
if not c.epoch then return { 1, '', '0', '0', clock, {} } end

if epoch == '' then
  from = c.seq
else
  local good = shared(c, epoch, from)
  for i = 7, #ARGV, 2 do
    good = good or shared(c, ARGV[i], tonumber(ARGV[i + 1]))
  end
  -- The epoch is not one of this log, so all of the log is new. Or the log has had so many epochs
  -- that it forgot this one: then at least the entries after the forgotten ones are new.
  if not good then
    status, good = 1, oldest_fork(c) or 0
  elseif good < from then
    status = 1
  end
  from = good
end
local forks, HEAD = {}, 6
if c.a and c.a ~= c.epoch and (most == 0 or epoch ~= c.epoch) then -- `read` is the log's first epoch
  for i, fork in ipairs(forks_of(c)) do
    if i <= 3 then
      forks[#forks + 1] = fork[1]
      forks[#forks + 1] = digits(fork[2])
    end
  end
end
if most == 0 then
  if status == 0 and from < c.seq then
    local first = call('XRANGE', c.log, '-', '+', 'COUNT', 1)
    if not first[1] or tonumber(string.match(first[1][1], '^%d+')) > from + 1 then status = 2 end
  end
  return { status, c.epoch, digits(c.seq), digits(from), clock, forks, c.made }
end
local out, size, at = { status, c.epoch, digits(c.seq), digits(from), clock, forks }, 0, from
local full, longest = false, bytes -- as in history.lua
while #out - HEAD < most and not full do
  local fit = math.max(1, math.min(4, math.floor((bytes - size) / longest)))
  local entries = call('XRANGE', c.log, digits(at + 1) .. '-0', '+', 'COUNT', math.min(fit, most - #out + HEAD))
  if #entries == 0 then break end
  for _, entry in ipairs(entries) do
    full = size > 0 and size + #entry[2][2] > bytes -- one entry is always sent, however long
    if full then break end
    longest = #out == HEAD and #entry[2][2] or math.max(longest, #entry[2][2])
    out[#out + 1] = entry[2][2]
    size = size + #entry[2][2]
    at = tonumber(string.match(entry[1], '^%d+'))
  end
end
return out
