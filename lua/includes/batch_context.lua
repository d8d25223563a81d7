-- @include "formats"
-- @include "fence"
-- @include "hash_chunks"
-- @include "account_pack"
-- @include "hold_pack"

-- What one call works on: everything is read before, changed here in memory, and written after the last decision.
--   now, seq           time of the call; seq of the last entry
--   at                 time of what is being done: now, or earlier where it was due earlier
--   account_ids        external ids; packed_states[i] as they were read (false: absent); states[i] unpacked or nil, once somebody asks (includes/payers.lua);
--                      due_before[i] when those were due; changed[i] true once changed; touched[i] once lots were checked
--   payers[i]          account i as the short ways change it; false where it has its tables, or must get them
--   prefixes[i]        scope of ids and holds of account i: length, colon, id; once somebody asked: prefix_of
--   fields             by operation, the field of its id
--   ids                stored outcomes by field, packed: those found in Redis and those of this batch (id_pairs: for HSET)
--   holds              field -> hold, packed until it is looked at; false once ended; what entries say of those that changed:
--   hold_said[field]   as `holds`; true where they do not say all
--   short_holds        as they were read, by the place of an operation in short; those that were begun and ended the short way while nothing was judged at
--                      length, which looks into `holds`: hold_pairs (for HSET), ending (their fields by their deadline), ended and
--                      not_due (fields: those whose deadlines go with them)
--   spread             puts them there, once somebody judges at length
--   subscriptions[i]   unpacked, or false where account i has none; nil until somebody asks. subscription_changed[i] = true
--   agents_by_id[i]    agents of account i by their ids, once somebody asked
--   agent              the agent for whom the present operation is, where it must be looked at; nil: the operation simply draws on the account
--   refuse_new         LIMIT, packed: no new work may be booked; refuse_ending: nothing may
--   settled_for        the agent, or the mere label, that the present settle is for
--   due_work           how much of what is due this call may still do
--   overdue            holds whose deadline has passed, once somebody asked: includes/overdue_holds.lua
--   entries            the journal record's decisions
--   paid_lots[i]       the lot from which the last entries of account i were paid in full; nil where its last entry says itself what it changed
-- All names stand here, so that the table is made at its size.
local ctx = {
  now = 0, at = 0, seq = 0, ids_since = 0, check_before = 0, evicted_through = 0, due_work = DUE_WORK_MAX, expired_holds = 0,
  account_ids = false, packed_states = false, short_holds = false, spread = false, agent = nil, refuse_new = nil, refuse_ending = nil, settled_for = nil,
  overdue = nil, fields = {}, states = {}, due_before = {}, payers = {}, changed = {}, touched = {}, prefixes = {}, ids = {}, id_pairs = {}, holds = {},
  hold_said = {}, hold_fields = {}, hold_pairs = {}, ending = {}, ended = {}, not_due = {}, subscriptions = {}, subscription_changed = {}, agents_by_id = {}, entries = {},
  paid_lots = {},
}

local function prefix_of(account_index)
  local prefix = ctx.prefixes[account_index]
  if not prefix then
    local id = ctx.account_ids[account_index]
    prefix = #id .. ':' .. id
    ctx.prefixes[account_index] = prefix
  end
  return prefix
end

local function id_field(kind, op, id) return kind .. prefix_of(op[P_ACCOUNT]) .. id end

-- Of a hold, in its hash, of its id, and of its deadline.
local function hold_field(account_index, hold_id) return 'h' .. prefix_of(account_index) .. hold_id end

local function store_packed(field, packed)
  ctx.ids[field] = packed
  local pairs_list = ctx.id_pairs
  local last = #pairs_list
  pairs_list[last + 1] = field
  pairs_list[last + 2] = packed
  return packed
end

local function hold_put(field, hold)
  ctx.holds[field] = hold
  if ctx.hold_said[field] == nil then ctx.hold_fields[#ctx.hold_fields + 1] = field end
  ctx.hold_said[field] = true
end
