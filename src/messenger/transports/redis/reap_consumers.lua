-- Remove consumers that hold nothing: XGROUP DELCONSUMER drops the pending entries of one that does.
-- KEYS[1] stream   ARGV[1] group   ARGV[2] only this consumer, or '' for any   ARGV[3] idle for at least this many ms
-- Returns the names of those removed.
local removed = {}
for _, info in ipairs(redis.call('XINFO', 'CONSUMERS', KEYS[1], ARGV[1])) do
  local consumer = {}
  for i = 1, #info, 2 do consumer[info[i]] = info[i + 1] end
  if consumer.pending == 0 and consumer.idle >= tonumber(ARGV[3])
    and (ARGV[2] == '' or consumer.name == ARGV[2]) then
    redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], consumer.name)
    removed[#removed + 1] = consumer.name
  end
end
return removed
