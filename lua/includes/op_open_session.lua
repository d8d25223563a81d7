-- @include "op_reserve"
-- @include "sessions"

-- Opens a session or takes over one that is open. op: 7 hold time in ms, 8 catalog version, 9 agent, 10 meter, 11 model, 12 details, 13 the newest
-- generation that the caller can own (0: it takes the session from whoever has it); then for each wallet that can pay, in the meter's order: unit, charge of
-- what is known, least and wanted to set aside, terms. In the place of the unit and of the terms stands what a pair has that converts credits for characters;
-- then the other three are in characters. Terms are 0 elsewhere.
local op_open_session
do
  local function opened(hold, account, have, details)
    return CODE_OK, struct.pack(SESSION_OPENED, ctx.seq, hold[H_GENERATION], hold[H_UNIT], hold[H_AMOUNT], sessions.covers(account, hold), have,
      hold[H_DEADLINE], hold[H_VERSION], hold[H_CHARGE], details)
  end

  -- The session was open before: whoever had it has it no longer.
  local function take_over(op_index, op, field, hold)
    local account_index = op[P_ACCOUNT]
    local account = ctx.states[account_index]
    ctx.agent = noted_agent(account_index, hold[H_AGENT])
    hold[H_GENERATION] = hold[H_GENERATION] + 1
    hold[H_DEADLINE] = ctx.now + op[7]
    local have = add_entry(op_index, ENTRY_CHECKPOINT, account_index, ensure_wallet(account, hold[H_UNIT]), 0, 0, 0, {})
    hold_put(field, hold)
    return opened(hold, account, have, hold[H_DETAILS])
  end

  -- What one wallet's offer asks for: unit, what it takes at least and at best, what only comes whole, terms, the wallet, what is there, and for
  -- whom it is set aside. nil where what it takes at least would exceed AMOUNT_MAX.
  local function offered(account, op, i)
    local unit, least, wanted = op[i], op[i + 2], op[i + 3]
    if unit > 0 then
      local wallet = find_wallet(account, unit)
      return unit, least, wanted, 1, false, wallet, available(wallet, ctx.agent), ctx.agent
    end
    local terms = conversion_terms({ unit, op[i + 4] }, 1)
    local allowance, wallet = find_wallet(account, UNIT_TTS_CHARACTERS), find_wallet(account, UNIT_CREDITS)
    local _, least_cost = blocks_lacking(allowance, 0, least, terms)
    if not least_cost then return nil end
    local _, wanted_cost = blocks_lacking(allowance, 0, wanted, terms)
    return UNIT_CREDITS, least_cost, wanted_cost or least_cost, terms[T_MICROS], terms, wallet, available(wallet), nil
  end

  op_open_session = function(op_index, op)
    local account_index = op[P_ACCOUNT]
    local account = ctx.states[account_index]
    local field = hold_field(op[P_ACCOUNT], op[P_ID])
    local hold = hold_get(field)
    if hold then
      if hold[H_HASH] ~= op[P_HASH] or hold[H_GENERATION] == 0 then return CODE_CONFLICT, held_outcome(hold) end
      if sessions.has_moved(hold, op[13]) then return CODE_STALE end
      return take_over(op_index, op, field, hold)
    end
    local ended = stored_outcome(field)
    if ended then return CODE_ENDED, ended end
    if needs_check(op) then return CODE_CHECK end
    ctx.agent = noted_agent(account_index, op[9])
    local refusal = status_refusal(account)
    if refusal then return denied(refusal) end
    if ctx.refuse_new then return CODE_LIMIT, ctx.refuse_new end

    local unit, least, wanted, step, terms, wallet, have, agent, charge
    for i = 14, #op, 5 do
      if op[i] > 0 or converts() then
        unit, least, wanted, step, terms, wallet, have, agent = offered(account, op, i)
        if not unit then return denied(REASON_AMOUNT_OUT_OF_RANGE, UNIT_CREDITS) end
        charge = op[i + 1]
        if have >= least then break end
      end
    end
    if not unit then return denied(REASON_MODEL_UNRATED) end
    if have < least then return denied(REASON_INSUFFICIENT_BALANCE, unit, have, least - have) end
    if sessions.is_full(unit, wallet) then return denied(REASON_LOTS_MAX, unit) end

    wallet = wallet or ensure_wallet(account, unit)
    local deadline = ctx.now + op[7]
    hold = {
      FORMAT, unit, 0, deadline, op[8], 1, {}, terms, op[P_HASH], 0, 0, 0, deadline,
      op[P_TIME], account[A_KEY], charge, op[9], op[10], op[11], op[12],
    }
    sessions.grow(account, wallet, hold, session_share.of_first(least, wanted, have, account[A_HOLDS], step), agent)
    account[A_HOLDS] = account[A_HOLDS] + 1
    have = add_entry(op_index, ENTRY_HOLD, account_index, wallet, hold[H_AMOUNT], 0, 0, {})
    hold[H_SEQ] = ctx.seq
    hold_put(field, hold)
    return opened(hold, account, have, '')
  end
end
