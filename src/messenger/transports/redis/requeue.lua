-- Put a new version of a message in the place of the old one, in one step (R12).
-- KEYS[1] stream   KEYS[2] sorted set <stream>__queue
-- ARGV[1] group   ARGV[2] entry id   ARGV[3] the consumer that must hold it, or '' for any or none
-- ARGV[4] 1: delete the old entry   ARGV[5] the sorted set's member of a delayed message, or ''
-- ARGV[6] delay in ms   ARGV[7] delayed: the sorted set's new member; else the stream's value
-- Returns 1, or 0 when it is gone or another consumer's: whoever has it now decides what becomes of it.
if ARGV[5] ~= '' then
  if redis.call('ZREM', KEYS[2], ARGV[5]) == 0 then return 0 end
elseif ARGV[3] ~= '' then
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
  if #pending == 0 or pending[1][2] ~= ARGV[3] then return 0 end
elseif #redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2]) == 0 then
  return 0
end
if tonumber(ARGV[6]) > 0 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZADD', KEYS[2], now + ARGV[6], ARGV[7])
else
  redis.call('XADD', KEYS[1], '*', 'message', ARGV[7])
end
if ARGV[5] == '' then
  local acknowledged = redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
  if ARGV[4] == '1' or acknowledged == 0 then redis.call('XDEL', KEYS[1], ARGV[2]) end
end
return 1
