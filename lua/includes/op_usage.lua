-- @include "subscriptions"
-- @include "account_status"
-- @include "conversion"

-- The amount among the op's (unit, amount) pairs for one unit; nil where the call has none.
local function amount_for(op, first, unit)
  for i = first, #op, 2 do
    if op[i] == unit then return op[i + 1] end
  end
end

-- The wallet of (unit, amount) pairs from position `first` that pays for finished usage: the first whose available covers its
-- amount, else the last one. An amount of -1 is unrated: nothing to pay. A wallet that would pay nothing
-- while another would pay something is passed over. A pair of a negative unit pays with characters that
-- credits are converted into, where there are enough of them.
-- Returns unit, amount, flags, the wallet (nil where it was never used), what it has available, and the terms of a conversion.
local function choose_payer(op, first, account)
  local unit, amount, wallet, have, terms
  local chargeable = false
  for i = first, #op, 2 do chargeable = chargeable or op[i + 1] ~= 0 end
  for i = first, #op, 2 do
    if (op[i + 1] ~= 0 or not chargeable) and (op[i] > 0 or converts()) then
      terms = nil
      unit, amount = op[i], op[i + 1]
      if unit < 0 then
        terms = conversion_terms(op, i)
        unit, amount = UNIT_TTS_CHARACTERS, amount_for(op, first, UNIT_TTS_CHARACTERS)
      end
      wallet = find_wallet(account, unit)
      have = available(wallet, ctx.agent)
      if terms then
        local blocks, cost = blocks_lacking(wallet, have, amount, terms)
        if blocks and available(find_wallet(account, UNIT_CREDITS)) >= cost then break end
      elseif have >= amount then
        break
      end
    end
  end
  if amount < 0 then return unit, 0, FLAG_UNRATED, wallet, have end
  return unit, amount, 0, wallet, have, terms
end

-- Books `amount` from what is available, the rest as debt. Returns the packed outcome, or nil where the debt would exceed
-- AMOUNT_MAX (then nothing is changed).
local function book(op_index, op, kind, unit, amount, flags, wallet, have, state, id_name, version, before)
  local account_index = op[P_ACCOUNT]
  local account = ctx.states[account_index]
  local missing = amount > have and amount - have or 0
  if missing > 0 and (wallet and wallet[W_DEBT] or 0) > AMOUNT_MAX - missing then return nil end
  wallet = wallet or ensure_wallet(account, unit)
  flags = flags + status_flags(account)
  local changes = {}
  if amount > 0 then
    draw(wallet, amount, changes, ctx.agent)
    if missing > 0 then
      wallet[W_DEBT] = wallet[W_DEBT] + missing
      flags = flags + FLAG_OVERDRAWN
    end
    if account[A_DUE] > 0 then account[A_DUE] = soonest_due(account) end
  end
  have = add_entry(op_index, kind, account_index, wallet, amount, missing, flags, changes, 0, difference_text(before))
  if before then return store_charge(op, id_name, state, unit, amount, missing, have, flags, version, 0, before) end
  return store_outcome(id_name, op[P_HASH], ctx.seq, state, unit, amount, missing, have, flags, 0, version)
end

-- Finished usage. op: a row with 7 agent, 8.. (unit, amount) pairs in the meter's order of wallets; amount -1 = unrated.
local function op_usage(op_index, field, op)
  local stored = stored_outcome(field)
  if stored then return repeated(stored, op) end
  ctx.agent = noted_agent(op[P_ACCOUNT], op[7])
  if needs_check(op) then return CODE_CHECK end
  if ctx.refuse_new then return CODE_LIMIT, ctx.refuse_new end
  local unit, amount, flags, wallet, have, terms = choose_payer(op, 8, ctx.states[op[P_ACCOUNT]])
  local outcome
  if terms then
    outcome = book_converting(op_index, op, ENTRY_USAGE, amount, flags, terms, STATE_RECORDED, field, 0)
  else
    outcome = book(op_index, op, ENTRY_USAGE, unit, amount, flags, wallet, have, STATE_RECORDED, field, 0)
  end
  if not outcome then return denied(REASON_AMOUNT_OUT_OF_RANGE, unit) end
  return CODE_OK, outcome
end

-- May an event be drawn from the first lot like any other? Asked where the account has agents that must be looked at.
local function draws_simply(account_index, wallet, agent_id)
  local agent = noted_agent(account_index, agent_id or '')
  return wallet[W_OWN] == 0 and (not agent or agent[G_STATE] == AGENT_ACTIVE and agent[G_DRAWS] == 1)
end
