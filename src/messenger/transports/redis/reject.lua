-- Forget a message, because somebody else keeps it now or an operator removes it.
-- KEYS[1] stream   KEYS[2] sorted set <stream>__queue
-- ARGV[1] group   ARGV[2] entry id   ARGV[3] the consumer that must hold it, or '' for any or none
-- ARGV[4] 1: delete the entry   ARGV[5] the sorted set's member of a delayed message, or ''
-- Returns 1, or 0 when it is gone or another consumer's: whoever has it now decides what becomes of it.
if ARGV[5] ~= '' then return redis.call('ZREM', KEYS[2], ARGV[5]) end
if ARGV[3] ~= '' then
  local pending = redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1)
  if #pending == 0 or pending[1][2] ~= ARGV[3] then return 0 end
end
local acknowledged = redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
-- An entry that nobody holds yet would be handed out if it stayed.
if ARGV[4] == '1' or acknowledged == 0 then return math.max(acknowledged, redis.call('XDEL', KEYS[1], ARGV[2])) end
return 1
