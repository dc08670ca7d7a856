-- Take a token, or say how long to wait for one (a token bucket, kept as the time at which it is full again: GCRA).
-- state.lua comes before this.
-- KEYS[1] hash: full_at, and last_turn = the latest turn that was given to a refused one; µs of the server's clock
-- ARGV[1] µs in which one token comes   ARGV[2] how many may be taken at once after a time without any
-- ARGV[3] 1: one who is refused is given a turn, one token after the last; 0: its turn is now, it is told the wait only
-- ARGV[4] the latest turn, µs from now
-- Returns {µs to wait, 0: a token is taken; the time now}.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local before, last_turn = time_in(KEYS[1], 'full_at'), time_in(KEYS[1], 'last_turn')
local spacing = tonumber(ARGV[1])
local burst = spacing * ARGV[2]
-- Never later than now + burst, unless the clock was set back or the burst is smaller than it was.
local full_at = math.max(math.min(before, now + burst), now) + spacing
local wait = full_at - burst - now
local expires_at = math.max(full_at, math.min(last_turn, now + burst + ARGV[4]))
if wait <= 0 then
  redis.call('HSET', KEYS[1], 'full_at', string.format('%.0f', full_at))
elseif ARGV[3] == '1' then
  local turn = math.min(math.max(last_turn + spacing, full_at), now + burst + ARGV[4])
  redis.call('HSET', KEYS[1], 'last_turn', string.format('%.0f', turn))
  wait = math.max(wait, turn - burst - now)
  expires_at = math.max(full_at, turn)
end
redis.call('PEXPIRE', KEYS[1], math.ceil((expires_at - now) / 1000))
return {math.max(0, wait), now}
