-- Reads the users whose entry in the index has come.
-- KEYS  users due
-- ARGV  until offset limit
-- Returns the next entry after them ('' when there is none), then two for every user: user current
local ids = redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[1], 'LIMIT', ARGV[2], ARGV[3])
local reply = { '' }
if #ids == tonumber(ARGV[3]) then
  reply[1] = ARGV[1]
else
  local after = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. ARGV[1], '+inf', 'WITHSCORES', 'LIMIT', 0, 1)
  if after[2] then
    reply[1] = string.format('%.0f', tonumber(after[2]))
  end
end
if #ids > 0 then
  local current = redis.call('HMGET', KEYS[1], unpack(ids))
  for i = 1, #ids do
    reply[#reply + 1], reply[#reply + 2] = ids[i], current[i] or ''
  end
end
return reply
