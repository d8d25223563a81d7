-- Says what Postgres has committed: moves the durable watermark, trims the journal below the tail that repairs need, and
-- forgets the older generation of ids once it is durable and the younger one is full or old enough.
--
-- KEYS  1 meta  2 accounts  3 agents  4 holds  5 ids generation 0  6 ids generation 1  7 deadlines  8 journal
-- ARGV  1 installation  2 epoch  3 run_id of the connection  4 highest seq seen  5 sidecar's time in ms  6 clockSkewMaxMs
--       7 durable seq  8 bytes of the journal through that record, counted from the start of the epoch
--       9 first seq that stays (0: trim nothing)  10 idsPerGenerationMax  11 idsWindowMs
--       12 when the durable seq was booked, in ms (0: the caller does not know)
-- Returns a list: 1 msgpack {status, ids rotated (0 or 1), records in the journal, accounts in Redis, open holds, bytes not durable,
--       records trimmed}
-- Ending work: runs also when Redis is out of memory.
--
-- @include "formats"
-- @include "fence"

local META, IDS, JOURNAL = KEYS[1], { KEYS[5], KEYS[6] }, KEYS[8]
local meta, refusal = fence(META)
if not meta then return { refusal } end

local durable_seq = tonumber(ARGV[7])
if durable_seq > meta.durable_seq then
  redis.call('HSET', META, 'durable_seq', ARGV[7], 'durable_bytes', ARGV[8])
  meta.durable_seq, meta.durable_bytes = durable_seq, tonumber(ARGV[8])
  -- The oldest entry that is not durable was booked no earlier than the last one that is.
  if durable_seq >= meta.seq then
    redis.call('HDEL', META, 'pending_since')
  elseif tonumber(ARGV[12]) > 0 then
    redis.call('HSET', META, 'pending_since', ARGV[12])
  end
end

local keep_from = tonumber(ARGV[9])
local trimmed = 0
if keep_from > 0 and keep_from <= meta.durable_seq then
  trimmed = redis.call('XTRIM', JOURNAL, 'MINID', ARGV[2] .. '-' .. ARGV[9])
end

local rotated = 0
local started_at, previous_seq = unpack(redis.call('HMGET', META, 'ids_started_at', 'ids_previous_seq'))
local full = redis.call('HLEN', IDS[meta.ids_current + 1]) > tonumber(ARGV[10])
local old = meta.now - tonumber(started_at) >= tonumber(ARGV[11])
if (full or old) and tonumber(previous_seq) <= meta.durable_seq then
  local other = 1 - meta.ids_current
  redis.call('UNLINK', IDS[other + 1])
  redis.call('HSET', IDS[other + 1], SENTINEL, '')
  local now = string.format('%.0f', meta.now)
  -- What is remembered from now on reaches back to the start of the generation that was current until now.
  redis.call('HSET', META, 'ids_current', other, 'ids_since', started_at, 'ids_started_at', now,
    'ids_previous_seq', string.format('%.0f', meta.seq))
  rotated = 1
end

return { cmsgpack.pack({
  'OK', rotated, redis.call('XLEN', JOURNAL), redis.call('HLEN', KEYS[2]) - 1, redis.call('HLEN', KEYS[4]) - 1, meta.bytes - meta.durable_bytes,
  trimmed,
}) }
