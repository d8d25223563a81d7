-- Applies one batch of mixed operations of one partition: fence, dedupe, draw, journal, store.
--
-- KEYS  1 meta  2 accounts  3 agents  4 holds  5 ids generation 0  6 ids generation 1  7 deadlines  8 journal
-- ARGV  1 installation  2 epoch  3 run_id of the connection  4 highest seq seen  5 sidecar's time in ms
--       6 clockSkewMaxMs  7 eventFutureMaxMs  8 idsPerGenerationMax  9 journalBytesMax  10 journalAgeMaxMs
--       11 batch: msgpack {format, account ids, rows, operations in short, usage}, the last two false where there are none: the operations are the
--       rows (one array each, or a mere kind where it is in short), then the usage events, which are many and travel as columns (includes/formats.lua);
--       12 what is packed of the operations in short; 13 what only the ledger needs, stored unread
-- Returns a list of strings:
--       1 msgpack {status, epoch, seq, durable seq, now, ids_since, first seq, bytes not durable}; any status but 'OK'
--         comes alone and means that nothing was read or written
--       2 the codes, one byte an operation (includes/formats.lua)
--       3 one packed value an operation, concatenated, as its code says: an outcome (OK, DUPLICATE, CONFLICT, ENDED), a packed account
--         (OK of touch; for show its subscription as length and msgpack after it), SESSION_OPENED or SESSION_CHECKPOINTED (OK of those),
--         its entry (OPENED), DENIAL, LIMIT or REPRICE; nothing for MISS, CHECK, NONE, STALE, BEHIND, BROKEN and the OK of a swept hold
--
-- Invariants: everything is read and decided before the first write; nothing after the first write can fail; the journal record
-- is written first, under the id epoch-firstSeq, so that a call repeated after a half-applied one fails on it; seq is
-- written last. A batch that changes nothing writes nothing.
--
-- @include "apply_usage"
-- @include "apply_rows"

local META, ACCOUNTS, AGENTS, HOLDS, DEADLINES, JOURNAL = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[7], KEYS[8]
local IDS = { KEYS[5], KEYS[6] }

local meta, refusal = fence(META)
if not meta then return { refusal } end

local batch = cmsgpack.unpack(ARGV[11])
if batch[1] ~= FORMAT then return { cmsgpack.pack({ 'FORMAT', batch[1] }) } end
local account_ids, rows, shorts, usage = batch[2], batch[3], batch[4], batch[5]
local rows_count = #rows

ctx.now, ctx.at, ctx.seq, ctx.ids_since, ctx.account_ids = meta.now, meta.now, meta.seq, meta.ids_since, account_ids
ctx.check_before = meta.ids_since > 0 and meta.ids_since + tonumber(ARGV[7]) or 0
ctx.evicted_through = meta.evicted_through

-- New work is refused at 80 % of a limit of the journal, ending work at 100 %; both before anything is written.
do
  local bytes_part = (meta.bytes - meta.durable_bytes) / tonumber(ARGV[9])
  local age_part = (meta.now - (meta.pending_since or meta.now)) / tonumber(ARGV[10])
  local ids_max = 2 * tonumber(ARGV[8])
  local part = math.max(bytes_part, age_part)
  if part > 0.8 then
    ctx.refuse_new = struct.pack(LIMIT, bytes_part >= age_part and 'journalBytesMax' or 'journalAgeMaxMs')
    if part > 1 then ctx.refuse_ending = ctx.refuse_new end
  elseif redis.call('HLEN', IDS[meta.ids_current + 1]) > ids_max then
    ctx.refuse_new = struct.pack(LIMIT, 'idsPerGenerationMax')
  end
end

-- Read: accounts, ids, holds.
ctx.packed_states = hash_values(ACCOUNTS, account_ids)

-- Nothing is to be read of a generation that has only its sentinel.
local ids_current, ids_previous = IDS[meta.ids_current + 1], IDS[2 - meta.ids_current]
local reads_previous = redis.call('HLEN', ids_previous) > 1
local function read_ids(fields)
  if reads_previous then hash_read(ids_previous, fields, ctx.ids) end
  hash_read(ids_current, fields, ctx.ids)
end

