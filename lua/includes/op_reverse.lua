-- @include "advance"
-- @include "corrections"

-- Gives a charge of ours back. op: 7 unit, 8 amount, 9 the charge (kind/id; empty: a duplicate, whose reversal has an id of its own),
-- 10 what the caller knew of the charge (SEEN_), 11 reason code, 12 reason text (for the ledger),
-- 13.. what each lot gave: (number, amount, source, priority, expiry, agent whose own it is or 0).
-- What agents' own lots gave goes back to them. Of the rest debt is paid first, then the lots get back at most what they gave, what is left
-- becomes a lot of its own.
local function op_reverse(op_index, op)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local field = ctx.fields[op_index]
  local stored = stored_outcome(field)
  if stored then return repeated(stored, op) end
  local charge = op[9]
  -- Corrections are rare and are money: Postgres is asked each time, however young they are.
  if op[P_CHECKED] < 0 or needs_check(op) then return CODE_CHECK end
  if charge ~= '' then
    if stored_outcome(reversed_field(op, charge)) then return denied(REASON_ALREADY_REVERSED) end
    -- Rerated or settled after the caller looked: it looks again.
    if op[10] ~= SEEN_RERATED and stored_outcome(rerated_field(op, charge)) then return CODE_STALE end
    local session = op[10] == SEEN_UNSETTLED and stored_outcome(settled_field(op, charge))
    if session and select(3, struct.unpack(OUTCOME, session)) == STATE_SETTLED then return CODE_STALE end
  end

  local unit, amount = op[7], op[8]
  local wallet = ensure_wallet(account, unit)
  if wallet[W_REMAINING] > AMOUNT_MAX - amount then return denied(REASON_AMOUNT_OUT_OF_RANGE, unit) end
  -- The reversal of a duplicate happens by itself.
  if charge ~= '' and account_lots(wallet) >= LOTS_MAX then return denied(REASON_LOTS_MAX, unit) end
  local own = 0
  for i = 13, #op, 6 do
    if op[i + 5] > 0 then own = own + op[i + 1] end
  end
  local paid = math.min(wallet[W_DEBT], amount - own)
  wallet[W_DEBT] = wallet[W_DEBT] - paid
  local left = amount - paid
  local changes, expired = {}, {}
  -- A call may have expired a lot since the caller looked at it: the state and the ids know better than the op.
  local function give(id, source, priority, expires, back, owner)
    local lot = find_lot(wallet, id)
    if lot then
      expires = lot[L_EXPIRES]
    else
      local ended = stored_outcome(ended_lot_field(op, id))
      if ended then expires = select(9, struct.unpack(OUTCOME, ended)) end
      lot = { id, source, priority, expires, 0, 0, owner > 0 and owner or nil }
      insert_lot(wallet, lot)
      -- Its agent may have no such lot any more: the rest of the batch must look at agents again.
      account[A_NOTED] = account[A_NOTED] or owner > 0
    end
    add_remaining(wallet, lot, back)
    left = left - back
    append_pair(changes, id, back)
    if expires > 0 and expires <= ctx.now then
      if not expired[lot] then expired[#expired + 1] = lot end
      expired[lot] = (expired[lot] or 0) + back
    end
  end
  local function give_back(to_agents)
    for i = 13, #op, 6 do
      local back = math.min(left, op[i + 1])
      if back > 0 and (op[i + 5] > 0) == to_agents then give(op[i], op[i + 2], op[i + 3], op[i + 4], back, op[i + 5]) end
    end
  end
  give_back(true)
  give_back(false)
  if left > 0 then
    account[A_LOTS] = account[A_LOTS] + 1
    give(account[A_LOTS], SOURCE_CORRECTION, PRIORITY_TOP_UP, 0, left, 0)
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
  if unit == UNIT_CREDITS and amount > 0 then
    retry_renewals(account_index)
    seq = ctx.seq
  end
  account[A_DUE] = soonest_due(account)
  if charge ~= '' then
    store_outcome(reversed_field(op, charge), op[P_HASH], seq, STATE_REVERSED, unit, amount, paid, have, 0, 0, 0)
  end
  return CODE_OK, store_outcome(field, op[P_HASH], seq, STATE_REVERSED, unit, amount, paid, have, 0, 0, 0)
end
