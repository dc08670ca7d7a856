-- Create a group above maxmemory, where XGROUP CREATE by itself is refused.
-- KEYS[1] stream   ARGV[1] group
return redis.call('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
