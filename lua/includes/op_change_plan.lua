-- @include "advance"

-- Carries what is left of the running period forward: its lots, held parts included, take another expiry (0: never). Returns their numbers.
-- A reversal whose caller looked at such a lot before finds its expiry under the lot's number.
local function carry_forward(op, account, subscription, expires)
  local carried = {}
  if not period_runs(subscription) then return carried end
  local wallet, ends = find_wallet(account, UNIT_CREDITS), subscription[S_PERIOD][B_END]
  local lots = {}
  for _, lot in ipairs(wallet and wallet[W_LOTS] or {}) do
    if lot[L_SOURCE] == SOURCE_PLAN and lot[L_EXPIRES] == ends then lots[#lots + 1] = lot end
  end
  for _, lot in ipairs(lots) do
    move_expiry(wallet, lot, expires)
    carried[#carried + 1] = lot[L_ID]
    store_outcome(ended_lot_field(op, lot[L_ID]), op[P_HASH], ctx.seq, STATE_PERIOD_STARTED, UNIT_CREDITS, 0, 0, 0, 0, expires, 0)
  end
  return carried
end

-- Changes the plan: at once where the new one ranks as high as the old one or higher, or where no period runs; else at the period's end.
-- op: 7 plan, 8 its rank, 9 how many agents it allows (-1: any number), 10 credits, 11 their priority, 12 what becomes of them at the end
-- (0: they expire, 1: they stay, 2: it is the free plan), 13 end of the period that begins now (0: not given). Credits of -1: the catalog does not
-- know the plan (any more), and nothing but the stored outcome is wanted.
local function op_change_plan(op_index, op)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local field = ctx.fields[op_index]
  local stored = stored_outcome(field)
  if stored then return repeated(stored, op) end
  if op[P_CHECKED] < 0 or needs_check(op) then return CODE_CHECK end
  if op[10] < 0 then return CODE_NONE end
  if account[A_STATUS] == STATUS_CLOSED then return denied(REASON_ACCOUNT_CLOSED) end
  if ctx.refuse_new then return CODE_LIMIT, ctx.refuse_new end

  local subscription = subscription_of(account_index)
  if subscription[S_PLAN] == op[7] then return denied(REASON_PLAN_UNCHANGED) end
  if subscription[S_NEXT] then return denied(REASON_PERIOD_STORED) end
  local free = op[12] == 2
  local change = { op[7], op[8], op[9], free and op[10] or -1, op[11] }
  if op[8] < subscription[S_RANK] and period_runs(subscription) then
    local ends = subscription[S_PERIOD][B_END]
    subscription[S_CHANGE] = change
    add_plan_change(op_index, account_index, op[7], PLAN_SCHEDULED, ends, 0)
    subscription_changed(account_index)
    return CODE_OK, store_outcome(field, op[P_HASH], ctx.seq, STATE_PLAN_SCHEDULED, UNIT_CREDITS, 0, 0, 0, 0, ends, 0)
  end
  local ends = op[13]
  if not free and ends == 0 then return denied(REASON_FIELD_INVALID) end
  if not free and ends <= ctx.now then return denied(REASON_PERIOD_ENDED) end
  local refusal = grant_refusal(account, op[10])
  if refusal then return denied(refusal, UNIT_CREDITS) end
  if free then
    local granted, paid, lot, have = take_plan(op_index, account_index, change)
    if lot > 0 then retry_renewals(account_index) end
    return CODE_OK, store_outcome(field, op[P_HASH], ctx.seq, STATE_PLAN_CHANGED, UNIT_CREDITS, granted, paid, have, 0, lot, 0)
  end
  local period = { ctx.now, ends, op[7], op[8], op[9], op[10], op[11], op[12] }
  local carried = carry_forward(op, account, subscription, op[12] == 1 and 0 or ends)
  subscription[S_CHANGE] = false
  local have = begin_period(op_index, account_index, period, carried)
  retry_renewals(account_index)
  return CODE_OK, store_outcome(field, op[P_HASH], ctx.seq, STATE_PERIOD_STARTED, UNIT_CREDITS, period[B_GRANTED], period[B_PAID], have, 0, period[B_LOT], 0)
end
