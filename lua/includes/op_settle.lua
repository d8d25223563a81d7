-- @include "op_usage"
-- @include "end_hold"
-- @include "settle_converting"
-- @include "sessions"

-- May a hold of this unit be settled on conversion terms? One of credits began with them.
local function may_convert(unit) return unit == UNIT_CREDITS or unit == UNIT_TTS_CHARACTERS and converts() end

-- Ends a hold with what was really used, or books it without one. op: 7 catalog version of the amounts (0: the call named an
-- amount itself), 8 agent (of an open hold the hold's own counts), 9 the newest generation that the caller can own (0: any), 10.. (unit, amount)
-- pairs; -1 = unrated.
local function op_settle(op_index, op)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local field = hold_field(op[P_ACCOUNT], op[P_ID])
  local hold = hold_get(field)
  if hold and sessions.has_moved(hold, op[9]) then return CODE_STALE end
  local flags = 0
  ctx.settled_for = hold and hold[H_AGENT] or op[8]
  ctx.agent = noted_agent(account_index, ctx.settled_for)
  local unit, amount, wallet, have
  if hold then
    if op[7] ~= 0 and op[7] ~= hold[H_VERSION] then return CODE_REPRICE, struct.pack(REPRICE, hold[H_VERSION]) end
    local terms = conversion_terms(op, 10)
    if terms and may_convert(hold[H_UNIT]) then
      local outcome = settle_converting(op_index, op, hold, amount_for(op, 10, UNIT_TTS_CHARACTERS), terms)
      if not outcome then return denied(REASON_AMOUNT_OUT_OF_RANGE, UNIT_TTS_CHARACTERS) end
      return CODE_OK, outcome
    end
    amount = amount_for(op, 10, hold[H_UNIT])
    if not amount then return denied(REASON_FIELD_INVALID, hold[H_UNIT]) end
    if amount < 0 then amount, flags = 0, FLAG_UNRATED end
    wallet = ensure_wallet(account, hold[H_UNIT])
    local missing = amount - hold[H_AMOUNT] - available(wallet, ctx.agent)
    if missing > 0 and wallet[W_DEBT] > AMOUNT_MAX - missing then return denied(REASON_AMOUNT_OUT_OF_RANGE, hold[H_UNIT]) end
    return CODE_OK, end_hold(op_index, account_index, op[P_ID], hold, amount, ENTRY_SETTLE, op[P_HASH], flags, op[7])
  end

  local stored, terms, before = stored_outcome(field), nil, nil
  if stored then
    local _, _, state, hold_unit, _, _, _, _, _, version = struct.unpack(OUTCOME, stored)
    if state == STATE_SETTLED then return repeated(stored, op) end
    if op[7] ~= 0 and op[7] ~= version then return CODE_REPRICE, struct.pack(REPRICE, version) end
    before = charged_before(stored)
    -- What a deadline charged in credits has its difference in credits: there were no terms.
    terms = not (before and hold_unit == UNIT_CREDITS) and may_convert(hold_unit) and conversion_terms(op, 10) or nil
    unit = terms and UNIT_TTS_CHARACTERS or hold_unit
    amount = amount_for(op, 10, unit)
    if not amount then return denied(REASON_FIELD_INVALID, unit) end
    flags = FLAG_LATE
    if amount < 0 then amount, flags = 0, FLAG_LATE + FLAG_UNRATED end
    if before then amount, flags = math.max(0, amount - before[1]), flags + FLAG_DIFFERENCE end
    wallet = find_wallet(account, unit)
    have = available(wallet, ctx.agent)
  else
    if hold_needs_check(op) then return CODE_CHECK end
    unit, amount, flags, wallet, have, terms = choose_payer(op, 10, account)
    flags = flags + FLAG_HOLD_UNKNOWN
  end
  local outcome
  if terms then
    outcome = book_converting(op_index, op, ENTRY_SETTLE, amount, flags, terms, STATE_SETTLED, field, op[7], before)
  else
    outcome = book(op_index, op, ENTRY_SETTLE, unit, amount, flags, wallet, have, STATE_SETTLED, field, op[7], before)
  end
  if not outcome then return denied(REASON_AMOUNT_OUT_OF_RANGE, unit) end
  return CODE_OK, outcome
end
