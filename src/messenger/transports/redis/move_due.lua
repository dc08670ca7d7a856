-- Move delayed messages that are due into the stream, all or none.
-- KEYS[1] stream   KEYS[2] sorted set <stream>__queue: member = envelope JSON, score = due time in ms
-- ARGV[1] at most this many   ARGV[2] 1: wrap the value as phpredis does, s:<bytes>:"<json>";
-- Returns the milliseconds until the next one is due, -1 when none is delayed, -2 when the key held something of another
-- type, which nobody could use and no message was in: it is deleted.
-- The member goes in as it is: re-encoding in Lua would change large numbers. Readers ignore its extra key "uniqid".
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local due = redis.pcall('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, ARGV[1])
if due.err then
  if not due.err:find('WRONGTYPE', 1, true) or redis.call('TYPE', KEYS[2]).ok == 'stream' then return due end
  redis.call('DEL', KEYS[2])
  return -2
end
for _, member in ipairs(due) do
  local value = member
  if ARGV[2] == '1' then value = 's:' .. #member .. ':"' .. member .. '";' end
  redis.call('XADD', KEYS[1], '*', 'message', value)
  redis.call('ZREM', KEYS[2], member)
end
local first = redis.call('ZRANGE', KEYS[2], 0, 0, 'WITHSCORES')
if #first == 0 then return -1 end
return math.max(0, math.min(math.ceil(tonumber(first[2]) - now), 2 ^ 53))
