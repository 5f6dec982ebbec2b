-- The session of a connection that may be recovered. KEYS: the session. ARGV: verb, owner (the
-- connection that has the session now), incarnation, and:
--   put    ttl, field, value...  writes all of it
--   add    ttl, field, value...  writes more fields, if the session is there
--   drop   ttl, field            takes a field out
--   leave  ttl                   the connection is gone, and may come back for so long
--   end                          it will not come back
--   peek   ttl, namespace        tells who it is of: {0, user, state}
--   claim  ttl, namespace, user  the connection takes it over; the user: its own, '' if any is good
-- Returns {0}; {1} if there is no session of this server (that of another one may lack news); {2} if
-- it belongs to another connection; {3} if it may be of this server, which will be known in a second;
-- or {REAPED}. To a claim: {0, clock, field, value...}; `from` is the first term of this server.
if not alive(ARGV[5]) then return { REAPED } end
local key, verb, me, ttl = KEYS[1], ARGV[3], ARGV[4], ARGV[6]
local function write()
  for i = 7, #ARGV, 1000 do call('HSET', key, unpack(ARGV, i, math.min(i + 999, #ARGV))) end
  call('PEXPIRE', key, ttl)
  return { 0 }
end

-- Was it this server already in that term, and in which was it first? 0: yes, 1: no, 3: some node
-- may yet say so (term.lua).
local function place_of(term, wall)
  local t = call('HMGET', TERM_KEY, 'from', 'began')
  local from = t[1] or TERM
  if (tonumber(term) or 0) >= tonumber(from) then return 0, from end
  return t[2] and wall - t[2] < 1000000 and 3 or 1
end

local s = call('HMGET', key, 'owner', 'term', 'namespace', 'user')
if verb == 'put' and (not s[1] or s[1] == me) then
  call('DEL', key)
  call('HSET', key, 'owner', me, 'term', TERM)
  return write()
end
if not s[1] then return { 1 } end
if verb == 'peek' then
  return s[3] == ARGV[7] and { 0, s[4], call('HGET', key, 'state') or '' } or { 1 }
end
if verb == 'claim' then
  local wall, text = look_at_clock()
  if stale(wall, text) then return STALE end
  if s[3] ~= ARGV[7] or (ARGV[8] ~= '' and s[4] ~= ARGV[8]) then return { 1 } end
  local place, from = place_of(s[2], wall)
  if place ~= 0 then return { place } end
  local out = { 0, text ~= '' and string.sub(text, 1, 16) or '0', 'from', from }
  for _, item in ipairs(call('HGETALL', key)) do out[#out + 1] = item end
  call('HSET', key, 'owner', me)
  call('PEXPIRE', key, ttl)
  return out
end
if s[1] ~= me then return { 2 } end
if verb == 'drop' then
  call('HDEL', key, ARGV[7])
  return { 0 }
end
if verb ~= 'end' then return write() end
call('DEL', key)
return { 0 }
