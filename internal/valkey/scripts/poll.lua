-- Tells where the log stands, what the server's clock says, which server it is, and what came after an entry.
-- KEYS  log meta
-- ARGV  after limit
-- Returns epoch n q b held server microseconds entries
local meta = redis.call('HMGET', KEYS[2], 'epoch', 'n', 'q', 'b', 'held')
local time = redis.call('TIME')
local server = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local entries = {}
if meta[1] and tonumber(meta[2]) > tonumber(ARGV[1]) then
  entries = redis.call('XRANGE', KEYS[1], '(' .. ARGV[1] .. '-0', '+', 'COUNT', ARGV[2])
end
return { meta[1] or '', meta[2] or '0', meta[3] or '0', meta[4] or '0', meta[5] or '0', server or '',
  string.format('%.0f', tonumber(time[1]) * 1000000 + tonumber(time[2])), entries }
