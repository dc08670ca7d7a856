-- End the pause of a scope, or every one. mend.lua comes before this.
-- KEYS[1] hash: scope -> why   ARGV[1] the scope, or none for all
-- Returns how many were ended.
local mended = mend(KEYS[1], 'HLEN')
if type(mended) == 'table' then return mended end
if ARGV[1] then return redis.call('HDEL', KEYS[1], ARGV[1]) end
return redis.call('DEL', KEYS[1]) + mended
