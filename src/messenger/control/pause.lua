-- Pause the workers of a scope. mend.lua comes before this.
-- KEYS[1] hash: scope -> why   ARGV[1] the scope   ARGV[2] why
local mended = mend(KEYS[1], 'HLEN')
if type(mended) == 'table' then return mended end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
return mended
