-- After known.lua: remembers `what` of `id`, or of a `list` of id, what, id, what... With `wide`, Redis
-- keeps the key as a table from now on, since one value is long: it searches a short hash from its
-- beginning.
local key = base .. turn
if number < bucket then
  call('DEL', key)
  call('HSET', key, '', format(wide and '%-65d' or '%d', bucket))
  call('PEXPIRE', key, '2592000000')
  call('ZADD', P .. 'ids', format('%d', bucket), key)
  call('PEXPIRE', P .. 'ids', format('%d', USER_TTL)) -- leases prolong its life
elseif wide then
  call('HSET', key, '', format('%-65d', bucket))
end
if list then call('HSET', key, unpack(list)) else call('HSET', key, id, what) end
