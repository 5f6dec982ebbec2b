-- Several messages in one call. `one(at, k)` appends one, to the k-th channel of KEYS, whose arguments
-- begin at ARGV[at], of which each has SIZE. The first is '' if there is one message, or two characters:
-- its lane, and k, each counted from '0'. The one at at + FIELD is its id. A channel has BASES of KEYS, and
-- its ids are at the first. A message that fails takes those after it in its lane with it, and no
-- others; 0 is no lane.
local out, failed, ids, byte = {}, {}, {}, string.byte
for i = 1, count do
  local start = 3 + (i - 1) * SIZE
  local id = ARGV[start + FIELD]
  if id ~= '' then
    local base = KEYS[count == 1 and 1 or BASES * (byte(ARGV[start], 2) - 49) + 1]
    local list = ids[base]
    if list then list[#list + 1] = id else ids[base] = { id } end
  end
end
for base, list in pairs(ids) do
  if count == 1 then
    known[base] = look_up(base, list)
  else
    local good, what = pcall(look_up, base, list)
    known[base] = good and what -- if it fails, each message does
  end
end
for i = 1, count do
  local start, answer = 3 + (i - 1) * SIZE, nil
  if count == 1 then
    answer = one(start, 1, 1)
  else
    local lane, k = byte(ARGV[start], 1, 2)
    if failed[lane] then
      answer = '-7' -- SKIPPED
    else
      local good, what = pcall(one, start, k - 48, i)
      answer = good and what or
        '-6 ' .. string.gsub(type(what) == 'table' and what.err or tostring(what), '%c', ' ') -- FAILED
      if lane ~= 48 and byte(answer) == 45 then failed[lane] = true end
    end
  end
  out[i] = answer
end
for base, list in pairs(noted) do
  local c = logs[base]
  note(base, list, c.seq % 128 < #c.frames)
end
for i = 1, #order do
  local c = order[i]
  if c.frames and settle(c) then out[c.at] = out[c.at] .. ' log-bytes' end
end
return count == 1 and out[1] or table.concat(out, '\n')
