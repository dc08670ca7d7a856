-- Read fields of hashes.
-- KEYS: the hashes   ARGV[1] the most bytes to read of each field   ARGV[2] the most fields to read of each hash
-- ARGV[3…] the fields; without them all
-- Returns {the server's clock in ms, for each hash: its values, or all fields and values in turn; -1 where it is no hash;
-- the number of its fields where there are more}. A value is nil where there is none, and its length where it is longer.
local time = redis.call('TIME')
local found = {time[1] * 1000 + math.floor(time[2] / 1000)}
local longest, most, wanted = tonumber(ARGV[1]), tonumber(ARGV[2]), {unpack(ARGV, 3)}
local function short(key, field)
  local length = redis.call('HSTRLEN', key, field)
  if length > longest then return length end
  return redis.call('HGET', key, field)
end
local function read(key)
  local count = redis.pcall('HLEN', key)
  if type(count) == 'table' then return count.err:find('WRONGTYPE', 1, true) and -1 or count end
  local values = {}
  if #wanted > 0 then
    for i, field in ipairs(wanted) do values[i] = short(key, field) end
    return values
  end
  if count > most then return count end
  for _, field in ipairs(redis.call('HKEYS', key)) do
    values[#values + 1] = #field > longest and #field or field
    values[#values + 1] = short(key, field)
  end
  return values
end
for i, key in ipairs(KEYS) do
  local values = read(key)
  if type(values) == 'table' and values.err then return values end
  found[i + 1] = values
end
return found
