-- Opens a partition: makes the keys of a new epoch where there are none, or goes on under the run_id of a Redis that was verified.
--
-- KEYS  1 meta  2 accounts  3 agents  4 holds  5 ids generation 0  6 ids generation 1  7 deadlines  8 journal
-- ARGV  1 installation  2 epoch  3 run_id of the connection  4 mode: 'new' | 'adopt'
--       new: 5 seq of the last entry of the epoch before (0: none)  6 ids_since in ms (0: no id was ever forgotten)
--       adopt: 5 the seq that was verified
-- Returns 'OK', or 'EXISTS' (new: there is a meta already), 'CHANGED' (adopt: epoch or seq are not what was verified).
--
-- @include "formats"
-- @include "clock"

local META = KEYS[1]
if ARGV[4] == 'adopt' then
  local epoch, seq, installation = unpack(redis.call('HMGET', META, 'epoch', 'seq', 'installation'))
  if epoch ~= ARGV[2] or installation ~= ARGV[1] or tonumber(seq) < tonumber(ARGV[5]) then return 'CHANGED' end
  redis.call('HSET', META, 'run_id', ARGV[3])
  return 'OK'
end

if redis.call('EXISTS', unpack(KEYS)) > 0 then return 'EXISTS' end
for i = 2, 6 do redis.call('HSET', KEYS[i], SENTINEL, '') end
redis.call('ZADD', KEYS[7], '+inf', SENTINEL)
-- A stream stays when its last record is deleted, so that it needs no sentinel.
redis.call('XADD', KEYS[8], ARGV[2] .. '-0', SENTINEL, '')
redis.call('XDEL', KEYS[8], ARGV[2] .. '-0')
local now = string.format('%.0f', clock_ms())
redis.call('HSET', META, 'format', FORMAT, 'installation', ARGV[1], 'epoch', ARGV[2], 'run_id', ARGV[3], 'seq', ARGV[5],
  'time', now, 'durable_seq', ARGV[5], 'bytes', '0', 'durable_bytes', '0', 'ids_current', '0', 'ids_since', ARGV[6],
  'ids_started_at', now, 'ids_previous_seq', ARGV[5], 'evicted_through', ARGV[5])
return 'OK'
