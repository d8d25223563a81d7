-- @include "plans"

-- Where the lots of an import begin: (unit, amount, source, priority, expiry) each.
local OPENING_LOTS = 17

-- Why an import is refused; nil where it is not.
local function import_refusal(op)
  local sums = {}
  for i = OPENING_LOTS, #op, 5 do
    local unit, amount, expires = op[i], op[i + 1], op[i + 4]
    if expires > 0 and expires <= ctx.now then return REASON_FIELD_INVALID end
    sums[unit] = (sums[unit] or 0) + amount
    if sums[unit] > AMOUNT_MAX then return REASON_AMOUNT_OUT_OF_RANGE end
  end
end

-- What the account brings along: its lots, the period that runs, and that free credits were granted elsewhere.
local function import_account(op_index, op)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local subscription = subscription_of(account_index)
  subscription[S_FREE] = 1
  if op[16] > 0 then
    subscription[S_PERIOD] = { op[15], op[16], op[9], op[10], op[11], 0, 0, 0, 0, 0, 0 }
  end
  subscription_changed(account_index)
  for i = OPENING_LOTS, #op, 5 do
    local amount, source, priority, expires = op[i + 1], op[i + 2], op[i + 3], op[i + 4]
    local wallet = ensure_wallet(account, op[i])
    local number = account[A_LOTS] + 1
    account[A_LOTS] = number
    insert_lot(wallet, { number, source, priority, expires, amount, 0 })
    add_entry(op_index, ENTRY_OPENING_LOT, account_index, wallet, amount, 0, 0, { number, amount }, 0,
      struct.pack(ENTRY_OPENING_LOT_TEXT, source, priority, expires))
  end
  account[A_DUE] = soonest_due(account)
end

-- Creates an account. op: 7 account key, 8 seq of the snapshot in which Postgres did not know the account, 9 plan (empty: none), 10 its rank
-- (-1: the catalog does not have it, and nothing but the stored outcome is wanted), 11 how many agents it allows (-1: any number), 12 credits if it is the free plan (-1: it is not), 13 their priority, 14 is it imported (0 or 1),
-- 15 start and 16 end of the plan's period that runs (0: none does), 17.. the lots that it brings.
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
  if op[10] < 0 then return CODE_NONE end
  if ctx.refuse_new then return CODE_LIMIT, ctx.refuse_new end
  local refusal = import_refusal(op)
  if refusal then return denied(refusal) end
  ctx.states[account_index] = { FORMAT, 0, ctx.now, 0, 0, op[7], 0, 0, 0, STATUS_ACTIVE, {}, 0, false }
  ctx.touched[account_index] = true
  add_entry(op_index, ENTRY_ACCOUNT_CREATED, account_index, nil, 0, 0, 0, {})
  if op[14] == 1 then import_account(op_index, op) end
  if op[9] ~= '' then take_plan(op_index, account_index, { op[9], op[10], op[11], op[12], op[13] }, op[15], op[16]) end
  return CODE_OK, store_outcome(field, op[P_HASH], ctx.seq, STATE_CREATED, 0, 0, 0, 0, 0, ctx.now, 0)
end
