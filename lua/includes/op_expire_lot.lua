-- @include "advance"
-- @include "corrections"

-- The wallet and the lot of a number; nil where the lot is not in the state.
local function find_lot_of_account(account, number)
  for _, wallet in ipairs(account[A_WALLETS]) do
    local lot = find_lot(wallet, number)
    if lot then return wallet, lot end
  end
end

-- Expires a lot before its time: what is available of it now, what holds set aside when they end. op: 7 lot, 8 reason code,
-- 9 reason text (for the ledger).
local function op_expire_lot(op_index, op)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local field = ctx.fields[op_index]
  local stored = stored_outcome(field)
  if stored then return repeated(stored, op) end
  if op[P_CHECKED] < 0 or needs_check(op) then return CODE_CHECK end

  if op[7] > account[A_LOTS] then return denied(REASON_LOT_UNKNOWN) end
  local wallet, lot = find_lot_of_account(account, op[7])
  if not lot or lot[L_EXPIRES] > 0 and lot[L_EXPIRES] <= ctx.now then return denied(REASON_LOT_ENDED) end
  local free = lot[L_REMAINING] - lot[L_HELD]
  add_remaining(wallet, lot, -free)
  move_expiry(wallet, lot, ctx.now)
  drop_empty_lots(wallet)
  if account[A_DUE] > 0 then account[A_DUE] = soonest_due(account) end
  local unit = wallet[W_UNIT]
  local have = add_entry(op_index, ENTRY_EXPIRE_LOT, account_index, wallet, free, 0, 0, { op[7], -free })
  store_outcome(ended_lot_field(op, op[7]), op[P_HASH], ctx.seq, STATE_LOT_EXPIRED, unit, free, 0, have, 0, ctx.now, 0)
  return CODE_OK, store_outcome(field, op[P_HASH], ctx.seq, STATE_LOT_EXPIRED, unit, free, 0, have, 0, 0, 0)
end
