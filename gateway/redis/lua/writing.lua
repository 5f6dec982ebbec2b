-- What scripts that append have in common. They go straight through what is as usual, and make few
-- functions and tables: each costs Redis as much as a short command. So tick.lua, load.lua, put.lua and
-- settle_log.lua are put in where they are used. What is not as usual is in `helpers`, which has prelude.lua,
-- clock.lua and log.lua in it, and in `tidier` (tidy.lua).
local TERM, CLOCK, call, format, sub = ARGV[1], P .. 'clock', redis.call, string.format, string.sub
local more -- the helpers, once they were needed
local t = call('TIME')
local wall = t[1] .. (#t[2] == 6 and t[2] or sub('00000' .. t[2], -6))
local clock, text = wall + 0, call('GET', CLOCK) or ''
local steps, same = sub(text, 35, 50), true -- as steps_of has them
if sub(text, 52) ~= TERM or sub(text, 18, 28) ~= sub(wall, 1, 11) then
  more = helpers()
  steps, same = more.steps_of(wall, text)
  if more.stale(wall, text) then return more.STALE end
  same = same and sub(text, 52) == TERM
end
local at -- the time of the call's last append
-- The logs as they were first used, and, of several messages, by base.
local order, logs = { nil, nil, nil }, nil
