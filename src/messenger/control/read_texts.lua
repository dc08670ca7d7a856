-- Read keys that hold a text.
-- KEYS: the keys   ARGV[1] the most bytes to read of each
-- Returns for each its text; nil where there is none; its length where it is longer; -1 where it is no text.
local found = {}
for i, key in ipairs(KEYS) do
  local length = redis.pcall('STRLEN', key)
  if type(length) == 'table' then
    if not length.err:find('WRONGTYPE', 1, true) then return length end
    found[i] = -1
  elseif length > tonumber(ARGV[1]) then
    found[i] = length
  else
    found[i] = redis.call('GET', key)
  end
end
return found
