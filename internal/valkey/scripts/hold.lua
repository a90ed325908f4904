-- Opens the breaker for all nodes, unless it is open or has just been closed.
-- KEYS  meta
-- ARGV  now until window
-- Returns 1 when this call opened it, and until when it is open, or was
local held = tonumber(redis.call('HGET', KEYS[1], 'held') or '0')
if held == 0 or tonumber(ARGV[1]) >= held + tonumber(ARGV[3]) then
  redis.call('HSET', KEYS[1], 'held', ARGV[2])
  return { 1, ARGV[2] }
end
return { 0, string.format('%.0f', held) }
