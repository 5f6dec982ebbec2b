-- Was a token revoked? KEYS: its user. ARGV: when it was issued (ms), '' if it does not say so.
-- Returns {0} or {REVOKED}.
if revoked(KEYS[1], ARGV[3]) then return { REVOKED } end
return { 0 }
