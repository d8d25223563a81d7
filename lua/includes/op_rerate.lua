-- @include "op_usage"
-- @include "corrections"

-- Charges what was booked unrated, once, like usage. op: the id names the charge (kind/id); 7 unit, 8 amount.
local function op_rerate(op_index, op)
  local account = ctx.states[op[P_ACCOUNT]]
  local field = ctx.fields[op_index]
  local stored = stored_outcome(field)
  if stored then return repeated(stored, op) end
  if op[P_CHECKED] < 0 or needs_check(op) then return CODE_CHECK end
  if stored_outcome(reversed_field(op, op[P_ID])) then return denied(REASON_ALREADY_REVERSED) end
  if ctx.refuse_new then return CODE_LIMIT, ctx.refuse_new end

  local unit, amount = op[7], op[8]
  local wallet = find_wallet(account, unit)
  local outcome = book(op_index, op, ENTRY_RERATE, unit, amount, 0, wallet, available(wallet), STATE_RERATED, field, 0)
  if not outcome then return denied(REASON_AMOUNT_OUT_OF_RANGE, unit) end
  return CODE_OK, outcome
end
