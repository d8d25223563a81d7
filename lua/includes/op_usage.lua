-- @include "expire_due_lots"
-- @include "account_status"

-- The wallet of (unit, amount) pairs from position `first` that pays for finished usage: the first whose available covers its
-- amount, else the last one. An amount of -1 is unrated: nothing to pay.
-- Returns unit, amount, flags, the wallet (nil where it was never used) and what it has available.
local function choose_payer(op, first, account)
  local unit, amount, wallet, have
  for i = first, #op, 2 do
    unit, amount = op[i], op[i + 1]
    wallet = find_wallet(account, unit)
    have = available(wallet)
    if have >= amount then break end
  end
  if amount < 0 then return unit, 0, FLAG_UNRATED, wallet, have end
  return unit, amount, 0, wallet, have
end

-- Books `amount` from what is available, the rest as debt. Returns the packed outcome, or nil where the debt would exceed
-- AMOUNT_MAX (then nothing is changed).
local function book(op_index, op, kind, unit, amount, flags, wallet, have, state, id_name, version)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local missing = amount > have and amount - have or 0
  if missing > 0 and (wallet and wallet[W_DEBT] or 0) > AMOUNT_MAX - missing then return nil end
  wallet = wallet or ensure_wallet(account, unit)
  if account[A_STATUS] ~= STATUS_ACTIVE then flags = flags + status_flag(account) end
  local changes = {}
  if amount > 0 then
    draw(wallet, amount, changes)
    if missing > 0 then
      wallet[W_DEBT] = wallet[W_DEBT] + missing
      flags = flags + FLAG_OVERDRAWN
    end
    if account[A_DUE] > 0 then account[A_DUE] = soonest_due(account) end
  end
  have = add_entry(op_index, kind, account_index, wallet, amount, missing, flags, changes)
  return store_outcome(id_name, op[P_HASH], ctx.seq, state, unit, amount, missing, have, flags, 0, version)
end

-- Finished usage. op: 7.. (unit, amount) pairs in the meter's order of wallets; amount -1 = unrated.
local function op_usage(op_index, op)
  local field = ctx.fields[op_index]
  local stored = stored_outcome(field)
  if stored then return repeated(stored, op) end
  if needs_check(op) then return CODE_CHECK end
  if ctx.refuse_new then return CODE_LIMIT, ctx.refuse_new end
  local unit, amount, flags, wallet, have = choose_payer(op, 7, ctx.states[op[P_ACCOUNT]])
  local outcome = book(op_index, op, ENTRY_USAGE, unit, amount, flags, wallet, have, STATE_RECORDED, field, 0)
  if not outcome then return denied(REASON_AMOUNT_OUT_OF_RANGE, unit) end
  return CODE_OK, outcome
end
