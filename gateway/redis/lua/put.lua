-- Appends `data` and `rest` to the log `c`, as `event`, with the log's next `seq`, as text; `head` (what
-- stands between the event and the data, message.h), `origin`, and `sent` and `from`, two more fields of
-- the entry, may be nil. settle_log.lua notes it in meta, and rings the doorbell.
local stamp = stamp
if time >= c.time then
  c.time = time
else
  stamp = format('%d', c.time)
end
local frame = '{"channel":"' .. c.name .. '","epoch":"' .. c.epoch .. '","seq":' .. seq ..
  ',"time":' .. stamp .. ',"event":"' .. event .. (origin and '","origin":"' .. origin or '') ..
  (head or '","data":') .. data .. rest
if from then
  call('XADD', c.base .. ':log', seq .. '-0', 'frame', frame, 'sent', sent, 'from', from)
elseif sent then
  call('XADD', c.base .. ':log', seq .. '-0', 'frame', frame, 'sent', sent)
else
  call('XADD', c.base .. ':log', seq .. '-0', 'frame', frame)
end
local frames = c.frames
c.seq, c.stamp, c.bytes = c.seq + 1, stamp, c.bytes and c.bytes + #frame
if frames then
  frames[#frames + 1] = frame
else
  c.frames = { frame }
end
