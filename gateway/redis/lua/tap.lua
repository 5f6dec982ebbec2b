-- The tap: tells back ends what happened (gateway/docs/webhooks.md), in the stream `tap` of the
-- partition. `user` and `channel` may be ''; `data` is an object, as text. What a script adds here is
-- decided, so it must not fail for the tap's sake: hence pcall. `tap:meta` has `n`, the number of the
-- last entry, by which readers see that some were trimmed; and `bytes`, which tap_trim.lua goes by.
-- In scripts a line that begins with `--? rooms` is code only if the tap has rooms, and is left out otherwise.
local function tap(what, user, channel, data)
  local pcall, key = redis.pcall, P .. 'tap'
  local meta = key .. ':meta'
  local n = pcall('HINCRBY', meta, 'n', '1')
  pcall('HINCRBY', meta, 'bytes', string.format('%d', #user + #channel + #data + 100))
  if type(n) ~= 'number' then return end
  pcall('XADD', key, '*', 'n', string.format('%d', n), 'term', ARGV[1], 'type', what, 'user', user,
        'channel', channel, 'data', data)
  if n % 16 == 1 then
    pcall('PEXPIRE', key, '172800000')
    pcall('PEXPIRE', meta, '172800000')
  end
end

-- A message that put.lua has just appended to the log `c`; unseen: to the inbox of a user without a
-- connection.
local function tap_message(c, event, unseen)
  local frame = c.frames[#c.frames]
  if #frame > 65536 then
    frame = '{"channel":"' .. c.name .. '","epoch":"' .. c.epoch .. '","seq":' .. string.format('%d', c.seq) ..
      ',"time":' .. c.stamp .. ',"event":"' .. event .. '","bytes":' .. #frame .. '},"truncated":true'
  end
  tap(unseen and 'message_unseen' or 'message', unseen or '', string.sub(c.base, SKIP, LAST),
      '{"message":' .. frame .. '}')
end

-- A connection enters presence, or leaves it. incarnation: of its node.
local function tap_connection(what, user, id, incarnation, rest)
  local node = string.match(incarnation, '^[^.]*')
  tap(what, user, '', string.format('{"connection":"%s","node":"%s",%s}', id, node, rest))
end

local function tap_opened(user, id, incarnation, door, address)
  tap_connection('connection_opened', user, id, incarnation, string.format('"door":"%s","address":"%s"', door == 'ws' and 'json' or door, address))
end

local function tap_closed(user, id, incarnation, reason)
  tap_connection('connection_closed', user, id, incarnation, string.format('"reason":"%s"', reason))
end

-- One node more, or one less, has subscribers in this topic.
local function topic_counts(channel, by)
  local nodes = tonumber(redis.call('ZINCRBY', P .. 'topics', by, channel))
  if nodes <= 0 then redis.call('ZREM', P .. 'topics', channel) end
  if nodes == 1 and by == '1' then tap('channel_occupied', '', channel, '{}') end
  if nodes == 0 then tap('channel_vacated', '', channel, '{}') end
end
