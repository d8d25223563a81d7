-- Drops idle accounts without open holds whose entries are all durable. Nothing is lost: they are loaded again on demand.
--
-- KEYS  1 meta  2 accounts  3 agents  4 holds  5 ids generation 0  6 ids generation 1  7 deadlines  8 journal
-- ARGV  1 installation  2 epoch  3 run_id of the connection  4 highest seq seen  5 sidecar's time in ms  6 clockSkewMaxMs
--       7 idle since (ms): accounts changed later stay  8.. account ids, at most CHUNK_MAX
-- Returns a list: 1 msgpack {status, accounts dropped}
-- Ending work: runs also when Redis is out of memory.
--
-- @include "formats"
-- @include "fence"
-- @include "hash_chunks"
-- @include "account_pack"

local META, ACCOUNTS, AGENTS, DEADLINES = KEYS[1], KEYS[2], KEYS[3], KEYS[7]
local meta, refusal = fence(META)
if not meta then return { refusal } end

local ids = {}
for i = 8, #ARGV do ids[#ids + 1] = ARGV[i] end
local packed = {}
hash_read(ACCOUNTS, ids, packed)
local idle_since, evicted_through = tonumber(ARGV[7]), meta.evicted_through
local dropped, subscriptions, not_due = {}, {}, {}
for _, id in ipairs(ids) do
  local account = packed[id] and unpack_account(packed[id])
  if account and account[A_HOLDS] == 0 and account[A_SEQ] <= meta.durable_seq and account[A_CHANGED_AT] <= idle_since then
    dropped[#dropped + 1] = id
    subscriptions[#subscriptions + 1] = #id .. ':' .. id
    not_due[#not_due + 1] = 'a' .. id
    evicted_through = math.max(evicted_through, account[A_SEQ])
  end
end
if #dropped > 0 then
  redis.call('HSET', META, 'evicted_through', string.format('%.0f', evicted_through))
  remove_chunked('HDEL', ACCOUNTS, dropped)
  remove_chunked('HDEL', AGENTS, subscriptions)
  remove_chunked('ZREM', DEADLINES, not_due)
end
return { cmsgpack.pack({ 'OK', #dropped }) }
