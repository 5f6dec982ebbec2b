-- Rings a doorbell with an ephemeral event. KEYS: the channel. ARGV: event, data, member to check
-- or ''.
-- Returns {0} or {NOT_A_MEMBER}.
if ARGV[5] ~= '' and not call('ZSCORE', KEYS[1] .. ':members', ARGV[5]) then return { NOT_A_MEMBER } end
bell(KEYS[1], ARGV[3], ARGV[4])
return { 0 }
