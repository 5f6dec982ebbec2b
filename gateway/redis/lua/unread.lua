-- How many private messages of each of some peers a user has not read. KEYS: the user. ARGV: user,
-- peer...
-- Returns {0, count...}. With partitions, a count may be of messages that are gone: kept.lua tells.
local me, out = ARGV[3], { 0 }
if #ARGV < 4 then return out end
-- As the nodes order them: by bytes. Lua's `<` goes by Redis's locale.
local function comes_first(a, b)
  for i = 1, math.min(#a, #b) do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return #a <= #b
end
local counts = call('HMGET', KEYS[1] .. ':unread', unpack(ARGV, 4))
for i, text in ipairs(counts) do
  local count, peer = tonumber(text or 0), ARGV[i + 3]
  if count > 0 and not APART then
    -- Messages that were counted may have left the log since, or the log may be gone.
    local dm = comes_first(me, peer) and me .. ':' .. peer or peer .. ':' .. me
    local c = look(base_of('dm:' .. dm), 'sent:' .. peer)
    local total = tonumber(c.a or 0)
    count = math.max(0, math.min(count, total - sent_by(c, me, peer, 0, total)))
  end
  out[i + 1] = digits(count)
end
return out
