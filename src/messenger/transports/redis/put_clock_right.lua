-- Begin the leases anew that lie in the future, because the server's clock was set back: nobody could take them over
-- before it has caught up. XPENDING shows their idle time as 0, as it does for what was handed out or renewed just now,
-- which this does no harm. Delivery counts stay.
-- KEYS[1] stream   ARGV[1] group
local from = '-'
for _ = 1, 20 do
  local page = redis.call('XPENDING', KEYS[1], ARGV[1], from, '+', 100)
  for _, entry in ipairs(page) do
    if entry[3] == 0 then redis.call('XCLAIM', KEYS[1], ARGV[1], entry[2], 0, entry[1], 'JUSTID') end
  end
  if #page < 100 then break end
  from = '(' .. page[#page][1]
end
return 0
