-- An id of the API is `:api:<key>:<Idempotency-Key>` and a hash of the request, which becomes the `tag`.
-- It is remembered behind all else, so that another request with the same id is noticed.
local one, two = string.byte(id, 1, 2)
if one == 58 and two == 97 then id, tag = string.match(id, '^(%S+) (%S+)$') end -- ":a"
