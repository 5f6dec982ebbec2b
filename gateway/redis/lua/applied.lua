-- After tagged.lua. An entry of a stream of the API has the id `:as<partition>`, and its own as the tag.
-- The log's meta has the last entry of that stream; `applied`: this one is not later, so it has taken
-- effect already. `entry`: what is to be noted there; `place`: what is noted behind the last one.
if string.byte(id, 3) == 115 then
  local last, ms, n = call('HGET', base .. ':meta', id) or '0-0', string.match(tag, '^(%d+)-(%d+)$')
  local last_ms, last_n, more = string.match(last, '^(%d+)-(%d+) ?(.*)$')
  applied = ms + 0 < last_ms + 0 or (ms + 0 == last_ms + 0 and n + 0 <= last_n + 0)
  entry, first, place = id, nil, more
end
