-- Give a message back before it is handled: it looks abandoned at once.
-- KEYS[1] stream   ARGV[1] group   ARGV[2] entry id   ARGV[3] consumer   ARGV[4] idle ms after which it may be taken over
-- ARGV[5] 1: its handlers were called, so this delivery counts
-- Returns 1, or 0 when the entry is not this consumer's any more.
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
if #pending == 0 or pending[1][2] ~= ARGV[3] then return 0 end
local deliveries = math.max(0, pending[1][4] - (ARGV[5] == '1' and 0 or 1))
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[3], 0, ARGV[2], 'IDLE', ARGV[4], 'RETRYCOUNT', deliveries, 'JUSTID')
return 1
