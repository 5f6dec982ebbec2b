-- Decides once more what rooms are to hear of users: they may have heard what this partition has
-- lost (placing.lua). KEYS: users, one for each entry. ARGV: of each entry: user, room.
-- Returns {0, what is to be placed...}.
local due, out = digits(millis(now()) + SWEPT), { 0 }
for i = 1, N do
  local base, user, room = KEYS[i], ARGV[2 * i + 1], ARGV[2 * i + 2]
  local todo = todo_of(user, base)
  note(user, base, { room }, '1', call('SISMEMBER', base .. ':rooms', room), todo)
  wait_for_sweep(user, base, due)
  out[i + 1] = todo
end
return out
