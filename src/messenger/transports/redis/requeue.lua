-- Put a new version of a message in the place of one that is being handled, in one step (R12).
-- KEYS[1] stream   KEYS[2] sorted set <stream>__queue
-- ARGV[1] group   ARGV[2] entry id   ARGV[3] consumer   ARGV[4] 1: delete the old entry
-- ARGV[5] delay in ms   ARGV[6] delayed: the sorted set's member; else the stream's value
-- Returns 1, or 0 when the entry is not this consumer's any more: whoever has it now decides what becomes of it.
local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
if #pending == 0 or pending[1][2] ~= ARGV[3] then return 0 end
if tonumber(ARGV[5]) > 0 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZADD', KEYS[2], now + ARGV[5], ARGV[6])
else
  redis.call('XADD', KEYS[1], '*', 'message', ARGV[6])
end
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
if ARGV[4] == '1' then redis.call('XDEL', KEYS[1], ARGV[2]) end
return 1
