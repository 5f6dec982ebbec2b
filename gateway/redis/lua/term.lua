-- A node greets a master. The term is raised when this is another one than that which stands in Redis:
-- another run_id, or another replid, which changes with each promotion. What was appended in an older
-- term may be missing here. ARGV: run_id (or what stands for it), replid as the greeting had it ('' if
-- it is not told), '1' to take what stands over whoever made it.
-- Returns {0, term}.
-- The HDEL makes the script one that has written: so a full Redis lets the others pass.
local run, replid = ARGV[3], replid_now() or ARGV[4]
local stored = call('HMGET', TERM_KEY, 'number', 'run', 'replid')
local wall, text, steps = look_at_clock()
local number = math.max(tonumber(stored[1] or 0), tonumber(string.sub(text, 52)) or 0)
local same = stored[1] == digits(number) and
  (ARGV[5] == '1' or (stored[2] == run and stored[3] == replid))
call('HDEL', TERM_KEY, '')
if not same then
  -- The first one is the second that it was made in: none that was lost with this key comes again.
  number = number > 0 and number + 1 or math.floor(wall / 1000000)
  number = math.max(number, (tonumber(TERM) or 0) + 1)
  call('HSET', TERM_KEY, 'number', digits(number), 'run', run, 'replid', replid)
end
local last = string.sub(text, 1, 16)
set_clock(last ~= '' and last or wall, wall, steps, digits(number))
call('PEXPIRE', TERM_KEY, YEAR)
call('PEXPIRE', CLOCK, YEAR)
return { 0, digits(number) }
