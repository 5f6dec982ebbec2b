-- Looks for `id` of the channel `base`, and `first` becomes what is remembered of it; or for a list of
-- `ids`, and `all` has what is remembered of each. `number` becomes that of the bucket in the key of
-- the present one, and `older` whether the first id was in the earlier one.
local key, other = base .. turn, base .. other_turn
local found, old = ids and call('HMGET', key, '', unpack(ids)) or call('HMGET', key, '', id), nil
number, older = (found[1] or -1) + 0, false
if not ids then
  first = number >= bucket and found[2]
  old = not first and call('HGET', other, id)
  if old and (call('HGET', other, '') or -1) + 0 >= bucket - 1 then first, older = old, true end
else
  all, old = {}, call('HMGET', other, unpack(ids))
  local old_number
  for j = 1, #ids do
    local what = number >= bucket and found[j + 1]
    if not what and old[j] then
      old_number = old_number or (call('HGET', other, '') or -1) + 0
      what = old_number >= bucket - 1 and old[j]
      older = older or (what and j == 1)
    end
    if what then all[ids[j]] = what end
  end
end
