-- Begins the sequence of changes anew, unless somebody else has done so already.
-- KEYS  meta log beats
-- ARGV  the epoch that is to be replaced ('' when there is none), the new one, how many shards there are
-- Returns the epoch, and the number of shards
local epoch = redis.call('HGET', KEYS[1], 'epoch') or ''
if epoch == ARGV[1] and epoch ~= ARGV[2] then
  if redis.call('HSETNX', KEYS[1], 'n', '0') == 1 then
    redis.call('DEL', KEYS[2], KEYS[3])
    redis.call('HSET', KEYS[1], 'q', '0', 'b', '0')
  end
  redis.call('HSET', KEYS[1], 'epoch', ARGV[2], 'shards', ARGV[3])
  epoch = ARGV[2]
end
return { epoch, redis.call('HGET', KEYS[1], 'shards') }
