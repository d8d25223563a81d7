-- @include "advance"
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

-- The usage events of a batch; they are operations `first_index` and on, their ids' fields those after `fields_before`. Answers go
-- into `codes` and `outcomes`.
-- Nearly every event is new and costs less than the first lot has left: those are booked here, without a table, in short layouts,
-- and come to what op_usage, which judges all others, would come to.
local function apply_usage(usage, first_index, fields, fields_before, refuse_ending, codes, outcomes)
  local accounts, ids, hashes, times = usage[U_ACCOUNT], usage[U_ID], usage[U_HASH], usage[U_TIME]
  local units, amounts, units_2, amounts_2, more = usage[U_UNIT], usage[U_AMOUNT], usage[U_UNIT_2], usage[U_AMOUNT_2], usage[U_MORE]
  local agents, agent_ids, more_at = usage[U_AGENT], usage[U_AGENTS], {}
  for m = 1, #more, 3 do more_at[more[m]] = m end
  local states, touched, changed, known, pairs_list, entries = ctx.states, ctx.touched, ctx.changed, ctx.ids, ctx.id_pairs, ctx.entries
  local refuse_new, check_before, now = ctx.refuse_new, ctx.check_before, ctx.now
  local booked, pack = string.char(CODE_OK), struct.pack
  -- Counted here, because #list searches for the end each time.
  local entries_count, pairs_count, paid_lots = #entries, #pairs_list, ctx.paid_lots
  -- The run of entries that were paid in full: its first operation, the one that would go on with it, and behind which entry it belongs.
  local run_first, run_next, run_behind = 0, 0, 0
  local function end_run()
    if run_next == run_first then return end
    table.insert(entries, run_behind + 1, pack(ENTRY_PAID_RUN, run_first, ENTRY_PAID, run_next - run_first))
    entries_count = entries_count + 1
    run_first, run_next = 0, 0
  end
  for u = 1, #ids do
    local op_index, account_index = first_index + u - 1, accounts[u]
    local account = states[account_index]
    local undone
    if account and not touched[account_index] and not refuse_ending then
      undone = advance(account_index)
      if #entries > entries_count then
        end_run()
        entries_count, pairs_count = #entries, #pairs_list
      end
    end
    if refuse_ending then
      codes[op_index], outcomes[op_index] = string.char(CODE_LIMIT), refuse_ending
    elseif not account then
      codes[op_index], outcomes[op_index] = string.char(CODE_MISS), ''
    elseif undone then
      codes[op_index], outcomes[op_index] = string.char(undone), ''
    else
      local field, unit, amount = fields[fields_before + u], units[u], amounts[u]
      local wallets = account[A_WALLETS]
      local wallet = wallets[1]
      if wallet and wallet[W_UNIT] ~= unit then
        local first = wallet
        wallet = wallets[2] and find_wallet(account, unit)
        -- An allowance that the account never had pays nothing.
        if not wallet and amount > 0 and units_2[u] ~= 0 then
          unit, amount = units_2[u], amounts_2[u]
          wallet = first[W_UNIT] == unit and first or find_wallet(account, unit)
        end
      end
      local lot = wallet and wallet[W_LOTS][1]
      if lot and account[A_STATUS] == STATUS_ACTIVE and amount > 0 and lot[L_REMAINING] - lot[L_HELD] > amount and wallet[W_DEBT] == 0 and not known[field] and times[u] >= check_before
        and not more_at[u] and not refuse_new and (not account[A_NOTED] or draws_simply(account_index, wallet, agent_ids[agents[u]])) then
        local known_lot = paid_lots[account_index]
        if op_index ~= run_next or known_lot and known_lot ~= lot then
          end_run()
          run_first, run_next, run_behind = op_index, op_index, entries_count
        end
        if known_lot ~= lot then
          paid_lots[account_index] = lot
          entries_count = entries_count + 1
          entries[entries_count] = pack(ENTRY_PAID_FROM_LAYOUT, 0, ENTRY_PAID_FROM, account_index, account[A_ENTRIES], unit, wallet[W_REMAINING],
            wallet[W_HELD], lot[L_ID])
          run_behind = entries_count
        end
        run_next = op_index + 1
        local seq, number = ctx.seq + 1, account[A_ENTRIES] + 1
        local remaining, held = wallet[W_REMAINING] - amount, wallet[W_HELD]
        ctx.seq = seq
        account[A_ENTRIES], account[A_SEQ], account[A_CHANGED_AT] = number, seq, now
        lot[L_REMAINING] = lot[L_REMAINING] - amount
        wallet[W_REMAINING] = remaining
        changed[account_index] = true
        local outcome = pack(OUTCOME_PAID, hashes[u], seq, STATE_PAID, unit, amount, remaining - held)
        known[field] = outcome
        pairs_list[pairs_count + 1], pairs_list[pairs_count + 2] = field, outcome
        pairs_count = pairs_count + 2
        codes[op_index], outcomes[op_index] = booked, outcome
      else
        local op = { OP_USAGE, account_index, ids[u], hashes[u], times[u], -1, agent_ids[agents[u]] or '', units[u], amounts[u] }
        if units_2[u] ~= 0 then op[10], op[11] = units_2[u], amounts_2[u] end
        local m = more_at[u]
        if m then
          op[P_CHECKED] = more[m + 1]
          for i = 1, #more[m + 2] do op[11 + i] = more[m + 2][i] end
        end
        local code, outcome = op_usage(op_index, field, op)
        codes[op_index], outcomes[op_index] = string.char(code), outcome or ''
        entries_count, pairs_count = #entries, #pairs_list
      end
    end
  end
  end_run()
end
