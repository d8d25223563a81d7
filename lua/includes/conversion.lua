-- @include "add_entry"

-- Books that `amount` of credits left their wallet for an allowance; `missing` of them were not there and are debt now. The lots
-- have given theirs already (`changes`). `terms` is the catalog version and the priority of what comes in, packed.
local function book_converted(op_index, account_index, wallet, amount, missing, flags, changes, released, terms)
  if missing > 0 then
    wallet[W_DEBT] = wallet[W_DEBT] + missing
    flags = flags + FLAG_OVERDRAWN
  end
  return add_entry(op_index, ENTRY_CONVERSION, account_index, wallet, amount, missing, flags, changes, released, terms)
end

-- What the credits bought: debt of the allowance first, then a lot that never expires. Returns its number, the debt that was paid and
-- what is available.
local function grant_converted(op_index, account_index, unit, units, priority, terms)
  local account = ctx.states[account_index]
  local wallet = ensure_wallet(account, unit)
  local paid = math.min(wallet[W_DEBT], units)
  wallet[W_DEBT] = wallet[W_DEBT] - paid
  local number = account[A_LOTS] + 1
  account[A_LOTS] = number
  if units > paid then insert_lot(wallet, { number, SOURCE_CONVERSION, priority, 0, units - paid, 0 }) end
  local have = add_entry(op_index, ENTRY_CONVERSION_GRANT, account_index, wallet, units, -paid, 0, { number, units - paid }, 0, terms)
  return number, paid, have
end

-- Stores an outcome that says how many credits were converted, and how many of them became debt.
local function store_converted(field, converted, converted_debt, hash, seq, state, unit, amount, overdrawn, have, flags, extra, version)
  local outcome = struct.pack(OUTCOME, hash, seq, state, unit, amount, overdrawn, have, flags + FLAG_CONVERTED, extra, version)
  return store_packed(field, outcome .. struct.pack(OUTCOME_CONVERTED, converted, converted_debt))
end
