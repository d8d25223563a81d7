-- @include "plans"

-- Creates an account. op: 7 account key, 8 seq of the snapshot in which Postgres did not know the account, 9 plan (empty: none), 10 its rank,
-- 11 how many agents it allows (-1: any number), 12 credits if it is the free plan (-1: it is not), 13 their priority.
-- An account that was evicted after that snapshot would look absent too: then the caller looks again (STALE).
local function op_create(op_index, op)
  local account_index = op[P_ACCOUNT]
  local field = ctx.fields[op_index]
  if ctx.states[account_index] then
    local stored = stored_outcome(field)
    if not stored then return denied(REASON_ACCOUNT_EXISTS) end
    return repeated(stored, op)
  end
  if op[8] < ctx.evicted_through then return CODE_STALE end
  if ctx.refuse_new then return CODE_LIMIT, ctx.refuse_new end
  ctx.states[account_index] = { FORMAT, op[7], STATUS_ACTIVE, 0, 0, ctx.now, 0, 0, 0, {}, 0 }
  ctx.touched[account_index] = true
  add_entry(op_index, ENTRY_ACCOUNT_CREATED, account_index, nil, 0, 0, 0, {})
  if op[9] ~= '' then take_plan(op_index, account_index, { op[9], op[10], op[11], op[12], op[13] }) end
  return CODE_OK, store_outcome(field, op[P_HASH], ctx.seq, STATE_CREATED, 0, 0, 0, 0, 0, ctx.now, 0)
end
