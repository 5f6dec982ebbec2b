-- One message in a call, or several. `one` is the script that appends the i-th to the k-th channel of
-- KEYS: its arguments begin at ARGV[start], and it has SIZE of them. The first is '' if there is one
-- message, or two characters: its lane, and k, each counted from '0'. The one at start + FIELD is its id;
-- `first` is what was answered to an earlier message with it; `tag`: tagged.lua. A channel has BASES of KEYS, and its ids
-- are at the first, `base`. `one` tells its `answer`, and `what` is to be remembered with the id.
-- A message that fails takes those after it in its lane with it, and no others; 0 is no lane.
local count, cut, number, older, all, id, ids, tag = (#ARGV - 2) / SIZE, nil, nil, nil, nil, nil, nil, nil
if count == 1 then
  local start, k, i, base, first, answer, what = 3, 1, 1, KEYS[1], nil, nil, nil
  id = ARGV[3 + FIELD]
  if id ~= '' then
    --+ tagged
    --+ known
  end
  --+ one
  if what and id ~= '' then
    local list, wide = nil, order[1].seq % 32 == 0
    --+ note
  end
  local any
  for n = 1, #order do
    local c = order[n]
    --+ settle_log
    any = any or cut
  end
  return any and answer .. ' log-bytes' or answer
end

logs = {}
-- By base: ids; what is remembered of them; the bucket that the key has; what is to be noted.
local lists, known, numbers, noted = {}, {}, {}, {}
local out, failed, byte = {}, {}, string.byte
for i = 1, count do
  local start = 3 + (i - 1) * SIZE
  id = ARGV[start + FIELD]
  if id ~= '' then
    --+ tagged
    local base = KEYS[BASES * (byte(ARGV[start], 2) - 49) + 1]
    local list = lists[base]
    if list then list[#list + 1] = id else lists[base] = { id } end
  end
end
-- Several ids of a channel are looked for at once; one alone is, when its turn comes.
for base, list in pairs(lists) do
  if #list > 1 then
    local first
    local good, error = pcall(function()
      ids = list
      --+ known
    end)
    known[base], numbers[base] = good and all or tostring(type(error) == 'table' and error.err or error), number
  end
end
ids = nil

local function one(start, k, i)
  local base, first, answer, what = KEYS[BASES * (k - 1) + 1], nil, nil, nil
  local id, tag = ARGV[start + FIELD], nil
  if id ~= '' then
    --+ tagged
  end
  local mine = known[base]
  if id ~= '' and mine then
    if type(mine) == 'string' then error(mine, 0) end
    first = mine[id]
  elseif id ~= '' then
    local number
    --+ known
    numbers[base] = number
  end
  --+ one
  if what and id ~= '' then
    local list = noted[base]
    if mine then mine[id] = what end
    if list then list[#list + 1], list[#list + 2] = id, what else noted[base] = { id, what } end
  end
  return answer
end

for i = 1, count do
  local start = 3 + (i - 1) * SIZE
  local lane, k = byte(ARGV[start], 1, 2)
  if failed[lane] then
    out[i] = '-7' -- SKIPPED
  else
    local good, what = pcall(one, start, k - 48, i)
    out[i] = good and what or
      '-6 ' .. string.gsub(type(what) == 'table' and what.err or tostring(what), '%c', ' ') -- FAILED
    if lane ~= 48 and byte(out[i]) == 45 then failed[lane] = true end
  end
end
for base, list in pairs(noted) do
  local c = logs[base]
  local wide, what = c.seq % 32 < #c.frames, nil
  number = numbers[base]
  --+ note
end
for n = 1, #order do
  local c = order[n]
  if c.frames then
    --+ settle_log
    if cut then out[c.at] = out[c.at] .. ' log-bytes' end
  end
end
return table.concat(out, '\n')
