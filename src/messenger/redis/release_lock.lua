-- Free a lock, unless it is somebody else's now. lock.lua comes before this.
-- KEYS[1] text: see take_lock.lua   ARGV[1] the owner
if owner_of(KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
