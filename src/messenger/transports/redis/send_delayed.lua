-- Keep a message back until its time, by the server's clock.
-- KEYS[1] sorted set <stream>__queue   ARGV[1] delay in ms   ARGV[2] member: envelope JSON with "uniqid"
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
return redis.call('ZADD', KEYS[1], 'NX', now + ARGV[1], ARGV[2])
