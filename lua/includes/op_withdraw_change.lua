-- @include "advance"

-- Withdraws what is to come: the change that was scheduled for the period's end, and the next period if one is stored.
local function op_withdraw_change(op_index, op)
  local account_index = op[P_ACCOUNT]
  local field = ctx.fields[op_index]
  local stored = stored_outcome(field)
  if stored then return repeated(stored, op) end
  if op[P_CHECKED] < 0 or needs_check(op) then return CODE_CHECK end
  local subscription = subscription_of(account_index)
  if not subscription[S_CHANGE] and not subscription[S_NEXT] then return denied(REASON_NOTHING_SCHEDULED) end
  subscription[S_CHANGE], subscription[S_NEXT] = false, false
  add_plan_change(op_index, account_index, subscription[S_PLAN], PLAN_WITHDRAWN, 0, 0)
  subscription_changed(account_index)
  return CODE_OK, store_outcome(field, op[P_HASH], ctx.seq, STATE_PLAN_WITHDRAWN, 0, 0, 0, 0, 0, 0, 0)
end
