-- Goes before the scripts that write. A key of the control plane that holds something of another type is deleted, for
-- nobody can use it; only a stream stays, for it may hold messages of an application that gave it this name.
-- probe: a command that takes a key of the right type only.
-- Returns 0 for a key of the right type or none, 1 for one that was deleted; an error for one that stays.
local function mend(key, probe)
  local reply = redis.pcall(probe, key)
  if type(reply) ~= 'table' or not reply.err then return 0 end
  if not reply.err:find('WRONGTYPE', 1, true) or redis.call('TYPE', key).ok == 'stream' then return reply end
  redis.call('DEL', key)
  return 1
end
local function now_ms()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end
