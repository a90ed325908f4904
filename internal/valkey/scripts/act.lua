-- Writes users whose state was computed from what is still there, and appends what that tells to the log.
-- KEYS  users due closed log meta
-- ARGV  epoch now remember history, then eight for every user:
--       user old new score asks closes mode change
--       old, new: '' is nobody; score: '' takes out of the index, '=' leaves it; asks: a session that must not
--       be closed; closes: sessions to close, comma after each; mode: '' quiet, 's' a state, 'c' a change
-- Returns n q, then two for every user: 0 '' written | 1 current: it was something else | 2 current: closed
local meta = redis.call('HMGET', KEYS[5], 'epoch', 'n', 'q')
if meta[1] ~= ARGV[1] then
  return redis.error_reply('EPOCH the sequence was begun anew')
end
local n, q = tonumber(meta[2]), tonumber(meta[3])
local now, began = tonumber(ARGV[2]), n
local reply = { 0, 0 }
for i = 5, #ARGV, 8 do
  local user, old, new, score = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  local asks, closes, mode = ARGV[i + 4], ARGV[i + 5], ARGV[i + 6]
  local current = redis.call('HGET', KEYS[1], user) or ''
  if asks ~= '' and redis.call('ZSCORE', KEYS[3], asks) then
    reply[#reply + 1], reply[#reply + 2] = 2, current
  elseif current ~= old then
    reply[#reply + 1], reply[#reply + 2] = 1, current
  else
    if new == '' then
      redis.call('HDEL', KEYS[1], user)
    elseif new ~= old then
      redis.call('HSET', KEYS[1], user, new)
    end
    if score == '' then
      redis.call('ZREM', KEYS[2], user)
    elseif score ~= '=' then
      redis.call('ZADD', KEYS[2], score, user)
    end
    if closes ~= '' then
      for id in string.gmatch(closes, '([^,]+),') do
        redis.call('ZADD', KEYS[3], 'NX', ARGV[2], id)
      end
      redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', string.format('(%.0f', now - tonumber(ARGV[3])))
      redis.call('PEXPIRE', KEYS[3], string.format('%.0f', 2 * tonumber(ARGV[3]) / 1000))
    end
    if mode ~= '' then
      n = n + 1
      local told = ''
      if mode == 'c' then
        q = q + 1
        told = string.format('%.0f', q)
      end
      redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[4], string.format('%.0f-0', n),
        'u', user, 'b', new, 'q', told, 'c', ARGV[i + 7], 'x', closes)
    end
    reply[#reply + 1], reply[#reply + 2] = 0, ''
  end
end
if n ~= began then
  redis.call('HSET', KEYS[5], 'n', string.format('%.0f', n), 'q', string.format('%.0f', q))
end
reply[1], reply[2] = string.format('%.0f', n), string.format('%.0f', q)
return reply
