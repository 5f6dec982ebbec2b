-- Events that a URL of webhooks has refused. ARGV: the URL, why, then the events, as JSON. Returns {0}.
local key = P .. 'tap:dead'
for i = 5, #ARGV do
  call('XADD', key, 'MAXLEN', '10000', '*', 'url', ARGV[3], 'why', ARGV[4], 'event', ARGV[i])
end
call('PEXPIRE', key, '2592000000')
return { 0 }
