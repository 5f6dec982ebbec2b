-- A raw connection of a user is over. KEYS: the user. ARGV: connection. Returns {0}.
call('HDEL', KEYS[1] .. ':raw', ARGV[3])
return { 0 }
