-- Make the keys of the control plane usable again. mend.lua comes before this.
-- KEYS: the keys   ARGV[1] the most bytes of the name of a field   ARGV[2] the most fields of a hash
-- ARGV[3] 1: delete a stream as well
-- ARGV[4…] for each key a command that takes a key of the right type only: HLEN, or ZCARD
-- What holds something of another type is deleted, and a hash with too many fields; fields with too long names, too.
local longest, most = tonumber(ARGV[1]), tonumber(ARGV[2])
for i, key in ipairs(KEYS) do
  if ARGV[3] == '1' and redis.call('TYPE', key).ok == 'stream' then redis.call('DEL', key) end
  if mend(key, ARGV[i + 3]) == 0 and ARGV[i + 3] == 'HLEN' then
    if redis.call('HLEN', key) > most then redis.call('DEL', key) end
    for _, field in ipairs(redis.call('HKEYS', key)) do
      if #field > longest then redis.call('HDEL', key, field) end
    end
  end
end
return 0
