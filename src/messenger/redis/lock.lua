-- Goes before the scripts of locks: who has this one?
-- A lock is a short text that expires. Whatever else lies there was written by somebody else, and locks nothing.
local function expires(key) -- within ten years: longer than any message waits
  local ms = redis.call('PTTL', key)
  return ms >= 0 and ms < 315360000000
end
local function owner_of(key)
  local length = redis.pcall('STRLEN', key)
  if type(length) == 'table' then
    if length.err:find('WRONGTYPE', 1, true) then return nil end
    return length
  end
  if length == 0 or length > 1000 or not expires(key) then return nil end
  return redis.call('GET', key)
end
