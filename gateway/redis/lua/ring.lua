-- Rings a doorbell with an ephemeral event. KEYS: the channel. ARGV: event, data, member to check
-- or '', head (put.lua) or '', the channel's name if the doorbell has another one or ''.
-- Returns {0} or {NOT_A_MEMBER}.
if ARGV[5] ~= '' and not call('ZSCORE', KEYS[1] .. ':members', ARGV[5]) then return { NOT_A_MEMBER } end
local head, name = ARGV[6], ARGV[7]
bell(KEYS[1], ARGV[3], ARGV[4], head ~= '' and head or nil, name ~= '' and name or nil)
return { 0 }
