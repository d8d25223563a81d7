-- The ends and beginnings of a partition's epochs: makes its keys, lets them serve, seals them, and goes on in the next epoch where they are whole.
-- Which keys belong to an epoch says their token: Postgres admits one for each epoch, so that keys that somebody made too late never serve.
--
-- KEYS  1 meta  2 accounts  3 agents  4 holds  5 ids generation 0  6 ids generation 1  7 deadlines  8 journal
-- ARGV  1 mode  2 installation  3 epoch  4 token
--       make: of the new keys; 5 seq of the last entry before the epoch  6 its clock does not begin before this time in ms (0: no entry was ever
--         booked)  7, 8 epoch and token of sealed keys that they replace ('', '': there is no whole meta)  9 caller's time in ms  10 clockSkewMaxMs
--       adopt: 5 run_id of the connection under which the keys serve from now on
--       seal: nothing changes any more until they are replaced or advanced
--       advance: sealed keys, whole through 5 seq, are those of the next epoch, under the token 6
-- Returns 'OK', or 'CHANGED': the keys are not those that the caller named, or 'SKEW': an epoch that began with a clock that is off would go on
-- with it once the clock is corrected. Nothing was written then.
-- Runs also when Redis is out of memory.
--
-- @include "formats"
-- @include "clock"

-- The run_id of keys that serve nobody: no server has it.
local NOBODY = '-'

local META, JOURNAL = KEYS[1], KEYS[8]
local mode, installation, epoch, token = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

local function is_at(at_epoch, at_token)
  local meta = redis.call('HMGET', META, 'installation', 'epoch', 'token')
  return meta[1] == installation and meta[2] == at_epoch and meta[3] == at_token
end

-- A meta that lacks a field was damaged: it serves as little as none.
local function is_whole()
  local meta = redis.call('HMGET', META, 'installation', 'format', 'epoch', 'token', 'run_id', 'seq', 'durable_seq')
  for i = 1, 7 do
    if not meta[i] then return false end
  end
  return true
end

local function is_sealed() return redis.call('HGET', META, 'sealed') == '1' end

local function make(after_seq, not_before, clock)
  redis.call('UNLINK', unpack(KEYS))
  for i = 2, 6 do redis.call('HSET', KEYS[i], SENTINEL, '') end
  redis.call('ZADD', KEYS[7], '+inf', SENTINEL)
  -- A stream stays when its last record is deleted, so that it needs no sentinel.
  redis.call('XADD', JOURNAL, epoch .. '-0', SENTINEL, '')
  redis.call('XDEL', JOURNAL, epoch .. '-0')
  local now = string.format('%.0f', math.max(clock, tonumber(not_before)))
  -- Ids of what was booked before are in the ledger alone. Where nothing was, none is.
  redis.call('HSET', META, 'format', FORMAT, 'installation', installation, 'epoch', epoch, 'token', token, 'run_id', NOBODY,
    'seq', after_seq, 'time', now, 'durable_seq', after_seq, 'bytes', '0', 'durable_bytes', '0', 'ids_current', '0',
    'ids_since', not_before == '0' and '0' or now, 'ids_started_at', now, 'ids_previous_seq', after_seq, 'evicted_through', after_seq)
end

if mode == 'make' then
  if ARGV[7] == '' then
    if is_whole() then return 'CHANGED' end
  elseif not is_at(ARGV[7], ARGV[8]) or not is_sealed() then
    return 'CHANGED'
  end
  local clock = clock_ms()
  if math.abs(clock - tonumber(ARGV[9])) > tonumber(ARGV[10]) then return 'SKEW' end
  make(ARGV[5], ARGV[6], clock)
  return 'OK'
end

if not is_at(epoch, token) then return 'CHANGED' end
if mode == 'seal' then
  redis.call('HSET', META, 'sealed', '1', 'run_id', NOBODY)
elseif mode == 'adopt' then
  if is_sealed() or redis.call('HGET', META, 'run_id') ~= NOBODY then return 'CHANGED' end
  redis.call('HSET', META, 'run_id', ARGV[5])
else
  if not is_sealed() or redis.call('HGET', META, 'seq') ~= ARGV[5] then return 'CHANGED' end
  redis.call('HDEL', META, 'sealed', 'pending_since')
  redis.call('HSET', META, 'epoch', string.format('%.0f', tonumber(epoch) + 1), 'token', ARGV[6],
    'durable_seq', ARGV[5], 'bytes', '0', 'durable_bytes', '0')
end
return 'OK'
