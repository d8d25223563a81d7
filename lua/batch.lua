-- Applies one batch of mixed operations of one partition: fence, dedupe, draw, journal, store.
--
-- KEYS  1 meta  2 accounts  3 agents  4 holds  5 ids generation 0  6 ids generation 1  7 deadlines  8 journal
-- ARGV  1 installation  2 epoch  3 run_id of the connection  4 highest seq seen  5 sidecar's time in ms
--       6 clockSkewMaxMs  7 eventFutureMaxMs  8 idsPerGenerationMax  9 journalBytesMax  10 journalAgeMaxMs
--       11 batch: msgpack {format, account ids, rows, usage}: the operations are the rows (one array each), then the usage events,
--       which are many and travel as columns (includes/formats.lua); 12 what only the ledger needs, stored unread
-- Returns a list of strings:
--       1 msgpack {status, epoch, seq, durable seq, now, ids_since, first seq, bytes not durable}; any status but 'OK'
--         comes alone and means that nothing was read or written
--       2 the codes, one byte an operation (includes/formats.lua)
--       3 one packed value an operation, concatenated, as its code says: an outcome (OK, DUPLICATE, CONFLICT, ENDED), a packed account
--         (OK of touch; for show its subscription as length and msgpack after it), SESSION_OPENED or SESSION_CHECKPOINTED (OK of those), DENIAL, LIMIT or REPRICE; nothing for MISS, CHECK, NONE, STALE, BEHIND, BROKEN and the OK of a swept hold
--
-- Invariants: everything is read and decided before the first write; nothing after the first write can fail; the journal record
-- is written first, under the id epoch-firstSeq, so that a call repeated after a half-applied one fails on it; seq is
-- written last. A batch that changes nothing writes nothing.
--
-- @include "plain_sessions"
-- @include "apply_usage"

local META, ACCOUNTS, AGENTS, HOLDS, DEADLINES, JOURNAL = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[7], KEYS[8]
local IDS = { KEYS[5], KEYS[6] }

local meta, refusal = fence(META)
if not meta then return { refusal } end

local batch = cmsgpack.unpack(ARGV[11])
if batch[1] ~= FORMAT then return { cmsgpack.pack({ 'FORMAT', batch[1] }) } end
local account_ids, rows, usage = batch[2], batch[3], batch[4]
local rows_count = #rows

ctx.now, ctx.at, ctx.seq, ctx.ids_since = meta.now, meta.now, meta.seq, meta.ids_since
ctx.check_before = meta.ids_since > 0 and meta.ids_since + tonumber(ARGV[7]) or 0
ctx.evicted_through = meta.evicted_through

-- New work is refused at 80 % of a limit of the journal, ending work at 100 %; both before anything is written.
local refuse_ending
do
  local bytes_part = (meta.bytes - meta.durable_bytes) / tonumber(ARGV[9])
  local age_part = (meta.now - (meta.pending_since or meta.now)) / tonumber(ARGV[10])
  local ids_max = 2 * tonumber(ARGV[8])
  local part = math.max(bytes_part, age_part)
  if part > 0.8 then
    ctx.refuse_new = struct.pack(LIMIT, bytes_part >= age_part and 'journalBytesMax' or 'journalAgeMaxMs')
    if part > 1 then refuse_ending = ctx.refuse_new end
  elseif redis.call('HLEN', IDS[meta.ids_current + 1]) > ids_max then
    ctx.refuse_new = struct.pack(LIMIT, 'idsPerGenerationMax')
  end
end

-- Read: accounts, ids, holds.
local due_before = {}
do
  local packed_states, lengths = {}, {}
  hash_read(ACCOUNTS, account_ids, packed_states)
  for i = 1, #account_ids do
    local id = account_ids[i]
    local length = #id
    -- Numbers become text once a length: that costs more than all else here.
    lengths[length] = lengths[length] or length .. ':'
    local prefix = lengths[length] .. id
    ctx.prefixes[i] = prefix
    local packed = packed_states[id]
    if packed then
      local account = unpack_account(packed)
      ctx.states[i] = account
      due_before[i] = account[A_DUE]
    end
  end
