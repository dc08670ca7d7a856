-- Keep a stream to its maximum: the oldest entries go, handled ones only, and stop at the first that some group
-- has not read or not acknowledged yet. Then add a message, if there is room.
-- groups.lua comes before this.
-- KEYS[1] stream   ARGV[1] maximum number of entries   ARGV[2] the value to add, or none to remove only
-- Returns the id of the new entry, or nil when the stream is full or nothing was to be added.
local adding = #ARGV - 1
local surplus = redis.call('XLEN', KEYS[1]) + adding - ARGV[1]
if surplus > 0 then
  local groups = groups_of(KEYS[1])
  for _ = 1, #groups > 0 and math.min(surplus, 1000) or 0 do -- without a group nothing was handled
    local oldest = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)[1]
    if not oldest or not all_have_handled(KEYS[1], groups, oldest[1]) then break end
    redis.call('XDEL', KEYS[1], oldest[1])
    surplus = surplus - 1
  end
end
if adding == 0 or surplus > 0 then return nil end
return redis.call('XADD', KEYS[1], '*', 'message', ARGV[2])
