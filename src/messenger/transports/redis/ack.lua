-- A message is handled by this group; delete it once every group has handled it.
-- groups.lua comes before this.
-- KEYS[1] stream   ARGV[1] group   ARGV[2] entry id   ARGV[3] 1: delete
-- Returns 1, or 0 when this group did not hold it any more.
local acknowledged = redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
if ARGV[3] == '1' and all_have_handled(KEYS[1], groups_of(KEYS[1]), ARGV[2], ARGV[1]) then
  redis.call('XDEL', KEYS[1], ARGV[2])
end
return acknowledged
