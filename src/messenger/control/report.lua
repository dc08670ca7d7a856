-- A worker says that it lives, and how it is. mend.lua comes before this.
-- KEYS[1] sorted set: the registry   KEYS[2] text: what this worker says   ARGV[1] its id   ARGV[2] what it says
-- ARGV[3] ms until that is forgotten
-- Returns 1 where the registry held something of another type.
local mended = mend(KEYS[1], 'ZCARD')
if type(mended) == 'table' then return mended end
redis.call('ZADD', KEYS[1], now_ms(), ARGV[1])
redis.call('SET', KEYS[2], ARGV[2], 'PX', ARGV[3])
return mended
