-- @include "conversion"
-- @include "account_status"

-- Turns credits into units of an allowance, both whole or nothing. op: 7 unit of the allowance, 8 units, 9 micro-credits that they cost,
-- 10 priority of the lot, 11 catalog version. 0 units: nothing but the stored outcome is wanted.
local function op_convert(op_index, op)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local field = ctx.fields[op_index]
  local stored = stored_outcome(field)
  if stored then return repeated(stored, op) end
  -- Like grants: rare, and money.
  if op[P_CHECKED] < 0 or needs_check(op) then return CODE_CHECK end
  -- What could not be priced could only be a repetition.
  if op[8] == 0 then return CODE_NONE end
  local refusal = status_refusal(account)
  if refusal then return denied(refusal) end
  if ctx.refuse_new then return CODE_LIMIT, ctx.refuse_new end

  local unit, units, cost = op[7], op[8], op[9]
  local credits = find_wallet(account, UNIT_CREDITS)
  local have = available(credits)
  if have < cost then return denied(REASON_INSUFFICIENT_BALANCE, UNIT_CREDITS, have, cost - have) end
  local allowance = find_wallet(account, unit)
  if allowance and allowance[W_REMAINING] > AMOUNT_MAX - units then return denied(REASON_AMOUNT_OUT_OF_RANGE, unit) end
  if allowance and account_lots(allowance) >= LOTS_MAX then return denied(REASON_LOTS_MAX, unit) end

  local changes = {}
  draw(credits, cost, changes)
  if account[A_DUE] > 0 then account[A_DUE] = soonest_due(account) end
  book_converted(op_index, account_index, credits, cost, changes)
  local number, paid, left = grant_converted(op_index, account_index, unit, units, op[10])
  return CODE_OK, store_converted(field, cost, op[P_HASH], ctx.seq, STATE_CONVERTED, unit, units, paid, left, FLAG_CONVERTED, number, op[11])
end
