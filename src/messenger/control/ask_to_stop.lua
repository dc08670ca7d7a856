-- Raise the stop counters of some scopes. mend.lua comes before this.
-- KEYS[1] hash: scope -> counter   ARGV: the scopes
-- What is no counter is replaced by the clock: it is above every value that workers take for a counter.
local mended = mend(KEYS[1], 'HLEN')
if type(mended) == 'table' then return mended end
local now = now_ms()
for _, scope in ipairs(ARGV) do
  local count = redis.pcall('HINCRBY', KEYS[1], scope, 1)
  if type(count) == 'table' and not count.err:find('integer', 1, true) and not count.err:find('overflow', 1, true) then
    return count
  end
  if type(count) == 'table' or count < 1 or count > now then
    redis.call('HSET', KEYS[1], scope, string.format('%.0f', now))
  end
end
return mended
