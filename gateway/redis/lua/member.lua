-- Is the user a member of the room? KEYS: room. ARGV: user. Returns {0} or {NOT_A_MEMBER}.
return { call('ZSCORE', KEYS[1] .. ':members', ARGV[3]) and 0 or NOT_A_MEMBER }
