-- Say that a message is still being worked on: its idle time starts again, its delivery count stays.
-- KEYS[1] stream   ARGV[1] group   ARGV[2] entry id   ARGV[3] consumer
-- Returns 1, or 0 when the entry is not this consumer's any more. A consumer that was stopped for too long must not
-- take it back from the one that has taken over.
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
if #pending == 0 or pending[1][2] ~= ARGV[3] then return 0 end
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, ARGV[2], 'JUSTID')
return 1
