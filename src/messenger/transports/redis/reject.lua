-- Forget a message, because somebody else keeps it now or an operator removes it.
-- groups.lua comes before this.
-- KEYS[1] stream   KEYS[2] sorted set <stream>__queue
-- ARGV[1] group   ARGV[2] entry id   ARGV[3] the consumer that must hold it, or '' for any or none
-- ARGV[4] 1: delete the entry   ARGV[5] the sorted set's member of a delayed message, or ''
-- Returns 1, or what may_settle says.
if ARGV[5] ~= '' then return redis.call('ZREM', KEYS[2], ARGV[5]) end
local groups = groups_of(KEYS[1])
local answer = may_settle(KEYS[1], groups, ARGV[1], ARGV[2], ARGV[3])
if answer == 1 then settle(KEYS[1], groups, ARGV[1], ARGV[2], ARGV[4] == '1') end
return answer