local short_fields = shorts and shorts[SHORT_FIELD]
if not shorts or #short_fields < rows_count then
  local ID_KINDS = {
    [OP_RESERVE] = 'h', [OP_EXTEND] = 'x', [OP_SETTLE] = 'h', [OP_RELEASE] = 'h', [OP_EXPIRE_HOLD] = 'h',
    [OP_OPEN_SESSION] = 'h', [OP_CHECKPOINT] = 'h',
    [OP_CREATE] = 'c', [OP_GRANT] = 'g', [OP_REVERSE] = 'r',
    [OP_RERATE] = 'p', [OP_EXPIRE_LOT] = 'l', [OP_SET_STATUS] = 's', [OP_CONVERT] = 'v',
    [OP_START_PERIOD] = 'b', [OP_CHANGE_PLAN] = 'b', [OP_WITHDRAW_CHANGE] = 'b',
    [OP_UNLOCK_AGENT] = 'a', [OP_ACTIVATE_AGENT] = 'a', [OP_SUSPEND_AGENT] = 'a', [OP_REMOVE_AGENT] = 'a',
  }
  local wanted_ids, wanted_holds = {}, {}
  for i = 1, rows_count do
    local op = rows[i]
    local kind = type(op) == 'table' and op[P_KIND]
    local id_kind = ID_KINDS[kind] or kind == OP_LOOKUP and op[7]
    if id_kind then
      local field = id_field(id_kind, op, op[P_ID])
      ctx.fields[i] = field
      wanted_ids[#wanted_ids + 1] = field
      if id_kind == 'h' then
        wanted_holds[#wanted_holds + 1] = field
      elseif kind == OP_EXTEND then
        local hold = hold_field(op[P_ACCOUNT], op[7])
        wanted_ids[#wanted_ids + 1], wanted_holds[#wanted_holds + 1] = hold, hold
      elseif kind == OP_REVERSE or kind == OP_RERATE then
        judging().want_corrections(op, wanted_ids)
      end
    end
  end
  read_ids(wanted_ids)
  hash_read(HOLDS, wanted_holds, ctx.holds)
end
if shorts then
  local short_holds, unheld, unheld_count = hash_values(HOLDS, short_fields), {}, 0
  for i = 1, #short_fields do
    if not short_holds[i] then
      unheld_count = unheld_count + 1
      unheld[unheld_count] = short_fields[i]
    end
  end
  ctx.short_holds = short_holds
  -- A hold that is open has no outcome.
  read_ids(unheld)
end
if usage then read_ids(usage[U_FIELD]) end

-- Decide.
local codes, outcomes = {}, {}
if rows_count > 0 then apply_rows(rows, shorts or { {}, {} }, ARGV[12], codes, outcomes) end
if usage then apply_usage(usage, rows_count + 1, codes, outcomes) end

-- Before the first write, and in pieces, because unpack() can fail.
local codes_text = {}
for first = 1, #codes, CHUNK_MAX do
  codes_text[#codes_text + 1] = string.char(unpack(codes, first, math.min(first + CHUNK_MAX - 1, #codes)))
end

-- Writes what was decided; a function, because Lua allows 200 local names in a script.
local first_seq, entries = meta.seq + 1, ctx.entries
local function write()
  local states, state_indexes, account_pairs, due = {}, {}, {}, {}
  local hold_pairs, ended, not_due = ctx.hold_pairs, ctx.ended, ctx.not_due
  local changed, payers, states_count = ctx.changed, ctx.payers, 0
  for i = 1, #account_ids do
    local payer, packed = payers[i], nil
    if payer then
      packed = payer[Y_SEQ] > 0 and pack_payer(payer)
    elseif changed[i] then
      local account = ctx.states[i]
      packed = pack_account(account)
      if account[A_DUE] ~= (ctx.due_before[i] or 0) then
        if account[A_DUE] > 0 then
          due[#due + 1] = account[A_DUE]
          due[#due + 1] = 'a' .. account_ids[i]
        else
          not_due[#not_due + 1] = 'a' .. account_ids[i]
        end
      end
    end
    if packed then
      states_count = states_count + 1
      account_pairs[2 * states_count - 1], account_pairs[2 * states_count] = account_ids[i], packed
      state_indexes[states_count], states[states_count] = i, packed
    end
  end
  for deadline, fields in pairs(ctx.ending) do
    due[#due + 1] = string.format('%.0f', deadline)
    due[#due + 1] = DEADLINE_OF_MANY .. table.concat(fields, HOLD_STATE_END)
  end
  local hold_fields, holds, said, told, told_ended, texts = ctx.hold_fields, ctx.holds, ctx.hold_said, {}, {}, {}
  local pairs_count, due_count, ended_count, not_due_count = #hold_pairs, #due, #ended, #not_due
  for i = 1, #hold_fields do
    local field = hold_fields[i]
    local packed = holds[field]
    if packed then
      if type(packed) == 'table' then packed = pack_hold(packed) end
      hold_pairs[pairs_count + 1], hold_pairs[pairs_count + 2] = field, packed
      pairs_count = pairs_count + 2
      if said[field] ~= packed then told[#told + 1], told[#told + 2] = field, packed end
      -- Most have the same: numbers become text once.
      local deadline = struct.unpack(HOLD_DEADLINE, packed, HOLD_DEADLINE_PLACE)
      local text = texts[deadline]
      if not text then
        text = string.format('%.0f', deadline)
        texts[deadline] = text
      end
      due[due_count + 1], due[due_count + 2] = text, field
      due_count = due_count + 2
    else
      ended_count, not_due_count = ended_count + 1, not_due_count + 1
      ended[ended_count], not_due[not_due_count] = field, field
      if said[field] ~= false then told_ended[#told_ended + 1] = field end
    end
  end
  local agent_pairs, agent_states = {}, {}
  for i = 1, #account_ids do
    if ctx.subscription_changed[i] then
      local packed = cmsgpack.pack(ctx.subscriptions[i])
      agent_pairs[#agent_pairs + 1] = prefix_of(i)
      agent_pairs[#agent_pairs + 1] = packed
      agent_states[#agent_states + 1] = cmsgpack.pack(prefix_of(i)) .. packed
    end
  end
  entries[0] = struct.pack('<BI7I4', FORMAT, ctx.now, ctx.seq - meta.seq)
  local decisions = table.concat(entries, '', 0)
  local indexes, account_states, agent_state = cmsgpack.pack(state_indexes), table.concat(states), table.concat(agent_states)
  local hold_states, ended_fields = table.concat(told, HOLD_STATE_END), table.concat(told_ended, HOLD_STATE_END)
  local bytes = meta.bytes + #ARGV[11] + #ARGV[12] + #ARGV[13] + #decisions + #indexes + #account_states + #hold_states + #ended_fields + #agent_state
  redis.call('XADD', JOURNAL, string.format('%.0f-%.0f', meta.epoch, first_seq),
    'b', ARGV[11], 's', ARGV[12], 'o', ARGV[13], 'd', decisions, 'i', indexes, 'a', account_states, 'h', hold_states, 'e', ended_fields,
    'g', agent_state, 'c', string.format('%.0f', bytes))
  hash_write(ACCOUNTS, account_pairs)
  hash_write(ids_current, ctx.id_pairs)
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
  table.concat(codes_text),
  table.concat(outcomes),
}
