-- Take a lock, or say who has it. lock.lua comes before this.
-- KEYS[1] text: the owner, until it expires   ARGV[1] the owner to be   ARGV[2] ms, at least, until it expires
-- Returns the owner it has now.
local owner = owner_of(KEYS[1])
if type(owner) == 'table' then return owner end
if owner and owner ~= ARGV[1] then return owner end
if not owner then
  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
elseif redis.call('PTTL', KEYS[1]) < tonumber(ARGV[2]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[2]) -- also a server without memory does that
end
return ARGV[1]
