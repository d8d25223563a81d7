-- @include "expire_due_lots"

-- Gives a charge of ours back. op: 7 unit, 8 amount, 9.. what each lot gave: (number, amount, source, priority, expiry).
-- Debt is paid first, then the lots get back at most what they gave, what is left becomes a lot of its own.
local function op_reverse(op_index, op)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local field = ctx.fields[op_index]
  local stored = stored_outcome(field)
  if stored then return repeated(stored, op) end
  if needs_check(op) then return CODE_CHECK end

  local unit, amount = op[7], op[8]
  local wallet = ensure_wallet(account, unit)
  if wallet[W_REMAINING] > AMOUNT_MAX - amount then return denied(REASON_AMOUNT_OUT_OF_RANGE, unit) end
  local paid = math.min(wallet[W_DEBT], amount)
  wallet[W_DEBT] = wallet[W_DEBT] - paid
  local left = amount - paid
  local changes, expired = {}, {}
  local function give(id, source, priority, expires, back)
    local lot = find_lot(wallet, id)
    if not lot then
      lot = { id, source, priority, expires, 0, 0 }
      insert_lot(wallet, lot)
    end
    add_remaining(wallet, lot, back)
    left = left - back
    append_pair(changes, id, back)
    if expires > 0 and expires <= ctx.now then
      if not expired[lot] then expired[#expired + 1] = lot end
      expired[lot] = (expired[lot] or 0) + back
    end
  end
  for i = 9, #op, 5 do
    local back = math.min(left, op[i + 1])
    if back > 0 then give(op[i], op[i + 2], op[i + 3], op[i + 4], back) end
  end
  if left > 0 then
    account[A_LOTS] = account[A_LOTS] + 1
    give(account[A_LOTS], SOURCE_CORRECTION, PRIORITY_TOP_UP, 0, left)
  end
  local have = add_entry(op_index, ENTRY_REVERSAL, account_index, wallet, amount, -paid, 0, changes)
  local seq = ctx.seq
  for _, lot in ipairs(expired) do
    local back = expired[lot]
    add_remaining(wallet, lot, -back)
    have = add_entry(0, ENTRY_LOT_EXPIRED, account_index, wallet, back, 0, 0, { lot[L_ID], -back })
    seq = ctx.seq
  end
  drop_empty_lots(wallet)
  account[A_DUE] = soonest_due(account)
  return CODE_OK, store_outcome(field, op[P_HASH], seq, STATE_REVERSED, unit, amount, paid, have, 0, 0, 0)
end
