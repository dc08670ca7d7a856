-- Keep a lock for longer; one that has expired, or is somebody else's now, is left alone. lock.lua comes before this.
-- KEYS[1] text: see take_lock.lua   ARGV[1] the owner   ARGV[2] ms, at least, until it expires
if owner_of(KEYS[1]) ~= ARGV[1] then return 0 end
if redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return 1
