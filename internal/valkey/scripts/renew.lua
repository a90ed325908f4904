-- Writes a batch of renewed leases: nobody's status changes and nothing is told but when they were seen.
-- KEYS  users due meta beats
-- ARGV  epoch history seen, then four for every user: user old new score (as in act.lua; '=' leaves the index,
--       whose entries may be earlier than the truth but never later)
-- Returns two for every user that was something else: its place in the batch (0 is the first), current
if redis.call('HGET', KEYS[3], 'epoch') ~= ARGV[1] then
  return redis.error_reply('EPOCH the sequence was begun anew')
end
local ids = {}
for i = 4, #ARGV, 4 do
  ids[#ids + 1] = ARGV[i]
end
local current = redis.call('HMGET', KEYS[1], unpack(ids))
local write, index, reply = {}, {}, {}
for i = 1, #ids do
  local at = 4 * i
  if current[i] == ARGV[at + 1] then
    write[#write + 1], write[#write + 2] = ids[i], ARGV[at + 2]
    if ARGV[at + 3] ~= '=' then
      index[#index + 1], index[#index + 2] = ARGV[at + 3], ids[i]
    end
  else
    reply[#reply + 1], reply[#reply + 2] = i - 1, current[i] or ''
  end
end
if #write > 0 then
  redis.call('HSET', KEYS[1], unpack(write))
end
if #index > 0 then
  redis.call('ZADD', KEYS[2], unpack(index))
end
if ARGV[3] ~= '' then
  local b = redis.call('HINCRBY', KEYS[3], 'b', 1)
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[2], b .. '-0', 's', ARGV[3])
end
return reply
