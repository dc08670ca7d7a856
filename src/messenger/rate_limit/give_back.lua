-- Give back a token that was not used. What has grown again since it was taken is not given twice.
-- state.lua comes before this.
-- KEYS[1] hash: see acquire.lua   ARGV[1] µs in which one token comes   ARGV[2] when it was taken, µs
local full_at = time_in(KEYS[1], 'full_at')
if full_at == 0 then return 0 end
local time = redis.call('TIME')
local credit = ARGV[1] - (time[1] * 1000000 + time[2] - ARGV[2])
if credit <= 0 then return 0 end
redis.call('HSET', KEYS[1], 'full_at', string.format('%.0f', full_at - credit))
return 1
