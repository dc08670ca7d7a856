-- Delete the entries that every group has handled meanwhile: a group that held them up was destroyed or moved on.
-- groups.lua comes before this.
-- KEYS[1] stream   ARGV[1] where to begin, as XRANGE takes it   ARGV[2] look at this many at most
-- Returns where to go on, '' at the end.
local groups = groups_of(KEYS[1])
if #groups == 0 then return '' end
local last = groups[1]['last-delivered-id']
for _, group in ipairs(groups) do
  if before(group['last-delivered-id'], last) then last = group['last-delivered-id'] end
end
local page = redis.call('XRANGE', KEYS[1], ARGV[1], last, 'COUNT', ARGV[2])
for _, entry in ipairs(page) do
  if all_have_handled(KEYS[1], groups, entry[1]) then redis.call('XDEL', KEYS[1], entry[1]) end
end
if #page < tonumber(ARGV[2]) then return '' end
return '(' .. page[#page][1]
