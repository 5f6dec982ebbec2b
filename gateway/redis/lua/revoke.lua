-- Refuses the tokens of a user that were issued before a time, and tells all nodes; or only tells
-- them to close the user's connections. KEYS: the user. ARGV: user, the time (ms since 1970), or ''
-- to close them only; for how long it counts (ms).
-- A time that stands there already is never lowered. Returns {0}.
-- (The DEL comes first so that a full Redis takes the SET.)
local key, news = KEYS[1] .. ':revoked', '"userId":' .. quote(ARGV[3])
if ARGV[4] == '' then
  call(PUBLISH, P .. 'revoked', '{"event":"disconnected",' .. news .. '}')
  return { 0 }
end
local before, stored = ARGV[4] / 1000, tonumber(call('GET', key))
if stored and stored > before then before = stored end
local text = string.gsub(string.format('%.3f', before), '%.?0+$', '')
call('DEL', key)
call('SET', key, text, 'PX', ARGV[5])
call(PUBLISH, P .. 'revoked', '{"event":"revoked",' .. news .. ',"before":' .. text .. '}')
return { 0 }
