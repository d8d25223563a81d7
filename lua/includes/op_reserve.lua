-- @include "end_hold"
-- @include "account_status"
-- @include "op_usage"

local function held_outcome(hold)
  return struct.pack(OUTCOME, hold[H_HASH], hold[H_SEQ], STATE_HELD, hold[H_UNIT], hold[H_FIRST_HELD], 0, hold[H_FIRST_AVAILABLE], 0,
    hold[H_FIRST_DEADLINE], hold[H_VERSION])
end

-- Sets units aside. op: 7 hold time in ms, 8 catalog version, 9 agent, 10 meter, 11 model, 12.. (unit, amount) pairs; -1 = unrated.
-- What credits may be converted for is set aside in credits: enough whole blocks for all of it, whatever the allowance has by the settle.
local function op_reserve(op_index, op)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local field = hold_field(op[P_ACCOUNT], op[P_ID])
  local hold = hold_get(field)
  if hold then
    if hold[H_HASH] == op[P_HASH] then return CODE_DUPLICATE, held_outcome(hold) end
    return CODE_CONFLICT, held_outcome(hold)
  end
  local ended = stored_outcome(field)
  if ended then return denied(REASON_HOLD_ENDED) end
  if needs_check(op) then return CODE_CHECK end
  ctx.agent = noted_agent(account_index, op[9])
  local refusal = status_refusal(account)
  if refusal then return denied(refusal) end
  if ctx.refuse_new then return CODE_LIMIT, ctx.refuse_new end

  local unit, amount, have, wallet, agent, terms
  local covered = false
  for i = 12, #op, 2 do
    if op[i + 1] >= 0 and (op[i] > 0 or converts()) then
      unit, amount, agent, terms = op[i], op[i + 1], ctx.agent, false
      if unit < 0 then
        local allowance = find_wallet(account, UNIT_TTS_CHARACTERS)
        local characters = amount_for(op, 12, UNIT_TTS_CHARACTERS)
        terms = conversion_terms(op, i)
        local _, cost = blocks_lacking(allowance, 0, characters, terms)
        if not cost then return denied(REASON_AMOUNT_OUT_OF_RANGE, UNIT_CREDITS) end
        unit, amount, agent = UNIT_CREDITS, cost, nil
      end
      wallet = find_wallet(account, unit)
      have = available(wallet, agent)
      covered = have >= amount
      if covered then break end
    end
  end
  if not unit then return denied(REASON_MODEL_UNRATED) end
  if not covered then return denied(REASON_INSUFFICIENT_BALANCE, unit, have, amount - have) end

  wallet = wallet or ensure_wallet(account, unit)
  if unit == UNIT_TTS_CHARACTERS and #wallet[W_LOTS] >= LOTS_HOLDING_MAX then return denied(REASON_LOTS_MAX, unit) end
  local parts = {}
  set_aside(wallet, amount, parts, agent)
  account[A_HOLDS] = account[A_HOLDS] + 1
  if account[A_DUE] > 0 then account[A_DUE] = soonest_due(account) end
  have = add_entry(op_index, ENTRY_HOLD, account_index, wallet, amount, 0, 0, {})
  local deadline = ctx.now + op[7]
  hold = {
    FORMAT, unit, amount, deadline, op[8], 0, parts, terms, op[P_HASH], ctx.seq, amount, have, deadline,
    op[P_TIME], account[A_KEY], 0, op[9], op[10], op[11], '',
  }
  hold_put(field, hold)
  return CODE_OK, held_outcome(hold)
end
