-- @include "op_usage"
-- @include "end_hold"

-- The amount among the op's (unit, amount) pairs for one unit; nil where the call has none.
local function amount_for(op, first, unit)
  for i = first, #op, 2 do
    if op[i] == unit then return op[i + 1] end
  end
end

-- Ends a hold with what was really used, or books it without one. op: 7 catalog version of the amounts (0: the call named an
-- amount itself), 8.. (unit, amount) pairs; -1 = unrated.
local function op_settle(op_index, op)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local field = hold_field(op, op[P_ID])
  local hold = hold_get(field)
  local flags = 0
  local unit, amount, wallet, have
  if hold then
    if op[7] ~= 0 and op[7] ~= hold[H_VERSION] then return CODE_REPRICE, struct.pack(REPRICE, hold[H_VERSION]) end
    amount = amount_for(op, 8, hold[H_UNIT])
    if not amount then return denied(REASON_FIELD_INVALID, hold[H_UNIT]) end
    if amount < 0 then amount, flags = 0, FLAG_UNRATED end
    wallet = ensure_wallet(account, hold[H_UNIT])
    local missing = amount - hold[H_AMOUNT] - available(wallet)
    if missing > 0 and wallet[W_DEBT] > AMOUNT_MAX - missing then return denied(REASON_AMOUNT_OUT_OF_RANGE, hold[H_UNIT]) end
    return CODE_OK, end_hold(op_index, account_index, op[P_ID], hold, amount, ENTRY_SETTLE, op[P_HASH], flags, op[7])
  end

  local stored = stored_outcome('h' .. field)
  if stored then
    local _, _, state, hold_unit, _, _, _, _, _, version = struct.unpack(OUTCOME, stored)
    if state == STATE_SETTLED then return repeated(stored, op) end
    if op[7] ~= 0 and op[7] ~= version then return CODE_REPRICE, struct.pack(REPRICE, version) end
    unit = hold_unit
    amount = amount_for(op, 8, unit)
    if not amount then return denied(REASON_FIELD_INVALID, unit) end
    flags = FLAG_LATE
    if amount < 0 then amount, flags = 0, FLAG_LATE + FLAG_UNRATED end
    wallet = find_wallet(account, unit)
    have = available(wallet)
  else
    if hold_needs_check(op) then return CODE_CHECK end
    unit, amount, flags, wallet, have = choose_payer(op, 8, account)
    flags = flags + FLAG_HOLD_UNKNOWN
  end
  local outcome = book(op_index, op, ENTRY_SETTLE, unit, amount, flags, wallet, have, STATE_SETTLED, 'h' .. field, op[7])
  if not outcome then return denied(REASON_AMOUNT_OUT_OF_RANGE, unit) end
  return CODE_OK, outcome
end
