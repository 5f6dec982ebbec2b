-- A node greets a master. The term is raised if the master is another one than the one noted in
-- Redis: if its run_id is another, or its replid, which changes with each promotion. This master
-- may lack messages that were appended in an older term. ARGV: run_id (or a substitute), replid as
-- the greeting had it ('' if Redis does not tell it), '1' to keep the term that is noted, whichever
-- master made it; and where Redis tells no ids, '1' if the node has been linked to this server since
-- its own term began there, or else '0'.
-- Without ids a term begins with each new link of a node. Another node, whose link stood, then says
-- that it is the same server all the same. `from` is the first term of which that is known, and `was`
-- is what `from` was before the present term, which began at `began` (microseconds).
-- Returns {0, term}.
-- A full Redis refuses the other writes unless the script has written before; so the HDEL comes
-- first.
local run, replid, nameless = ARGV[3], replid_now() or ARGV[4], ARGV[6] ~= ''
local stored = call('HMGET', TERM_KEY, 'number', 'run', 'replid', 'from', 'was')
local wall, text, steps = look_at_clock()
local number = math.max(tonumber(stored[1] or 0), tonumber(string.sub(text, 52)) or 0)
local same = stored[1] == digits(number) and
  (ARGV[5] == '1' or (stored[2] == run and stored[3] == replid))
call('HDEL', TERM_KEY, '')
if not same then
  -- The first term is the present second, so that no term that was lost with this key is used
  -- again.
  number = number > 0 and number + 1 or math.floor(wall / 1000000)
  number = math.max(number, (tonumber(TERM) or 0) + 1)
  call('HSET', TERM_KEY, 'number', digits(number), 'run', run, 'replid', replid)
  if nameless then
    call('HSET', TERM_KEY, 'from', digits(number), 'was', stored[4] or digits(number), 'began', wall)
  else
    call('HDEL', TERM_KEY, 'from', 'was', 'began')
  end
elseif ARGV[6] == '1' and stored[4] then
  local own, from, was = tonumber(TERM), tonumber(stored[4]), tonumber(stored[5])
  if own and own < from then call('HSET', TERM_KEY, 'from', digits(own < was and own or was)) end
end
local last = string.sub(text, 1, 16)
set_clock(last ~= '' and last or wall, wall, steps, digits(number))
call('PEXPIRE', TERM_KEY, YEAR)
call('PEXPIRE', CLOCK, YEAR)
return { 0, digits(number) }
