-- The time of the next append of `count` in this call, as `time` and as text, `stamp`. It is later than
-- that of each earlier append on this Redis, in any channel, even if the clock was set back or another
-- master took over. So the time of a message tells what came before it in every other channel.
if at then
  at = at + 1
  stamp = format('%d', at)
else
  local last = sub(text, 1, 16)
  at, stamp = clock, wall
  if last ~= '' and last + 0 >= at then
    at = last + 1
    stamp = format('%d', at)
  end
  last = count == 1 and stamp or format('%d', at + count - 1)
  if same then
    call('SETRANGE', CLOCK, 0, last .. ' ' .. wall) -- cheaper than to write all of it
  else
    more.set_clock(last, wall, steps, TERM)
  end
end
time = at
