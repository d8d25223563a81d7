-- Puts accounts, their subscriptions, open holds and stored outcomes, as Postgres knows them, into Redis. No fact changes, so nothing is journaled.
--
-- KEYS  1 meta  2 accounts  3 agents  4 holds  5 ids generation 0  6 ids generation 1  7 deadlines  8 journal
-- ARGV  1 installation  2 epoch  3 run_id of the connection  4 highest seq seen  5 sidecar's time in ms  6 clockSkewMaxMs
--       7 seq of the snapshot
--       8 count of accounts, then for each: id, packed state, due (0: none), subscription ('': none), its field, count of holds, and for each: field,
--       packed hold, deadline;
--       then stored outcomes that Redis forgot and the ledger knows: field, outcome, field, outcome, ...
-- Returns a list: 1 msgpack {status, accounts loaded}; status 'STALE': the snapshot is older than an eviction, read again.
-- What is in Redis already is left as it is: Redis is newer.
-- Runs also when Redis is out of memory: a late settle may need it.
--
-- @include "formats"
-- @include "fence"
-- @include "hash_chunks"

local META, ACCOUNTS, AGENTS, HOLDS, DEADLINES = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[7]
local meta, refusal = fence(META)
if not meta then return { refusal } end
if tonumber(ARGV[7]) < meta.evicted_through then return { cmsgpack.pack({ 'STALE' }) } end

local account_pairs, agent_pairs, hold_pairs, due = {}, {}, {}, {}
local loaded = 0
local place = 9
for _ = 1, tonumber(ARGV[8]) do
  local id, state, due_at, subscription, field, holds = unpack(ARGV, place, place + 5)
  place = place + 6
  local absent = redis.call('HEXISTS', ACCOUNTS, id) == 0
  if absent then
    loaded = loaded + 1
    account_pairs[#account_pairs + 1] = id
    account_pairs[#account_pairs + 1] = state
    if subscription ~= '' then
      agent_pairs[#agent_pairs + 1] = field
      agent_pairs[#agent_pairs + 1] = subscription
    end
    if due_at ~= '0' then
      due[#due + 1] = due_at
      due[#due + 1] = 'a' .. id
    end
  end
  for _ = 1, tonumber(holds) do
    if absent then
      hold_pairs[#hold_pairs + 1] = ARGV[place]
      hold_pairs[#hold_pairs + 1] = ARGV[place + 1]
      due[#due + 1] = ARGV[place + 2]
      due[#due + 1] = ARGV[place]
    end
    place = place + 3
  end
end
hash_write(HOLDS, hold_pairs)
hash_write(AGENTS, agent_pairs)
hash_write(ACCOUNTS, account_pairs)
for first = 1, #due, 2 * CHUNK_MAX do
  redis.call('ZADD', DEADLINES, unpack(due, first, math.min(first + 2 * CHUNK_MAX - 1, #due)))
end
local current, previous = KEYS[5 + meta.ids_current], KEYS[6 - meta.ids_current]
for i = place, #ARGV, 2 do
  if redis.call('HEXISTS', previous, ARGV[i]) == 0 then redis.call('HSETNX', current, ARGV[i], ARGV[i + 1]) end
end
return { cmsgpack.pack({ 'OK', loaded }) }
