-- @include "end_hold"
-- @include "account_status"
-- @include "conversion"

-- Adds units and/or time to an open hold. op: 7 hold id, 8 amount to add, 9 hold time from now in ms (0: leave).
local function op_extend(op_index, op)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local field = ctx.fields[op_index]
  local stored = stored_outcome(field)
  if stored then return repeated(stored, op) end
  local own_field = hold_field(op[P_ACCOUNT], op[7])
  local hold = hold_get(own_field)
  if not hold then
    if stored_outcome(own_field) then return denied(REASON_HOLD_ENDED) end
    if hold_needs_check(op) then return CODE_CHECK end
    return denied(REASON_HOLD_UNKNOWN)
  end
  -- Extends are no lines of the ledger: nobody could say whether one that is this old was made before.
  if is_old(op) then return denied(REASON_EVENT_TOO_OLD, hold[H_UNIT]) end
  ctx.agent = noted_agent(account_index, hold[H_AGENT])
  local refusal = status_refusal(account)
  if refusal then return denied(refusal, hold[H_UNIT]) end
  if ctx.refuse_new then return CODE_LIMIT, ctx.refuse_new end

  local wallet = ensure_wallet(account, hold[H_UNIT])
  local amount, have, agent = op[8], growable(account, wallet, hold)
  if amount > have then return denied(REASON_INSUFFICIENT_BALANCE, hold[H_UNIT], have, amount - have) end
  if amount > 0 and hold[H_UNIT] == UNIT_TTS_CHARACTERS and #wallet[W_LOTS] >= LOTS_HOLDING_MAX then
    return denied(REASON_LOTS_MAX, UNIT_TTS_CHARACTERS)
  end
  set_aside(wallet, amount, hold[H_PARTS], agent)
  hold[H_AMOUNT] = hold[H_AMOUNT] + amount
  if op[9] > 0 then hold[H_DEADLINE] = math.max(hold[H_DEADLINE], ctx.now + op[9]) end
  if account[A_DUE] > 0 then account[A_DUE] = soonest_due(account) end
  have = add_entry(op_index, ENTRY_EXTEND, account_index, wallet, amount, 0, 0, {})
  hold_put(own_field, hold)
  return CODE_OK, store_outcome(field, op[P_HASH], ctx.seq, STATE_EXTENDED, hold[H_UNIT], hold[H_AMOUNT], 0, have, 0,
    hold[H_DEADLINE], hold[H_VERSION])
end
