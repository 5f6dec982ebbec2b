-- Idempotency. The ids of messages are in buckets of 5 minutes, of which the last two are searched,
-- so a repeat is known for 5 to 10 minutes. Buckets go by elapsed time, so that a step of Redis's clock
-- does not end one. They take turns in two keys, whose names can be declared; the field '' has the
-- number of the key's bucket. Their lifetime is long, since a step of the clock could end that, too. A
-- bucket is noted when it begins, and due.lua deletes the buckets that are over.
local bucket, turn, other_turn = (clock - steps) / 300000000, ':ids:0', ':ids:1'
bucket = bucket - bucket % 1
if bucket % 2 == 1 then turn, other_turn = other_turn, turn end
