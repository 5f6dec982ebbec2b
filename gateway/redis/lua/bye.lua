-- What disconnect-hook is to be told of a connection (client/goodbye.h). KEYS: the node. ARGV: what,
-- incarnation, socket, its text ("<id of the call> <JSON>"); for how long (ms) the end waits.
-- `note`: the connection is there. An end of the socket that nobody was told of is taken back.
-- `end`: it is not, from now on. Not if the socket has come back by another connection.
-- Returns {0} or {REAPED}.
local what, incarnation, socket, text = ARGV[3], ARGV[4], ARGV[5], ARGV[6]
local noted, ended, due = P .. 'noted', P .. 'bye', P .. 'byes'
local function touch(key)
  call('PEXPIRE', key, USER_TTL)
end

if what == 'note' then
  if not alive(incarnation) then return { REAPED } end
  call('HDEL', ended, socket)
  call('ZREM', due, socket)
  call('HSET', noted, socket, incarnation .. ' ' .. text)
  call('SADD', KEYS[1] .. ':noted', socket)
  touch(noted)
  touch(KEYS[1] .. ':noted')
  return { 0 }
end

local entry = call('HGET', noted, socket)
if entry and string.match(entry, '^%S* (%S*)') ~= string.match(text, '^%S*') then return { 0 } end
local ms = millis(now())
call('HDEL', noted, socket)
call('SREM', KEYS[1] .. ':noted', socket)
call('HSET', ended, socket, (string.gsub(text, ' ', ' ' .. ms .. ' ', 1)))
call('ZADD', due, digits(ms + ARGV[7]), socket)
touch(ended)
touch(due)
return { 0 }
