-- Several messages in one call: `count` of them. `one(k, at, seen, remember)` appends one, to the k-th
-- channel of KEYS, whose arguments begin at ARGV[at], of which each has `size`. The first is '' if there
-- is one message, or "<lane> <k>"; the one at at + field is its idempotency field. A channel has `bases`
-- of KEYS, and its ids are at the first. `done` settles the logs. A message that fails takes those after
-- it in its lane with it, and no others; 0 is no lane.
local FAILED, SKIPPED = -6, -7
local function several(one, count, size, bases, field, wall, steps, done)
  if count == 1 then
    local answer = one(1, 3, seen, remember)
    if answer[1] == 0 then done() end
    return answer
  end
  local places, fields, out, failed = {}, {}, { 0 }, {}
  local foreseen, noted = {}, {} -- base → { field → what is remembered or false }, { field, what... }
  -- As `seen` and `remember`, but for several messages of a base at once.
  local function foresee(base, all)
    local bucket, has, known = math.floor((wall - steps) / BUCKET), {}, {}
    for n = bucket, bucket + 1 do
      local i = n % 2
      local found = call('HMGET', base .. ':ids:' .. i, '', unpack(all))
      has[i] = tonumber(found[1] or -1)
      for j, id in ipairs(all) do known[id] = known[id] or (has[i] >= bucket - 1 and found[j + 1]) end
    end
    buckets[base], foreseen[base] = has, known
  end
  local function seen_of(base, id)
    local what = foreseen[base] and foreseen[base][id]
    if what == nil then what = seen(base, id, wall, steps) end
    return what
  end
  local function note(base, id, _, _, what)
    local known = foreseen[base]
    if not known or id == '' then return remember(base, id, wall, steps, what) end
    local list = noted[base] or {}
    known[id], noted[base], list[#list + 1], list[#list + 2] = what, list, id, what
  end
  for i = 1, count do
    local at = 3 + (i - 1) * size
    local lane, k = string.match(ARGV[at], '^(%d+) (%d+)$')
    k = tonumber(k)
    places[i] = { lane, k, at }
    local base, id = KEYS[bases * (k - 1) + 1], ARGV[at + field]
    if id ~= '' then
      fields[base] = fields[base] or {}
      table.insert(fields[base], id)
    end
  end
  for base, all in pairs(fields) do
    if #all > 1 then pcall(foresee, base, all) end -- if it fails, each message does
  end
  for i, place in ipairs(places) do
    local lane, answer = place[1], nil
    if failed[lane] then
      answer = { SKIPPED }
    else
      local good, what = pcall(one, place[2], place[3], seen_of, note)
      answer = good and what or { FAILED, type(what) == 'table' and what.err or tostring(what) }
      if answer == STALE then return STALE end
      if answer[1] ~= 0 and lane ~= '0' then failed[lane] = true end
    end
    out[i + 1] = answer
  end
  for base, list in pairs(noted) do
    remember(base, list[1], wall, steps, list[2], unpack(list, 3))
  end
  done()
  return out
end
