-- Put a new version of a message in the place of the old one, in one step.
-- groups.lua comes before this.
-- KEYS[1] stream   KEYS[2] sorted set <stream>__queue
-- ARGV[1] group   ARGV[2] entry id   ARGV[3] the consumer that must hold it, or '' for any or none
-- ARGV[4] 1: delete the old entry   ARGV[5] the sorted set's member of a delayed message, or ''
-- ARGV[6] delay in ms   ARGV[7] delayed: the sorted set's new member; else the stream's value
-- ARGV[8] 1: the caller knows that the stream has several groups
-- Returns 1; what may_settle says; or -2 when there are several groups, and the new version does not say for which it is.
local groups
if ARGV[5] == '' then
  groups = groups_of(KEYS[1])
  local answer = may_settle(KEYS[1], groups, ARGV[1], ARGV[2], ARGV[3])
  if answer ~= 1 then return answer end
  if #groups > 1 and ARGV[8] ~= '1' then return -2 end
end
-- First stored, then removed: a server without memory ends the script where it would store.
local added
if tonumber(ARGV[6]) > 0 then
  local time = redis.call('TIME')
  local now = time[1] * 1000 + math.floor(time[2] / 1000)
  redis.call('ZADD', KEYS[2], now + ARGV[6], ARGV[7])
else
  added = redis.call('XADD', KEYS[1], '*', 'message', ARGV[7])
end
if groups then
  settle(KEYS[1], groups, ARGV[1], ARGV[2], ARGV[4] == '1')
elseif redis.call('ZREM', KEYS[2], ARGV[5]) == 0 then
  if added then redis.call('XDEL', KEYS[1], added) else redis.call('ZREM', KEYS[2], ARGV[7]) end
  return 0
end
return 1
