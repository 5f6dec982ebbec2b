-- Tells all nodes to do something (client/revocation.h). KEYS: a name, which only says in which
-- partition. ARGV: the news, as JSON. Returns {0}.
call(PUBLISH, P .. 'revoked', ARGV[3])
return { 0 }
