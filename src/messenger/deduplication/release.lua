-- Free a lock, unless it is somebody else's now.
-- KEYS[1] text: see take.lua   ARGV[1] the owner
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
