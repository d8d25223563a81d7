-- @include "advance"

-- A new lot; debt is paid first. op: 7 unit, 8 amount, 9 source, 10 priority, 11 expiry in ms (0: never).
local function op_grant(op_index, op)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local field = ctx.fields[op_index]
  local stored = stored_outcome(field)
  if stored then return repeated(stored, op) end
  -- Grants are rare and are money: Postgres is asked each time, however young they are.
  if op[P_CHECKED] < 0 or needs_check(op) then return CODE_CHECK end
  if account[A_STATUS] == STATUS_CLOSED then return denied(REASON_ACCOUNT_CLOSED) end
  if ctx.refuse_new then return CODE_LIMIT, ctx.refuse_new end

  local unit, amount, expires = op[7], op[8], op[11]
  if expires > 0 and expires <= ctx.now then return denied(REASON_FIELD_INVALID, unit) end
  local wallet = ensure_wallet(account, unit)
  if wallet[W_REMAINING] > AMOUNT_MAX - amount then return denied(REASON_AMOUNT_OUT_OF_RANGE, unit) end
  if account_lots(wallet) >= LOTS_MAX then return denied(REASON_LOTS_MAX, unit) end
  local paid = math.min(wallet[W_DEBT], amount)
  wallet[W_DEBT] = wallet[W_DEBT] - paid
  local number = account[A_LOTS] + 1
  account[A_LOTS] = number
  if amount > paid then
    insert_lot(wallet, { number, op[9], op[10], expires, amount - paid, 0 })
    if expires > 0 then account[A_DUE] = soonest_due(account) end
  end
  local have = add_entry(op_index, ENTRY_GRANT, account_index, wallet, amount, -paid, 0, { number, amount - paid })
  retry_renewals(account_index)
  return CODE_OK, store_outcome(field, op[P_HASH], ctx.seq, STATE_GRANTED, unit, amount, paid, have, 0, number, 0)
end
