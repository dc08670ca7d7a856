-- Begin a stream again that has no entry, with its groups: ids then come from the clock again.
-- KEYS[1] stream
-- Returns how many entries there are; with any, nothing was done.
local count = redis.call('XLEN', KEYS[1])
if count > 0 or redis.call('TYPE', KEYS[1]).ok == 'none' then return count end
local groups = redis.call('XINFO', 'GROUPS', KEYS[1])
redis.call('DEL', KEYS[1])
for _, group in ipairs(groups) do
  for i = 1, #group, 2 do
    if group[i] == 'name' then redis.call('XGROUP', 'CREATE', KEYS[1], group[i + 1], '0', 'MKSTREAM') end
  end
end
return 0
