-- Idempotency. The ids of messages are in buckets of 5 minutes, of which the last two are searched,
-- so a repeat is known for 5 to 10 minutes. Buckets go by elapsed time, so that a step of Redis's clock
-- does not end one. They take turns in two keys, whose names can be declared; the field '' has the
-- number of the key's bucket. Their lifetime is long, since a step of the clock could end that, too. A
-- bucket is noted when it begins, and due.lua deletes the buckets that are over.
local bucket
local has = {} -- base → the number of the bucket that the present one's key has, as far as was looked
-- Of a list of ids: id → what is remembered, and those of which the earlier bucket knew it.
local function look_up(base, ids)
  bucket = bucket or math.floor((wall - steps) / 300000000)
  local mine, other = base .. ':ids:0', base .. ':ids:1'
  if bucket % 2 == 1 then mine, other = other, mine end
  local found, known, older = call('HMGET', mine, '', unpack(ids)), {}, {}
  has[base] = (found[1] or -1) + 0
  local count, left = #ids, ids
  if has[base] >= bucket then
    left = {}
    for i = 1, count do
      if found[i + 1] then known[ids[i]] = found[i + 1] else left[#left + 1] = ids[i] end
    end
  end
  count = #left
  local olds = count == 1 and { call('HGET', other, left[1]) } or count > 1 and call('HMGET', other, unpack(left))
  for i = 1, count do
    if olds[i] and (call('HGET', other, '') or -1) + 0 >= bucket - 1 then
      known[left[i]], older[left[i]] = olds[i], true
    end
  end
  return known, older, other
end

-- After look_up: remembers id, what, id, what... With `wide`, Redis keeps the key as a table from now
-- on, since one value is long: it searches a short hash from its beginning.
local function note(base, list, wide)
  local key = base .. ':ids:' .. (bucket % 2 == 0 and '0' or '1')
  if has[base] >= bucket then
    if wide then call('HSET', key, '', format('%-65d', bucket)) end
    call('HSET', key, unpack(list))
    return
  end
  call('DEL', key)
  call('HSET', key, '', format(wide and '%-65d' or '%d', bucket), unpack(list))
  call('PEXPIRE', key, '2592000000')
  call('ZADD', P .. 'ids', bucket, key)
  call('PEXPIRE', P .. 'ids', format('%d', USER_TTL)) -- leases prolong its life
  has[base] = bucket
end
local known, noted = {}, {} -- by base: what look_up found, and what is to be noted
