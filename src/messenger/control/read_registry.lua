-- Read who is in the registry of workers, and sweep it: entries that are too old, ahead of the clock, or have no id that
-- a worker could have.
-- KEYS[1] sorted set: worker id, scored by when it was last seen, ms of the server's clock
-- ARGV[1] ms after which an entry is too old   ARGV[2] ms by which one may be ahead   ARGV[3] the most entries to read
-- ARGV[4] the most bytes of an id   ARGV[5] 1: sweep; 0: only look
-- Returns {the server's clock in ms; how many entries there are, -1 where the key is no sorted set;
-- ids and scores in turn; the ids of the entries that no worker can have written, the length in place of a long one}.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local count = redis.pcall('ZCARD', KEYS[1])
if type(count) == 'table' then
  if not count.err:find('WRONGTYPE', 1, true) then return count end
  return {now, -1, {}, {}}
end
local oldest, newest = now - ARGV[1], now + ARGV[2]
local sweeps = ARGV[5] == '1'
if sweeps then redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', oldest) end
local found, forged = {}, {}
local function forge(id)
  forged[#forged + 1] = #id > tonumber(ARGV[4]) and #id or id
  if sweeps then redis.call('ZREM', KEYS[1], id) end
end
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. newest, '+inf', 'LIMIT', 0, ARGV[3])) do forge(id) end
local entries = redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. oldest, newest, 'WITHSCORES', 'LIMIT', 0, ARGV[3])
for i = 1, #entries, 2 do
  if #entries[i] > tonumber(ARGV[4]) then
    forge(entries[i])
  else
    found[#found + 1] = entries[i]
    found[#found + 1] = entries[i + 1]
  end
end
return {now, count, found, forged}