end

local wanted_ids, wanted_holds, holds_named = {}, {}, {}
do
  local ID_KINDS = {
    [OP_RESERVE] = 'h', [OP_EXTEND] = 'x', [OP_SETTLE] = 'h', [OP_RELEASE] = 'h', [OP_EXPIRE_HOLD] = 'h',
    [OP_OPEN_SESSION] = 'h', [OP_CHECKPOINT] = 'h',
    [OP_CREATE] = 'c', [OP_GRANT] = 'g', [OP_REVERSE] = 'r',
    [OP_RERATE] = 'p', [OP_EXPIRE_LOT] = 'l', [OP_SET_STATUS] = 's', [OP_CONVERT] = 'v',
    [OP_START_PERIOD] = 'b', [OP_CHANGE_PLAN] = 'b', [OP_WITHDRAW_CHANGE] = 'b',
    [OP_UNLOCK_AGENT] = 'a', [OP_ACTIVATE_AGENT] = 'a', [OP_SUSPEND_AGENT] = 'a', [OP_REMOVE_AGENT] = 'a',
  }
  for i = 1, rows_count do
    local op = rows[i]
    local kind = op[P_KIND]
    local id_kind = ID_KINDS[kind] or kind == OP_LOOKUP and op[7]
    if id_kind == 'h' then
      local named = hold_field(op, op[P_ID])
      local field = 'h' .. named
      ctx.fields[i], holds_named[i] = field, named
      wanted_ids[#wanted_ids + 1], wanted_holds[#wanted_holds + 1] = field, named
    elseif id_kind then
      local field = id_field(id_kind, op, op[P_ID])
      ctx.fields[i] = field
      wanted_ids[#wanted_ids + 1] = field
      if kind == OP_EXTEND then
        wanted_holds[#wanted_holds + 1] = hold_field(op, op[7])
        wanted_ids[#wanted_ids + 1] = id_field('h', op, op[7])
      elseif kind == OP_REVERSE or kind == OP_RERATE then
        judging().want_corrections(op, wanted_ids)
      end
    end
  end
end
local rows_wanted = #wanted_ids
if rows_wanted == 0 then
  wanted_ids = usage[U_FIELD]
else
  for u = 1, #usage[U_FIELD] do wanted_ids[rows_wanted + u] = usage[U_FIELD][u] end
end
-- The sentinel alone: nothing to read in it.
if redis.call('HLEN', IDS[2 - meta.ids_current]) > 1 then hash_read(IDS[2 - meta.ids_current], wanted_ids, ctx.ids) end
hash_read(IDS[meta.ids_current + 1], wanted_ids, ctx.ids)
hash_read(HOLDS, wanted_holds, ctx.holds)

-- Decide.
local codes, outcomes, booked = {}, {}, string.char(CODE_OK)
for i = 1, rows_count do
  local op = rows[i]
  local kind, code, outcome = op[P_KIND], booked, nil
  if kind == OP_OPEN_SESSION then
    outcome = plain_sessions.open(i, op, holds_named[i])
  elseif kind == OP_SETTLE and not refuse_ending then
    outcome = plain_sessions.settle(i, op, holds_named[i])
  end
  if not outcome then
    code, outcome = judging().judge(i, op, refuse_ending)
    code, outcome = string.char(code), outcome or ''
  end
  codes[i], outcomes[i] = code, outcome
end
apply_usage(usage, rows_count + 1, wanted_ids, rows_wanted, refuse_ending, codes, outcomes)

-- Writes what was decided; a function, because Lua allows 200 local names in a script.
local first_seq, entries = meta.seq + 1, ctx.entries
local function write()
  local states, state_indexes, account_pairs, hold_pairs, ended, due, not_due = {}, {}, {}, {}, {}, {}, {}
  for i = 1, #account_ids do
    if ctx.changed[i] then
      local account = ctx.states[i]
      local packed = pack_account(account)
      account_pairs[#account_pairs + 1] = account_ids[i]
      account_pairs[#account_pairs + 1] = packed
      state_indexes[#state_indexes + 1] = i
      states[#states + 1] = packed
      if account[A_DUE] ~= (due_before[i] or 0) then
        if account[A_DUE] > 0 then
          due[#due + 1] = account[A_DUE]
          due[#due + 1] = 'a' .. account_ids[i]
        else
          not_due[#not_due + 1] = 'a' .. account_ids[i]
        end
      end
    end
  end
  local hold_states = {}
  for _, field in ipairs(ctx.hold_fields) do
    local packed = ctx.holds[field]
    if packed then
      if type(packed) == 'table' then packed = pack_hold(packed) end
      hold_states[#hold_states + 1] = struct.pack(HOLD_STATE, field, #packed)
      hold_states[#hold_states + 1] = packed
      hold_pairs[#hold_pairs + 1] = field
      hold_pairs[#hold_pairs + 1] = packed
      due[#due + 1] = struct.unpack(HOLD_DEADLINE, packed, HOLD_DEADLINE_PLACE)
      due[#due + 1] = 'h' .. field
    else
      hold_states[#hold_states + 1] = struct.pack(HOLD_STATE, field, 0)
      ended[#ended + 1] = field
      not_due[#not_due + 1] = 'h' .. field
    end
  end
  local agent_pairs, agent_states = {}, {}
  for i = 1, #account_ids do
    if ctx.subscription_changed[i] then
      local packed = cmsgpack.pack(ctx.subscriptions[i])
      agent_pairs[#agent_pairs + 1] = ctx.prefixes[i]
      agent_pairs[#agent_pairs + 1] = packed
      agent_states[#agent_states + 1] = cmsgpack.pack(ctx.prefixes[i]) .. packed
    end
  end
  entries[0] = struct.pack('<BI7I4', FORMAT, ctx.now, ctx.seq - meta.seq)
  local decisions = table.concat(entries, '', 0)
  local indexes, account_states, hold_state = cmsgpack.pack(state_indexes), table.concat(states), table.concat(hold_states)
  local agent_state = table.concat(agent_states)
  local bytes = meta.bytes + #ARGV[11] + #ARGV[12] + #decisions + #indexes + #account_states + #hold_state + #agent_state
  redis.call('XADD', JOURNAL, string.format('%.0f-%.0f', meta.epoch, first_seq),
    'b', ARGV[11], 'o', ARGV[12], 'd', decisions, 'i', indexes, 'a', account_states, 'h', hold_state, 'g', agent_state, 'c', string.format('%.0f', bytes))
  hash_write(ACCOUNTS, account_pairs)
  hash_write(IDS[meta.ids_current + 1], ctx.id_pairs)
  hash_write(HOLDS, hold_pairs)
  hash_write(AGENTS, agent_pairs)
  remove_chunked('HDEL', HOLDS, ended)
  for first = 1, #due, 2 * CHUNK_MAX do
    redis.call('ZADD', DEADLINES, unpack(due, first, math.min(first + 2 * CHUNK_MAX - 1, #due)))
  end
  remove_chunked('ZREM', DEADLINES, not_due)
  redis.call('HSET', META, 'time', string.format('%.0f', ctx.now), 'bytes', string.format('%.0f', bytes),
    'pending_since', string.format('%.0f', meta.pending_since or ctx.now), 'seq', string.format('%.0f', ctx.seq))
  meta.bytes = bytes
end
if #entries > 0 then write() end

return {
  cmsgpack.pack({ 'OK', meta.epoch, ctx.seq, meta.durable_seq, ctx.now, meta.ids_since, first_seq, meta.bytes - meta.durable_bytes, ctx.expired_holds }),
  table.concat(codes),
  table.concat(outcomes),
}
