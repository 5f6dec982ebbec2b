-- How many private messages of a peer a user has not read, where the log of the two is in another
-- partition. {user}:unread has the number, as with one Redis. {user}:counted has what it was made of,
-- "<sent> <read> <epoch>": how many the peer had sent, in the life of their log that the epoch names,
-- with the last message that came to the inbox, and how many of these were read. Messages and marks
-- come in any order, so both only rise.
local PEERS = 1000

local function counted_of(base, peer)
  return string.match(call('HGET', base .. ':counted', peer) or '', '^(%d+) (%-?%d+) (%S+)$')
end

local function forget_count(base, peer)
  call('HDEL', base .. ':counted', peer)
  call('HDEL', base .. ':unread', peer)
end

local function note_count(base, peer, sent, past, epoch)
  local number = math.max(0, sent - past)
  call('HSET', base .. ':counted', peer, table.concat({ digits(sent), digits(past), epoch }, ' '))
  if number > 0 then
    call('HSET', base .. ':unread', peer, digits(number))
  else
    call('HDEL', base .. ':unread', peer)
  end
  for _, part in ipairs({ ':counted', ':unread' }) do
    if call('PTTL', base .. part) == -1 then call('PEXPIRE', base .. part, USER_TTL) end
  end
end
