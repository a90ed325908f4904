-- Leaves a number out of the sequence, so that everybody reads everything anew: what is there was changed
-- without being told.
-- KEYS  meta
redis.call('HINCRBY', KEYS[1], 'q', 1)
return { redis.call('HINCRBY', KEYS[1], 'n', 1) }
