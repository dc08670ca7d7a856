-- Shorten a stream that keeps its handled entries (delete_after_ack=false) to about its maximum, by removing
-- handled entries only: never one that some group has not read or not acknowledged yet (R10).
-- KEYS[1] stream   ARGV[1] maximum number of entries
-- Returns how many were removed.
local surplus = redis.call('XLEN', KEYS[1]) - ARGV[1]
if surplus <= 0 then return 0 end
local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', math.min(surplus, 1000))
local function before(a, b) -- stream ids, compared as the pair of numbers they are
  local a1, a2 = a:match('(%d+)-(%d+)')
  local b1, b2 = b:match('(%d+)-(%d+)')
  a1, a2, b1, b2 = tonumber(a1), tonumber(a2), tonumber(b1), tonumber(b2)
  return a1 < b1 or (a1 == b1 and a2 < b2)
end
local removed = 0
local limits = {}
for _, info in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local group = {}
  for i = 1, #info, 2 do group[info[i]] = info[i + 1] end
  local pending = redis.call('XPENDING', KEYS[1], group.name)
  limits[#limits + 1] = { read = group['last-delivered-id'], pending = pending[2] }
end
for _, entry in ipairs(oldest) do
  for _, limit in ipairs(limits) do
    if before(limit.read, entry[1]) or (limit.pending and not before(entry[1], limit.pending)) then return removed end
  end
  redis.call('XDEL', KEYS[1], entry[1])
  removed = removed + 1
end
return removed
