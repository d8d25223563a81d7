-- @include "formats"
-- @include "clock"

local M_FIELDS = {
  'format', 'installation', 'epoch', 'run_id', 'seq', 'time', 'durable_seq', 'bytes', 'durable_bytes',
  'ids_current', 'ids_since', 'evicted_through', 'pending_since',
}

-- Reads meta and compares it with what the caller believes.
-- ARGV[1] installation, [2] epoch, [3] run_id of the caller's connection, [4] highest seq that the caller has seen,
-- [5] caller's time in ms, [6] largest difference of the clocks in ms.
-- Returns meta (numbers as numbers, `now` added), or nil and the packed refusal {status, ...}. Writes nothing.
local function fence(meta_key)
  local values = redis.call('HMGET', meta_key, unpack(M_FIELDS))
  if not values[1] then return nil, cmsgpack.pack({ 'EMPTY' }) end
  local meta = {}
  for i = 1, #M_FIELDS do meta[M_FIELDS[i]] = tonumber(values[i]) end
  meta.run_id, meta.installation = values[4], values[2]

  if meta.format ~= FORMAT then return nil, cmsgpack.pack({ 'FORMAT', meta.format }) end
  if meta.installation ~= ARGV[1] then return nil, cmsgpack.pack({ 'INSTALLATION' }) end
  if meta.epoch ~= tonumber(ARGV[2]) then return nil, cmsgpack.pack({ 'FENCED', 'epoch', meta.epoch }) end
  if meta.run_id ~= ARGV[3] then return nil, cmsgpack.pack({ 'FENCED', 'run_id', meta.epoch }) end
  if meta.seq < tonumber(ARGV[4]) then return nil, cmsgpack.pack({ 'FENCED', 'seq', meta.epoch }) end

  local clock = clock_ms()
  local skew = clock - tonumber(ARGV[5])
  if math.abs(skew) > tonumber(ARGV[6]) then return nil, cmsgpack.pack({ 'SKEW', skew }) end
  meta.now = math.max(clock, meta.time)
  return meta
end
