-- Goes before the scripts of rate limits: a number of the state, 0 where there is none. Whatever is no time was written by
-- somebody else, and counts as none; so does a key that is no hash, which is deleted.
local function time_in(key, field)
  local length = redis.pcall('HSTRLEN', key, field)
  if type(length) == 'table' then
    if not length.err:find('WRONGTYPE', 1, true) or redis.call('TYPE', key).ok == 'stream' then error(length.err) end
    redis.call('DEL', key)
    return 0
  end
  local text = length <= 20 and redis.call('HGET', key, field) or '0'
  return text and text:match('^%d+$') and tonumber(text) or 0
end
